//! Bodies that are not what their headers say, and requests that two servers would read in two ways.

use crate::{
    peer::Peer,
    target::{GROUP, MALLORY, Target},
};

const JSON: &str = r#"{"encrypted_content":"x"}"#;
/// What every request here is followed by: it is answered where the server found the end of what is before it.
const BEHIND: &str = "GET /healthz HTTP/1.1\r\nHost: sealroom\r\nConnection: close\r\n\r\n";
const TYPED: &str = "Content-Type: application/json\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

/// The statuses of all the answers to these bytes.
async fn statuses(target: &Target, bytes: &[u8]) -> Vec<u16> {
    let mut peer = Peer::connect(target.addr()).await;
    peer.write(bytes).await;
    let answers = peer.rest().await;
    let heads = answers.match_indices("HTTP/1.1 ");
    heads
        .map(|(at, version)| answers[at + version.len()..][..3].parse().unwrap())
        .collect()
}

pub(super) async fn pl_15_bodies_that_lie(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let memory = target.memory();
    let token = target.world.token(MALLORY);
    let post = format!(
        "POST /api/v1/groups/1/messages HTTP/1.1\r\nHost: sealroom\r\nAuthorization: Bearer {token}\r\n"
    );
    let length = format!("Content-Length: {}\r\n", JSON.len());
    let good = format!("{post}{TYPED}{length}\r\n{JSON}{BEHIND}");
    assert_eq!(statuses(target, good.as_bytes()).await, [201, 200]);

    types(target, &post, &length).await;
    lengths(target, &post).await;
    chunks(target, &post).await;
    heads(target, &post, &length).await;
    let mut stored = target.world.log(GROUP).await.split_off(before);
    assert!(
        stored.iter().all(|message| message["encrypted_content"] == "x"),
        "{stored:?}"
    );
    // The good one, one with a length twice, and one each in chunks and with lines that end in LF alone.
    assert_eq!(stored.len(), 4, "{stored:?}");
    stored.clear();
    let grown = target.memory().saturating_sub(memory);
    assert!(grown < 32 * 1024 * 1024, "grown by {grown} bytes");
}

/// Bodies that do not say that they are JSON, or that they are something else, and are left alone.
async fn types(target: &Target, post: &str, length: &str) {
    for headers in [
        "",
        "Content-Type: \r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/json; charset=iso-8859-1\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: application/jsonx\r\n",
        "Content-Type: application/json, text/plain\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        "Content-Type: application/json\r\nContent-Type: application/json\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: br\r\n",
        "Content-Type: application/json\r\nContent-Encoding: identity, gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: nothing that there is\r\n",
    ] {
        let request = format!("{post}{headers}{length}\r\n{JSON}{BEHIND}");
        assert_eq!(
            statuses(target, request.as_bytes()).await,
            [400, 200],
            "{headers}"
        );
    }
    // Nothing is inflated, whether it says what it is or not.
    let bomb = bomb();
    for encoding in [
        "",
        "Content-Encoding: gzip\r\n",
        "Content-Encoding: deflate\r\n",
        "Content-Encoding: gzip, gzip\r\n",
    ] {
        let head = format!("{post}{TYPED}{encoding}Content-Length: {}\r\n\r\n", bomb.len());
        let request = [head.as_bytes(), &bomb, BEHIND.as_bytes()].concat();
        assert_eq!(statuses(target, &request).await, [400, 200], "{encoding}");
    }
}

/// 100 KB of gzip (RFC 1952) that are more than 15 MB of spaces.
fn bomb() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    // The last block, with fixed codes: RFC 1951, section 3.2.6. A space, and 258 times the character before it.
    let mut bits = vec![1, 1, 0];
    let mut code =
        |value: u16, width: u16| bits.extend((0..width).rev().map(|at| u8::from(value >> at & 1 == 1)));
    code(0x30 + u16::from(b' '), 8);
    for _ in 0..61_000 {
        code(0b1100_0101, 8);
        code(0, 5);
    }
    code(0, 7);
    bytes.extend(
        bits.chunks(8)
            .map(|byte| byte.iter().rev().fold(0, |byte, bit| byte << 1 | bit)),
    );
    bytes.extend([0; 8]);
    bytes
}

