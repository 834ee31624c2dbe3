//! Unchanged official clients chat through the real server, on each of their transports.
//!
//! The clients are programs of their own in `interop/`; `cargo xtask test` installs what they need.

#[expect(dead_code, reason = "the clients need neither crashes nor restarts")]
mod common;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use common::TestServer;
use serde_json::{Value, json};

/// The last line of a client that got through all of its checks.
const PASSED: &str = "all checks passed";

#[test]
fn node_over_websocket() {
    play(&node(), "websocket");
}

#[test]
fn node_over_polling() {
    play(&node(), "polling");
}

#[test]
fn node_with_an_upgrade_from_polling_to_websocket() {
    play(&node(), "upgrade");
}

#[test]
fn python_over_websocket() {
    play(&python(), "websocket");
}

#[test]
fn python_over_polling() {
    play(&python(), "polling");
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
fn play(client: &Client, transport: &str) {
    let server = TestServer::start();
    set_up(&server);
    let mut command = Command::new(&client.interpreter);
    command
        .arg(&client.program)
        .env("INTEROP_URL", server.url())
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

/// Users 10, 11 and 12 are members of group 5, as a host application sets them up.
fn set_up(server: &TestServer) {
    let admin = server.mint_admin();
    let put = |path: &str, body: &Value| put(server, &admin, path, body);
    let users = [
        (10, "Nguyễn Văn A", "owner"),
        (11, "Trần Thị B", "member"),
        (12, "Lê Văn C", "member"),
    ];
    put("/groups/5", &json!({"name": "Nhóm 5"}));
    for (user_id, display_name, role) in users {
        put(
            &format!("/users/{user_id}"),
            &json!({"display_name": display_name}),
        );
        put(&format!("/groups/5/members/{user_id}"), &json!({"role": role}));
    }
}

/// An HTTP call that must succeed.
fn put(server: &TestServer, token: &str, path: &str, body: &Value) {
    let body = body.to_string();
    let answer = TcpStream::connect(server.addr).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(
            stream,
            "PUT /api/v1{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            server.addr,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    let answer = answer.unwrap_or_else(|error| panic!("PUT {path}: {error}"));
    assert!(answer.starts_with("HTTP/1.1 2"), "PUT {path}: {answer}");
}
