//! The public keys of an outside issuer in a file: whose tokens open the server, and which files stop its start.
#![expect(clippy::unwrap_used, reason = "a failed check ends the test")]

#[expect(dead_code, reason = "each test binary uses its part")]
mod common;

use std::{fs, path::Path, process::Command};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sealroom_domain::ports::Clock as _;
use sealroom_server::clock::SystemClock;
use sealroom_testkit::client::http;
use serde_json::json;
use tempfile::TempDir;

use common::TestServer;

fn key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

/// The public half as `openssl pkey -pubout` writes it.
fn pem(key: &EcdsaKeyPair) -> String {
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

fn token(key: &EcdsaKeyPair) -> String {
    let now = SystemClock.now().whole_seconds();
    let header = json!({"alg": "ES256"});
    let claims = json!({"user_id": 7, "iat": now, "exp": now + 600});
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn status(server: &TestServer, token: &str) -> u16 {
    let answer = http::request(server.addr, "GET", "/api/v1/me", Some(token), None).await;
    answer.unwrap().status
}

#[tokio::test]
async fn a_token_of_the_key_in_the_file_opens_the_server_and_no_other_does() {
    let directory = TempDir::new().unwrap();
    let (ours, replaced, other) = (key(), key(), key());
    let path = directory.path().join("keys.pem");
    // Two keys, as while one is replaced.
    fs::write(&path, pem(&ours) + &pem(&replaced)).unwrap();
    let file = ("SEALROOM_JWT_PUBLIC_KEY_FILE", path.to_str().unwrap());

    // An empty secret is none, and then nothing that is signed with one is taken.
    let server = TestServer::start_with(&[file, ("SEALROOM_JWT_SECRET", "")]);
    let generated = server.mint(7, None, None);
    for (token, expected) in [
        (token(&ours), 200),
        (token(&replaced), 200),
        (token(&other), 401),
        (generated, 401),
    ] {
        assert_eq!(status(&server, &token).await, expected);
    }

    // With a secret, both are.
    let server = TestServer::start_with(&[file]);
    for (token, expected) in [
        (token(&ours), 200),
        (server.mint(7, None, None), 200),
        (token(&other), 401),
    ] {
        assert_eq!(status(&server, &token).await, expected);
    }
}

/// How the program ends with this file: its exit code and what it says.
fn started_with(directory: &Path, file: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sealroom-server"))
        .current_dir(directory)
        .args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off"])
        .args(["--jwt-public-key-file", file])
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_file_that_holds_no_public_keys_stops_the_start() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("empty.pem"), "").unwrap();
    fs::write(at("text.pem"), "hidden").unwrap();
    fs::write(at("binary.pem"), [0xff, 0xfe]).unwrap();
    // Larger than any set of keys that is taken.
    fs::write(at("large.pem"), pem(&key()).repeat(10_000)).unwrap();
    let private = "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n";
    fs::write(at("private.pem"), private).unwrap();
    for file in [
        "missing.pem",
        "folder",
        "empty.pem",
        "text.pem",
        "binary.pem",
        "large.pem",
        "private.pem",
    ] {
        let (code, stderr) = started_with(directory.path(), file);
        assert_eq!(code, Some(2), "{file}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{file}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(file), "{stderr}");
        assert!(!stderr.contains("hidden"), "{file}: {stderr}");
    }
}