/// Lengths that are none, and two ways to say where the body ends.
async fn lengths(target: &Target, post: &str) {
    let length = JSON.len();
    // Where both count, the one sees a request in what is the body for the other.
    let hidden = format!("0\r\n\r\n{post}{TYPED}Content-Length: {length}\r\n\r\n{JSON}");
    let with_length = |headers: &str| format!("{post}{TYPED}{headers}\r\n{JSON}{BEHIND}");
    let with_chunks = |headers: &str| format!("{post}{TYPED}{headers}\r\n{hidden}{BEHIND}");
    for (request, expected) in [
        (
            with_length(&format!("Content-Length: {length}\r\nContent-Length: 5\r\n")),
            &[400][..],
        ),
        (
            with_length(&format!("Content-Length: 5\r\nContent-Length: {length}\r\n")),
            &[400],
        ),
        // The same twice has one meaning: RFC 9110, section 8.6.
        (
            with_length(&format!(
                "Content-Length: {length}\r\nContent-Length: {length}\r\n"
            )),
            &[201, 200],
        ),
        (
            with_length(&format!("Content-Length: {length}, {length}\r\n")),
            &[400],
        ),
        (with_length(&format!("Content-Length: {length}, 5\r\n")), &[400]),
        (with_length(&format!("Content-Length: +{length}\r\n")), &[400]),
        (with_length(&format!("Content-Length: -{length}\r\n")), &[400]),
        (with_length(&format!("Content-Length: {length}.0\r\n")), &[400]),
        (with_length("Content-Length: 0x19\r\n"), &[400]),
        (with_length("Content-Length: 2 5\r\n"), &[400]),
        (with_length("Content-Length: \r\n"), &[400]),
        (with_length("Content-Length: x\r\n"), &[400]),
        (with_length("Content-Length: 99999999999999999999999\r\n"), &[400]),
        // Above what the HTTP library counts to.
        (with_length("Content-Length: 18446744073709551615\r\n"), &[431]),
        (with_length("Content-Length: 10000000000\r\n"), &[413]),
        (with_length(&format!("Content-Length : {length}\r\n")), &[400]),
        (
            with_chunks(&format!("Content-Length: {length}\r\n{CHUNKED}")),
            &[400],
        ),
        (
            with_chunks(&format!("{CHUNKED}Content-Length: {length}\r\n")),
            &[400],
        ),
        (with_chunks(&format!("{CHUNKED}Content-Length: 0\r\n")), &[400]),
        (with_chunks("Transfer-Encoding: xchunked\r\n"), &[400]),
        (with_chunks("Transfer-Encoding: identity\r\n"), &[400]),
        (with_chunks("Transfer-Encoding: gzip\r\n"), &[400]),
        (with_chunks("Transfer-Encoding: chunked, identity\r\n"), &[400]),
        (
            with_chunks(&format!("{CHUNKED}Transfer-Encoding: identity\r\n")),
            &[400],
        ),
        (with_chunks("Transfer-Encoding: \u{b}chunked\r\n"), &[400]),
        (with_chunks("Transfer-Encoding: \"chunked\"\r\n"), &[400]),
        (with_chunks("Transfer-Encoding : chunked\r\n"), &[400]),
        (with_chunks("Transfer-Encoding:\r\n chunked\r\n"), &[400]),
        (with_chunks("X: y\r\n Transfer-Encoding: chunked\r\n"), &[400]),
        (with_chunks(CHUNKED).replacen("HTTP/1.1", "HTTP/1.0", 1), &[400]),
    ] {
        assert_eq!(statuses(target, request.as_bytes()).await, expected, "{request}");
    }
}

/// Chunks that are none.
async fn chunks(target: &Target, post: &str) {
    let length = JSON.len();
    let long = "a".repeat(100_000);
    let much = " ".repeat(200_000);
    for (body, expected) in [
        (format!("{length:x}\r\n{JSON}\r\n0\r\n\r\n"), &[201, 200][..]),
        ("0\r\n\r\n".into(), &[400, 200]),
        (format!("zz\r\n{JSON}\r\n0\r\n\r\n"), &[400]),
        (format!("-1\r\n{JSON}\r\n0\r\n\r\n"), &[400]),
        (format!("+{length:x}\r\n{JSON}\r\n0\r\n\r\n"), &[400]),
        (format!("0x{length:x}\r\n{JSON}\r\n0\r\n\r\n"), &[400]),
        (format!("\r\n{JSON}\r\n0\r\n\r\n"), &[400]),
        (format!("ffffffffffffffffff\r\n{JSON}\r\n0\r\n\r\n"), &[400]),
        (format!("5\r\n{JSON}\r\n0\r\n\r\n"), &[400]),
        (format!("{length:x}\n{JSON}\n0\n\n"), &[400]),
        (format!("{length:x};{long}\r\n{JSON}\r\n0\r\n\r\n"), &[400]),
        (format!("{length:x}\r\n{JSON}\r\n0\r\nX: {long}\r\n\r\n"), &[400]),
        (format!("ffffffffffffffff\r\n{much}"), &[413]),
        (format!("30d40\r\n{much}\r\n0\r\n\r\n"), &[413]),
        ("1\r\n \r\n".repeat(140_000) + "0\r\n\r\n", &[413]),
    ] {
        let request = format!("{post}{TYPED}{CHUNKED}\r\n{body}{BEHIND}");
        assert_eq!(statuses(target, request.as_bytes()).await, expected, "{body:.60}");
    }
}

/// Heads that are none.
async fn heads(target: &Target, post: &str, length: &str) {
    let body = format!("{TYPED}{length}\r\n{JSON}{BEHIND}");
    for (request, expected) in [
        // A line may end in LF alone: RFC 9112, section 2.2.
        (
            format!("{post}{TYPED}{length}\r\n").replace("\r\n", "\n") + JSON + BEHIND,
            &[201, 200][..],
        ),
        (format!("{post}X: a\0b\r\n{body}"), &[400]),
        (format!("{post}X: a\rb\r\n{body}"), &[400]),
        (format!("{post}X@(): a\r\n{body}"), &[400]),
        (format!("{post}: a\r\n{body}"), &[400]),
        (format!("{post}no colon\r\n{body}"), &[400]),
        (format!("{post}X: a\r\n b\r\n{body}"), &[400]),
        (format!("{post}{}{body}", "X: a\r\n".repeat(1_000)), &[431]),
        (format!("{post}X: {}\r\n{body}", "a".repeat(1_000_000)), &[431]),
        (format!("{post}Host: other\r\n{body}"), &[400, 200]),
        (post.replace("HTTP/1.1", "HTTP/9.9") + &body, &[400]),
        (post.replace(" HTTP/1.1", "") + &body, &[400]),
        (post.replace("/messages", "/mess ages") + &body, &[400]),
        (post.replace("POST", "PO ST") + &body, &[400]),
        (post.replace("/messages", "/messages\0") + &body, &[400]),
        (format!(" {post}{body}"), &[400]),
    ] {
        assert_eq!(
            statuses(target, request.as_bytes()).await,
            expected,
            "{request:.300}"
        );
    }
}
