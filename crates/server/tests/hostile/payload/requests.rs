//! HTTP around a body: what it says of itself, and what it is.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{messages, sent_with};
use crate::{
    target::{MALLORY, Target},
    world::verdict,
};

const BODY: &str = r#"{"encrypted_content":"x"}"#;

/// A request to send a message, with these lines of its head and this body.
fn request(target: &Target, lines: &str, body: &str) -> Vec<u8> {
    let token = target.world.token(MALLORY);
    let head =
        format!("POST /api/v1/groups/1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n");
    format!("{head}{lines}\r\n{body}").into_bytes()
}

/// The statuses of all answers to these bytes, up to the end or to a time in which nothing comes.
async fn statuses(target: &Target, bytes: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(target.addr()).await.unwrap();
    // The server may have closed before it has taken everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    while let Ok(Ok(1..)) = timeout(Duration::from_millis(300), stream.read_buf(&mut answer)).await {}
    let text = String::from_utf8_lossy(&answer);
    text.match_indices("HTTP/1.1 ")
        .map(|(at, line)| text[at + line.len()..][..3].parse().unwrap())
        .collect()
}

/// RFC 9112, 6 and 11.2: one request is one request, or none at all.
pub(super) async fn pl_15_bodies_that_lie(target: &mut Target) {
    types_and_codings(target).await;
    lengths(target).await;
    smuggled(target).await;
    assert!(messages(target).await.is_empty());
    let length = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        BODY.len()
    );
    assert_eq!(statuses(target, &request(target, &length, BODY)).await, [201]);
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let lines = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(statuses(target, &request(target, lines, &chunked)).await, [201]);
    assert_eq!(messages(target).await.len(), 2);
}

