//! The accept loop against raw TCP peers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops where its helper cannot go on"
)]

mod admission;
mod frames;
mod reading;
mod shutdown;

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
    net::{TcpListener, TcpStream},
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
        .route("/frames", get(frames::upgrade_to_frames))
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
    let upgrade = match path {
        "/echo" => "connection: upgrade\r\nupgrade: echo\r\n",
        "/frames" => "connection: upgrade\r\nupgrade: frames\r\n",
        _ => "",
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
