//! A server that ends TLS itself: who is let in, and that a certificate is renewed without a restart.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed check ends the test"
)]

#[expect(dead_code, reason = "other tests use more of it")]
mod common;
#[path = "common/tls.rs"]
mod tls;

use std::{fs, sync::Arc, time::Duration};

use common::TestServer;
use rustls::version::{TLS12, TLS13};
use sealroom_testkit::client::{Client, http};
use serde_json::json;
use tls::{Certificate, Relay};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

const GROUP: u64 = 1;

fn start(certificate: &Certificate, more: &[(&str, &str)]) -> TestServer {
    let files = certificate.settings();
    let mut settings: Vec<_> = files
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    settings.extend(more);
    TestServer::start_with(&settings)
}

/// A group with one member, whose token this gives.
async fn member(server: &TestServer, relay: &Relay) -> String {
    let admin = server.mint_admin();
    for (path, body) in [
        (format!("/api/v1/groups/{GROUP}"), json!({"name": "Group"})),
        (
            format!("/api/v1/groups/{GROUP}/members/1"),
            json!({"role": "member"}),
        ),
    ] {
        let answer = http::request(relay.addr, "PUT", &path, Some(&admin), Some(body))
            .await
            .unwrap();
        assert!(answer.status < 300, "{}", answer.text());
        assert_eq!(
            answer.header("strict-transport-security"),
            Some("max-age=31536000")
        );
    }
    server.mint(1, None, None)
}

async fn send(client: &Client, content: &str) {
    let message = json!({"group_id": GROUP, "encrypted_content": content});
    let ack = client.emit_with_ack("send_message", message).await.unwrap();
    assert_eq!(ack["success"], true, "{ack}");
}

#[tokio::test]
async fn clients_chat_over_tls_and_a_new_certificate_needs_no_restart() {
    let mut certificate = Certificate::new();
    let server = start(&certificate, &[]);
    let relay = Relay::start(server.addr, Arc::new(copy(&certificate))).await;
    let token = member(&server, &relay).await;
    let client = Client::connect(relay.addr, &token).await.unwrap();
    let joined = client
        .emit_with_ack("join_group", json!({"group_id": GROUP}))
        .await
        .unwrap();
    assert_eq!(joined["success"], true);
    // More than the buffers between take at once.
    for size in [1, 60_000, 60_000, 60_000] {
        send(&client, &"x".repeat(size)).await;
        let event = client.next_event("new_message").await.unwrap();
        assert_eq!(event["encrypted_content"].as_str().unwrap().len(), size);
    }
    for versions in [&[&TLS12][..], &[&TLS13]] {
        certificate.connect(server.addr, versions).await.unwrap();
    }

    // Half of a new pair is none: the old one stays.
    let (old, key) = (copy(&certificate), fs::read(certificate.key_file()).unwrap());
    certificate.renew();
    let new_key = fs::read(certificate.key_file()).unwrap();
    fs::write(certificate.key_file(), key).unwrap();
    wait(|| server.log().contains("the certificate is kept")).await;
    old.connect(server.addr, rustls::ALL_VERSIONS).await.unwrap();
    fs::write(certificate.key_file(), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    wait(|| server.log().matches("the certificate is kept").count() == 2).await;
    fs::write(certificate.key_file(), new_key).unwrap();
    wait(|| server.log().contains("a new certificate is in use")).await;
    certificate
        .connect(server.addr, rustls::ALL_VERSIONS)
        .await
        .unwrap();
    assert!(old.connect(server.addr, rustls::ALL_VERSIONS).await.is_err());
    // Open connections keep what they have.
    send(&client, "after").await;
    assert!(!server.log().contains("PRIVATE KEY"));
}

/// The same certificate for another owner.
fn copy(certificate: &Certificate) -> Certificate {
    let mut copy = Certificate::new();
    copy.der = certificate.der.clone();
    copy
}

async fn wait(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come");
        sleep(Duration::from_millis(50)).await;
    }
}

/// What a peer that writes this is answered, until the end of its connection.
async fn answered(server: &TestServer, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let begin = Instant::now();
    let mut peer = TcpStream::connect(server.addr).await.unwrap();
    peer.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // The end may be a reset.
    let _ = timeout(Duration::from_secs(10), peer.read_to_end(&mut answer))
        .await
        .unwrap();
    (answer, begin.elapsed())
}

#[tokio::test]
async fn who_speaks_no_tls_is_sent_away() {
    let certificate = Certificate::new();
    let server = start(&certificate, &[]);
    let quick = Duration::from_secs(2);
    let (answer, took) = answered(&server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(
        !answer.starts_with(b"HTTP") && took < quick,
        "{answer:?} {took:?}"
    );
    // A hello that is begun and not ended, and none at all.
    for bytes in [&b""[..], &[22, 3, 1, 2, 0, 1]] {
        let (answer, took) = answered(&server, bytes).await;
        assert!(answer.is_empty(), "{answer:?}");
        assert!((4..7).contains(&took.as_secs()), "{took:?}");
    }
    certificate
        .connect(server.addr, rustls::ALL_VERSIONS)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_drain_waits_for_no_handshake() {
    let certificate = Certificate::new();
    let mut server = start(&certificate, &[]);
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    silent.write_all(&[22]).await.unwrap();
    certificate
        .connect(server.addr, rustls::ALL_VERSIONS)
        .await
        .unwrap();
    let begin = Instant::now();
    assert!(server.terminate().success());
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}
