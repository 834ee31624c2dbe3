//! The end of the loop and of its connections.

use std::time::{Duration, Instant};

use sealroom_server::listen::ListenOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{Loop, PATIENCE, closed, eventually, read_response};

#[tokio::test]
async fn shutdown_closes_idle_connections_and_the_listener_at_once() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut kept_alive, _) = server.ask("/ok").await;
    read_response(&mut kept_alive).await;
    let mut silent = server.connect().await;
    server.wait_count(2).await;

    let begin = Instant::now();
    server.shutdown.cancel();
    timeout(PATIENCE, &mut server.task).await.unwrap().unwrap();
    assert!(server.wait_idle(PATIENCE).await);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    closed(&mut kept_alive).await;
    closed(&mut silent).await;
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn shutdown_lets_a_request_finish() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, _) = server.ask("/slow").await;
    server.shutdown.cancel();
    assert!(read_response(&mut stream).await.ends_with("late"));
    assert!(server.wait_idle(PATIENCE).await);
}

#[tokio::test]
async fn dropping_the_loop_closes_idle_connections() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut kept_alive, _) = server.ask("/ok").await;
    read_response(&mut kept_alive).await;
    server.task.abort();
    assert!(server.wait_idle(PATIENCE).await);
}

#[tokio::test]
async fn an_upgraded_connection_counts_until_its_owner_drops_it() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, handle) = server.ask("/echo").await;
    assert!(read_response(&mut stream).await.starts_with("HTTP/1.1 101 "));
    let before = handle.0.bytes_written();
    stream.write_all(b"hello").await.unwrap();
    let mut echo = [0; 5];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(handle.0.bytes_written(), before + 5);

    server.shutdown.cancel();
    assert!(!server.wait_idle(Duration::from_millis(200)).await);
    assert_eq!(server.connections.count(), 1);
    drop(stream);
    assert!(server.wait_idle(PATIENCE).await);
    assert_eq!(server.connections.count(), 0);
}

#[tokio::test]
async fn kill_all_ends_what_is_left() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut upgraded, _) = server.ask("/echo").await;
    read_response(&mut upgraded).await;
    let (_stuck, handle) = server.ask("/endless").await;
    eventually(|| handle.0.stalled_for().is_some()).await;

    server.shutdown.cancel();
    assert!(!server.wait_idle(Duration::from_millis(100)).await);
    assert_eq!(server.connections.kill_all(), 2);
    assert!(server.wait_idle(Duration::from_secs(1)).await);
    closed(&mut upgraded).await;
    assert_eq!(server.connections.kill_all(), 0);
}
