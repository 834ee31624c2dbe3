//! Who gets in, and what a request says of its peer.

use std::time::{Duration, Instant};

use sealroom_server::listen::ListenOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::sleep,
};

use crate::{Loop, PATIENCE, SLOW, closed, read_response, send_request};

#[tokio::test]
async fn a_slow_header_is_cut_off() {
    let header_timeout = Duration::from_millis(300);
    let mut server = Loop::start(ListenOptions {
        header_timeout,
        ..ListenOptions::default()
    })
    .await;
    for begun in ["", "GET /ok HTTP/1.1\r\n", "GET /ok HTTP/1.1\r\nhost: te"] {
        let mut stream = server.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let after = closed(&mut stream).await;
        assert!(
            after > header_timeout / 2 && after < PATIENCE / 2,
            "{begun:?}: {after:?}"
        );
    }
    // One byte now and then does not keep it open.
    let mut drip = server.connect().await;
    let begin = Instant::now();
    while drip.write_all(b"G").await.is_ok() {
        assert!(begin.elapsed() < PATIENCE, "fed for ever");
        sleep(header_timeout / 6).await;
    }
    server.serves().await;
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_header() {
    let mut server = Loop::start(ListenOptions {
        header_timeout: SLOW / 3,
        ..ListenOptions::default()
    })
    .await;
    let (mut stream, _) = server.ask("/slow").await;
    assert!(read_response(&mut stream).await.ends_with("late"));
}

#[tokio::test]
async fn an_oversized_header_is_refused() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let mut stream = server.connect().await;
    let line = format!(
        "GET /ok HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n",
        "x".repeat(400_000)
    );
    // The server may answer, and close, before it has read all of it.
    let _ = stream.write_all(line.as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    server.serves().await;
}

#[tokio::test]
async fn requests_know_their_peer() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, _) = server.ask("/peer").await;
    let me = stream.local_addr().unwrap().to_string();
    assert!(read_response(&mut stream).await.ends_with(&me));
    // The next request of the same connection has the same handle.
    send_request(&mut stream, "/ok").await;
    assert!(server.seen.recv().await.unwrap().0.bytes_written() > 0);
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let mut server = Loop::start(ListenOptions {
        max_connections: Some(2),
        ..ListenOptions::default()
    })
    .await;
    let (first, _) = server.ask("/ok").await;
    let (_second, _) = server.ask("/ok").await;
    for _ in 0..3 {
        closed(&mut server.connect().await).await;
    }
    assert_eq!(server.connections.count(), 2);
    drop(first);
    server.wait_count(1).await;
    server.serves().await;
}

#[tokio::test]
async fn no_more_connections_of_one_address_than_allowed() {
    let mut server = Loop::start(ListenOptions {
        max_connections_per_address: Some(1),
        ..ListenOptions::default()
    })
    .await;
    let (first, _) = server.ask("/ok").await;
    closed(&mut server.connect().await).await;

    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(server.address).await.unwrap();
    send_request(&mut other, "/ok").await;
    assert!(read_response(&mut other).await.ends_with("ok"));
    server.seen.recv().await.unwrap();

    drop(first);
    server.wait_count(1).await;
    server.serves().await;
}