async fn types_and_codings(target: &Target) {
    let types = [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json-patch+json",
        "json",
        "",
        "application/json, text/plain",
    ];
    for content_type in types {
        let headers = [("Content-Type", content_type)];
        let answer = sent_with(&target.world, "POST", "/groups/1/messages", &headers, BODY).await;
        assert_eq!(
            verdict(&answer),
            (400, "invalid_data".to_owned()),
            "{content_type}"
        );
    }
    let answer = sent_with(&target.world, "POST", "/groups/1/messages", &[], BODY).await;
    assert_eq!(verdict(&answer), (400, "invalid_data".to_owned()), "no type");
    // 100 KB of nothing, packed by a factor of 1000: it is not unpacked, and as it stands it is no JSON.
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    gzip.extend([0xed, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90, 0xfe, 0xaf, 0xee, 8, 0]);
    gzip.resize(100, 0);
    for coding in ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"] {
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", coding)];
        for body in [&gzip[..], &[0; 1000]] {
            let answer = sent_with(&target.world, "POST", "/groups/1/messages", &headers, body).await;
            assert!(
                matches!(answer.status, 400 | 415),
                "{coding}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
    let bodies: [&[u8]; 9] = [
        b"",
        b" ",
        b"null",
        b"[]",
        b"\"x\"",
        b"{\"encrypted_content\":\"x\"",
        b"{\"encrypted_content\":\"x\"}}",
        b"{\"encrypted_content\":\"x\"}{\"encrypted_content\":\"y\"}",
        b"\xef\xbb\xbf{\"encrypted_content\":\"x\"}",
    ];
    for body in bodies {
        let headers = [("Content-Type", "application/json")];
        let answer = sent_with(&target.world, "POST", "/groups/1/messages", &headers, body).await;
        assert_eq!(verdict(&answer), (400, "invalid_data".to_owned()), "{body:?}");
    }
    let large = json!({"encrypted_content": "x".repeat(200_000)}).to_string();
    let headers = [("Content-Type", "application/json")];
    let answer = sent_with(&target.world, "POST", "/groups/1/messages", &headers, large).await;
    assert_eq!(verdict(&answer), (413, "payload_too_large".to_owned()));
}

async fn lengths(target: &Target) {
    let json = "Content-Type: application/json\r\n";
    let rows = [
        // Lengths that are none.
        ("Content-Length: -1\r\n", BODY, &[400][..]),
        ("Content-Length: +25\r\n", BODY, &[400]),
        ("Content-Length: 0x19\r\n", BODY, &[400]),
        ("Content-Length: 25, 26\r\n", BODY, &[400]),
        ("Content-Length: 25;\r\n", BODY, &[400]),
        ("Content-Length: \r\n", BODY, &[400]),
        ("Content-Length: 99999999999999999999999\r\n", BODY, &[400]),
        ("Content-Length: 25\r\nContent-Length: 26\r\n", BODY, &[400]),
        ("Content-Length : 25\r\n", BODY, &[400]),
        // Far more than may come is refused by what it says.
        ("Content-Length: 10000000000\r\n", BODY, &[413]),
        ("Content-Length: 131073\r\n", BODY, &[413]),
        // Less than comes: the rest is a request of its own, and none that can be read.
        ("Content-Length: 5\r\n", BODY, &[400, 400]),
        ("Content-Length: 0\r\n", BODY, &[400, 400]),
        // Pieces that lie.
        ("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n", &[400]),
        ("Transfer-Encoding: chunked\r\n", "-5\r\n{}\r\n0\r\n\r\n", &[400]),
        (
            "Transfer-Encoding: chunked\r\n",
            "FFFFFFFFFFFFFFFFF\r\n{}\r\n",
            &[400],
        ),
        ("Transfer-Encoding: chunked\r\n", "2\r\n{}x\r\n0\r\n\r\n", &[400]),
        ("Transfer-Encoding: chunked\r\n", "2;\r\n{}\n0\r\n\r\n", &[400]),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", &[400]),
        // Codings that there are not, and two that fight.
        ("Transfer-Encoding: gzip\r\n", BODY, &[400]),
        ("Transfer-Encoding: xchunked\r\n", BODY, &[400]),
        ("Transfer-Encoding: chunked, gzip\r\n", BODY, &[400]),
        (
            "Transfer-Encoding: identity\r\nContent-Length: 25\r\n",
            BODY,
            &[400],
        ),
        // Heads that are broken.
        ("X: a\r\n b\r\n", "", &[400]),
        ("X\r\n", "", &[400]),
        (": x\r\n", "", &[400]),
        ("X: a\0b\r\n", "", &[400]),
        ("X Y: a\r\n", "", &[400]),
    ];
    for (lines, body, expected) in rows {
        let found = statuses(target, &request(target, &format!("{json}{lines}"), body)).await;
        assert_eq!(found, expected, "{lines:?} {body:?}");
    }
}

/// A second request within the body of the first, for a reader that takes the other of two lengths.
async fn smuggled(target: &Target) {
    let token = target.world.token(MALLORY);
    let inner = format!(
        "POST /api/v1/groups/1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let json = "Content-Type: application/json\r\n";
    let whole = format!("0\r\n\r\n{inner}").len();
    let rows = [
        // The length covers both, the pieces only the first.
        (
            format!("Content-Length: {whole}\r\nTransfer-Encoding: chunked\r\n"),
            format!("0\r\n\r\n{inner}"),
        ),
        (
            format!("Transfer-Encoding: chunked\r\nContent-Length: {whole}\r\n"),
            format!("0\r\n\r\n{inner}"),
        ),
        (
            format!("Content-Length: {whole}\r\nTransfer-Encoding: xchunked\r\n"),
            format!("0\r\n\r\n{inner}"),
        ),
        (
            format!("Content-Length: {whole}\r\nTransfer-Encoding : chunked\r\n"),
            format!("0\r\n\r\n{inner}"),
        ),
        (
            format!("Content-Length: {whole}\r\nTransfer-Encoding: \u{b}chunked\r\n"),
            format!("0\r\n\r\n{inner}"),
        ),
        (
            format!("Content-Length: {}\r\nContent-Length: 0\r\n", inner.len()),
            inner.clone(),
        ),
        (
            format!("Content-Length: 0\r\nContent-Length: {}\r\n", inner.len()),
            inner.clone(),
        ),
    ];
    for (lines, body) in rows {
        let found = statuses(target, &request(target, &format!("{json}{lines}"), &body)).await;
        println!("{lines:?} {found:?}");
        assert!(found.len() <= 1 && !found.contains(&201), "{lines:?}: {found:?}");
    }
}
