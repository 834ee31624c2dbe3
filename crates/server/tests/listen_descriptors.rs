//! The accept loop where the process has no descriptors left. Alone in its file: the limit is that of the process.

use std::time::Duration;

use axum::{Router, routing::get};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sealroom_server::listen::{Connections, ListenOptions, serve_connections};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn accepting_goes_on_when_descriptors_are_free_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut clients = Vec::new();
    for _ in 0..20 {
        // The kernel accepts them into the backlog; the loop does not run yet.
        clients.push(TcpStream::connect(address).await.unwrap());
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = getrlimit(Resource::Nofile);
    let tight = Rlimit {
        current: Some(u64::try_from(open).unwrap() + 4),
        ..before
    };
    setrlimit(Resource::Nofile, tight).unwrap();

    let connections = Connections::default();
    let options = ListenOptions {
        connections: connections.clone(),
        ..ListenOptions::default()
    };
    let router = Router::new().route("/", get(|| async { "ok" }));
    let shutdown = CancellationToken::new();
    let task = TaskTracker::new().spawn(serve_connections(listener, router, options, shutdown.clone()));
    sleep(Duration::from_millis(300)).await;
    assert!(connections.count() < 20, "the limit was not reached");
    assert!(!task.is_finished());

    // The first ones go away, and the last one gets its turn.
    let mut last = clients.pop().unwrap();
    drop(clients);
    last.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, last.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    shutdown.cancel();
    timeout(PATIENCE, task).await.unwrap().unwrap();
    setrlimit(Resource::Nofile, before).unwrap();
}
