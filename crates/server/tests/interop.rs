//! Unchanged official clients chat through the real server, on each of their transports.
//!
//! The clients are programs of their own in `interop/`; `cargo xtask test` installs what they need.

#[expect(dead_code, reason = "the clients need neither crashes nor restarts")]
mod common;
#[path = "common/on_each_store.rs"]
#[macro_use]
mod on_each_store;
#[path = "common/tls.rs"]
#[expect(dead_code, reason = "its certificate is not renewed")]
mod tls;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use common::{Store, TestServer};
use sealroom_testkit::client::http;
use serde_json::{Value, json};
use tls::{Certificate, Relay};

/// The last line of a client that got through all of its checks.
const PASSED: &str = "all checks passed";

on_each_store!(node_over_websocket);
async fn node_over_websocket(store: Store) {
    play(store, &node(), "websocket").await;
}

on_each_store!(node_over_polling);
async fn node_over_polling(store: Store) {
    play(store, &node(), "polling").await;
}

on_each_store!(node_with_an_upgrade_from_polling_to_websocket);
async fn node_with_an_upgrade_from_polling_to_websocket(store: Store) {
    play(store, &node(), "upgrade").await;
}

on_each_store!(node_with_default_options_for_a_long_time);
async fn node_with_default_options_for_a_long_time(store: Store) {
    let client = Client {
        program: interop().join("node/long_life.mjs"),
        ..node()
    };
    // Far less than what the clients get in all: a socket must not be closed for what it has taken long ago.
    let server = TestServer::start_on(store, &[("SEALROOM_LIMIT_OUTBOUND_BYTES", "200000")]).await;
    play_on(&server, &client, "upgrade").await;
}

on_each_store!(node_over_tls);
async fn node_over_tls(store: Store) {
    let certificate = Arc::new(Certificate::new());
    let files = certificate.settings();
    let settings = files.each_ref().map(|(name, value)| (*name, value.as_str()));
    let server = TestServer::start_on(store, &settings).await;
    let relay = Relay::start(server.addr, certificate.clone()).await;
    set_up(&server, relay.addr).await;
    let url = format!("https://{}", server.addr);
    let trust = [("NODE_EXTRA_CA_CERTS", certificate.file())];
    run(&server, &node(), "upgrade", &url, &trust);
}

on_each_store!(python_over_websocket);
async fn python_over_websocket(store: Store) {
    play(store, &python(), "websocket").await;
}

on_each_store!(python_over_polling);
async fn python_over_polling(store: Store) {
    play(store, &python(), "polling").await;
}

/// A client's program: what runs it, and the file.
struct Client {
    interpreter: PathBuf,
    program: PathBuf,
}

fn node() -> Client {
    let folder = interop().join("node");
    need(&folder.join("node_modules/socket.io-client"));
    Client {
        interpreter: "node".into(),
        program: folder.join("scenario.mjs"),
    }
}

fn python() -> Client {
    // `cargo xtask test` makes the virtual environment in the target directory, beside the one for tests' files.
    let interpreter = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../interop-venv/bin/python");
    need(&interpreter);
    Client {
        interpreter,
        program: interop().join("python/scenario.py"),
    }
}

fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

fn need(path: &Path) {
    assert!(
        path.exists(),
        "{} is missing: run cargo xtask test, which installs what the clients need",
        path.display()
    );
}

/// Runs a client to its end against a server of its own.
async fn play(store: Store, client: &Client, transport: &str) {
    play_on(&TestServer::start_on(store, &[]).await, client, transport).await;
}

async fn play_on(server: &TestServer, client: &Client, transport: &str) {
    set_up(server, server.addr).await;
    run(server, client, transport, &server.url(), &[]);
}

fn run(server: &TestServer, client: &Client, transport: &str, url: &str, variables: &[(&str, PathBuf)]) {
    let mut command = Command::new(&client.interpreter);
    command
        .arg(&client.program)
        .env("INTEROP_URL", url)
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .env("INTEROP_TRANSPORT", transport)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    for user_id in [10, 11, 12, 13] {
        command.env(
            format!("INTEROP_TOKEN_{user_id}"),
            server.mint(user_id, None, None),
        );
    }
    let output = command.output().unwrap_or_else(|error| {
        let interpreter = client.interpreter.display();
        panic!("{interpreter} does not start ({error}): run cargo xtask test, which installs it")
    });
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.lines().last() == Some(PASSED),
        "{}\n{stdout}\n{}\nthe server's log:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        server.log()
    );
}

/// Users 10, 11 and 12 are members of group 5, as a host application sets them up at an address without TLS.
async fn set_up(server: &TestServer, addr: SocketAddr) {
    let admin = server.mint_admin();
    let put = async |path: &str, body: Value| put(server, addr, &admin, path, body).await;
    put("/groups/5", json!({"name": "Nhóm 5"})).await;
    let users = [
        (10, "Nguyễn Văn A", "owner"),
        (11, "Trần Thị B", "member"),
        (12, "Lê Văn C", "member"),
    ];
    for (user_id, display_name, role) in users {
        let profile = json!({"display_name": display_name});
        put(&format!("/users/{user_id}"), profile).await;
        let member = format!("/groups/5/members/{user_id}");
        put(&member, json!({"role": role})).await;
    }
}

/// An HTTP call that must succeed.
async fn put(server: &TestServer, addr: SocketAddr, token: &str, path: &str, body: Value) {
    let path = format!("/api/v1{path}");
    match http::request(addr, "PUT", &path, Some(token), Some(body)).await {
        Ok(answer) => assert!(
            (200..300).contains(&answer.status),
            "PUT {path}: {} {}; the server's log:\n{}",
            answer.status,
            answer.text(),
            server.log()
        ),
        Err(error) => panic!("PUT {path}: {error}; the server's log:\n{}", server.log()),
    }
}
