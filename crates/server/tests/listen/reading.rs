//! Peers that do not read, and peers that are not read.

use std::time::{Duration, Instant};

use sealroom_server::listen::ListenOptions;
use tokio::{io::AsyncReadExt, time::sleep};

use crate::{LARGE, Loop, PATIENCE, eventually, read_response, send_request};

#[tokio::test]
async fn bytes_are_counted() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, handle) = server.ask("/large").await;
    let received = read_response(&mut stream).await.len();
    assert!(received > LARGE);
    assert_eq!(handle.0.bytes_written(), u64::try_from(received).unwrap());
}

#[tokio::test]
async fn a_reader_that_stops_is_seen_and_one_that_goes_on_is_forgiven() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, handle) = server.ask("/large").await;
    eventually(|| handle.0.stalled_for().is_some()).await;
    let early = handle.0.stalled_for().unwrap();
    sleep(Duration::from_millis(200)).await;
    let late = handle.0.stalled_for().unwrap();
    assert!(
        late >= early + Duration::from_millis(190),
        "{early:?} then {late:?}"
    );

    read_response(&mut stream).await;
    assert_eq!(handle.0.stalled_for(), None);
}

#[tokio::test]
async fn a_reader_that_reads_is_never_long_stalled() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, handle) = server.ask("/endless").await;
    let mut buffer = vec![0; 64 * 1024];
    let begin = Instant::now();
    let mut most = Duration::ZERO;
    while begin.elapsed() < Duration::from_secs(1) {
        stream.read_exact(&mut buffer).await.unwrap();
        most = most.max(handle.0.stalled_for().unwrap_or_default());
    }
    assert!(most < Duration::from_millis(500), "{most:?}");
}

#[tokio::test]
async fn a_peer_that_is_held_is_not_read() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, handle) = server.ask("/ok").await;
    read_response(&mut stream).await;
    let held = Duration::from_millis(300);
    handle.0.hold_reading(held);
    let begin = Instant::now();
    send_request(&mut stream, "/ok").await;
    read_response(&mut stream).await;
    assert!(
        begin.elapsed() + Duration::from_millis(1) >= held,
        "{:?}",
        begin.elapsed()
    );

    // Resumed before its time is over; what is asked in portions is the same.
    handle.0.hold_reading(PATIENCE);
    let long = format!("/ok?{}", "x".repeat(20_000));
    send_request(&mut stream, &long).await;
    sleep(held).await;
    handle.0.resume_reading();
    assert!(read_response(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert!(begin.elapsed() < PATIENCE / 2, "{:?}", begin.elapsed());
    // Without a hold it does nothing.
    handle.0.resume_reading();
    send_request(&mut stream, "/ok").await;
    read_response(&mut stream).await;
    // Nobody waits for the end of a hold to be gone.
    handle.0.hold_reading(PATIENCE);
    handle.0.kill();
    drop(stream);
    server.serves().await;
}

#[tokio::test]
async fn a_zero_window_reader_is_killed_at_once() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (_stream, handle) = server.ask("/endless").await;
    eventually(|| handle.0.stalled_for() > Some(Duration::from_millis(100))).await;
    let begin = Instant::now();
    handle.0.kill();
    server.wait_count(0).await;
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(handle.0.stalled_for(), None);
    // Harmless where it is gone.
    handle.0.kill();
    server.serves().await;
}
