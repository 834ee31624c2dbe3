//! The accept loop against raw TCP peers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops where its helper cannot go on"
)]

use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request},
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use sealroom_realtime::ConnectionRef;
use sealroom_server::listen::{Connections, ListenOptions, serve_connections};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Long enough for a busy machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an answer takes that comes after a while.
const SLOW: Duration = Duration::from_millis(300);

const LARGE: usize = 8 * 1024 * 1024;

/// A running loop.
struct Loop {
    address: SocketAddr,
    connections: Connections,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    /// The handle of the connection of each request.
    seen: mpsc::UnboundedReceiver<ConnectionRef>,
}

impl Loop {
    async fn start(options: ListenOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = options.connections.clone();
        let shutdown = CancellationToken::new();
        let (tell, seen) = mpsc::unbounded_channel();
        let router = router().layer(from_fn(move |request: Request, next: Next| {
            // A test that ended no longer listens.
            let _ = tell.send(request.extensions().get::<ConnectionRef>().unwrap().clone());
            next.run(request)
        }));
        let task = TaskTracker::new().spawn(serve_connections(listener, router, options, shutdown.clone()));
        Self {
            address,
            connections,
            shutdown,
            task,
            seen,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects, asks, and gives the handle that the request came with.
    async fn ask(&mut self, path: &str) -> (TcpStream, ConnectionRef) {
        let mut stream = self.connect().await;
        send_request(&mut stream, path).await;
        let handle = timeout(PATIENCE, self.seen.recv()).await.unwrap().unwrap();
        (stream, handle)
    }

    async fn wait_count(&self, count: usize) {
        eventually(|| self.connections.count() == count).await;
    }

    async fn wait_idle(&self, patience: Duration) -> bool {
        self.connections
            .wait_idle(tokio::time::Instant::now() + patience)
            .await
    }

    /// What every test ends with: a new client is served as if nothing had happened.
    async fn serves(&mut self) {
        let (mut stream, _) = self.ask("/ok").await;
        assert!(read_response(&mut stream).await.starts_with("HTTP/1.1 200 "));
    }
}

fn router() -> Router {
    Router::new()
        .route("/ok", get(|| async { "ok" }))
        .route(
            "/peer",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
        )
        .route(
            "/slow",
            get(|| async {
                sleep(SLOW).await;
                "late"
            }),
        )
        .route("/large", get(|| async { Bytes::from(vec![b'x'; LARGE]) }))
        .route("/endless", get(endless))
        .route("/echo", get(upgrade_to_echo))
}

async fn endless() -> Body {
    let piece = Bytes::from(vec![b'x'; 16 * 1024]);
    Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(piece.clone())))
}

/// Switches to a protocol that repeats what it reads, in a task that the loop knows nothing of.
async fn upgrade_to_echo(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    TaskTracker::new().spawn(async move {
        let mut upgraded = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
        let mut buffer = [0; 64];
        while let Ok(read) = upgraded.read(&mut buffer).await {
            if read == 0 || upgraded.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "echo")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn send_request(stream: &mut TcpStream, path: &str) {
    let upgrade = if path == "/echo" {
        "connection: upgrade\r\nupgrade: echo\r\n"
    } else {
        ""
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n{upgrade}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// The status line, headers and as much of the body as `content-length` says.
async fn read_response(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(read, 0, "closed in the middle of a response");
        text.extend_from_slice(&buffer[..read]);
        if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(text[..end].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if text.len() >= end + 4 + length {
                return String::from_utf8(text).unwrap();
            }
        }
    }
}

/// Waits for the end of a connection, and says how long it took.
async fn closed(stream: &mut TcpStream) -> Duration {
    let begin = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("the connection stays open");
    begin.elapsed()
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "it never came to hold");
        sleep(Duration::from_millis(5)).await;
    }
}

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
