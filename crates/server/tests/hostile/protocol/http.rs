//! Requests for Engine.IO that are none, and heads that no client sends.

use std::time::Duration;

use sealroom_testkit::client::http::{HttpResponse, request_with};

use super::{POLLING, Polling, WEBSOCKET, refusal};
use crate::{
    peer::Peer,
    target::{MALLORY, Target, eventually},
};

async fn ask(target: &Target, method: &str, path: &str, headers: &[(&str, &str)]) -> HttpResponse {
    request_with(target.addr(), method, path, headers, b"")
        .await
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

pub(super) async fn pr_1_versions_and_transports(target: &mut Target) {
    for (query, code) in [
        ("", "0"),
        ("?", "5"),
        ("?transport=polling", "5"),
        ("?EIO=&transport=polling", "5"),
        ("?EIO=2&transport=polling", "5"),
        ("?EIO=3&transport=polling", "5"),
        ("?EIO=5&transport=polling", "5"),
        ("?EIO=04&transport=polling", "5"),
        ("?EIO=4abc&transport=polling", "5"),
        ("?EIO=4%00&transport=polling", "5"),
        ("?EIO=%34&transport=polling", "5"),
        ("?eio=4&transport=polling", "5"),
        ("?EIO=3&EIO=4&transport=polling", "5"),
        ("?EIO=4", "0"),
        ("?EIO=4&transport=", "0"),
        ("?EIO=4&transport=xyz", "0"),
        ("?EIO=4&transport=Polling", "0"),
        ("?EIO=4&transport=polling,websocket", "0"),
        ("?EIO=4&transport=xyz&transport=polling", "0"),
        ("?EIO=4&transport=webtransport", "0"),
        ("?EIO=4&transport=flashsocket", "0"),
    ] {
        for path in ["/socket.io", "/socket.io/"] {
            let answer = ask(target, "GET", &format!("{path}{query}"), &[]).await;
            assert_eq!(refusal(&answer), (400, code.to_owned()), "{path}{query}");
            assert_eq!(answer.header("Content-Type"), Some("application/json"));
        }
    }
    // As a WebSocket: an answer and no upgrade.
    for query in [
        "?EIO=3&transport=websocket",
        "?EIO=5&transport=websocket",
        "?transport=websocket",
        "?EIO=4&transport=xyz",
        "?EIO=4",
    ] {
        let mut peer = Peer::connect(target.addr()).await;
        let head = peer.ask_upgrade(&format!("/socket.io/{query}")).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{query}: {head}");
    }
    // Of several the first counts, and for everybody who asks: the gate, the transport, and the bound of new sessions.
    for query in [
        "?EIO=4&EIO=3&transport=polling",
        "?EIO=4&transport=polling&transport=xyz",
        "?EIO=4&transport=polling&transport=websocket",
    ] {
        let answer = ask(target, "GET", &format!("/socket.io/{query}"), &[]).await;
        assert!(answer.status == 200 && answer.text().starts_with("0{"), "{query}");
    }
}

pub(super) async fn pr_2_methods(target: &mut Target) {
    for method in [
        "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "X",
    ] {
        for path in [POLLING, WEBSOCKET] {
            let answer = ask(target, method, path, &[]).await;
            // Of what is answered to HEAD nothing but the head comes.
            let expected = if method == "HEAD" { "" } else { "2" };
            assert_eq!(refusal(&answer), (400, expected.to_owned()), "{method} {path}");
        }
    }
    // With a session, and the session lives on.
    let session = Polling::connected(target, MALLORY).await;
    for method in ["PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "X"] {
        for path in [session.path(), session.upgrade()] {
            let answer = ask(target, method, &path, &[]).await;
            assert_eq!(refusal(&answer), (400, String::new()), "{method} {path}");
        }
    }
    let answer = ask(target, "POST", &session.upgrade(), &[]).await;
    assert_eq!(refusal(&answer), (400, String::new()));
    assert_eq!(
        session.post("420[\"get_entries\",{\"group_id\":1}]").await.status,
        200
    );
    session.packet("430[{\"success\":true").await;
    // A browser that asks for permission is answered before Engine.IO is.
    let preflight = [
        ("Origin", "https://app.example"),
        ("Access-Control-Request-Method", "POST"),
    ];
    let answer = ask(target, "OPTIONS", POLLING, &preflight).await;
    assert_eq!(
        (
            answer.status,
            answer.header("Access-Control-Allow-Origin"),
            answer.text()
        ),
        (204, Some("https://app.example"), String::new())
    );
    // A WebSocket that is not asked for as RFC 6455 says.
    assert_eq!(ask(target, "GET", WEBSOCKET, &[]).await.status, 400);
}

pub(super) async fn pr_3_session_ids_that_are_none(target: &mut Target) {
    let session = Polling::connected(target, MALLORY).await;
    let good = &session.sid;
    let shorter = &good[..good.len() - 1];
    let sids = [
        String::new(),
        "x".into(),
        "garbage".into(),
        shorter.to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("{good}%20"),
        format!("%20{good}"),
        format!("{shorter}!"),
        "A".repeat(5_000),
        "é".into(),
        "%C3%A9".into(),
        "%00".into(),
        "../../etc/passwd".into(),
        "' OR 1=1".replace(' ', "+"),
        "null".into(),
        "0".into(),
        "AAAAAAAAAAAAAAAA".into(),
        good.chars().rev().collect(),
        good.to_uppercase().to_lowercase(),
    ];
    for sid in sids {
        for (method, path) in [
            ("GET", format!("{POLLING}&sid={sid}")),
            ("POST", format!("{POLLING}&sid={sid}")),
            ("GET", format!("/socket.io/?sid={sid}&EIO=4&transport=polling")),
            // Of two the first counts.
            ("GET", format!("{POLLING}&sid={sid}&sid={good}")),
        ] {
            let answer = ask(target, method, &path, &[]).await;
            assert_eq!(refusal(&answer), (400, "1".to_owned()), "{method} {path}");
            assert!(!answer.text().contains("sid"), "{}", answer.text());
        }
        // No session of a WebSocket either: no open packet, and the connection ends.
        let mut peer = Peer::connect(target.addr()).await;
        let head = peer.ask_upgrade(&format!("{WEBSOCKET}&sid={sid}")).await;
        let refused = head.starts_with("HTTP/1.1 400 ") || head.starts_with("HTTP/1.1 101 ");
        assert!(refused, "{sid}: {head}");
        if head.starts_with("HTTP/1.1 101 ") {
            let came = peer.next().await;
            assert_eq!(came, crate::peer::Came::Gone, "{sid}");
        }
    }
    session.post("420[\"get_entries\",{\"group_id\":1}]").await;
    session.packet("430[{\"success\":true").await;
}

pub(super) async fn pr_20_heads_that_are_too_much(target: &mut Target) {
    let before = target.memory();
    let many = (0..1_000)
        .map(|number| format!("X-{number}: x\r\n"))
        .collect::<Vec<_>>()
        .concat();
    let long = |bytes: usize| "x".repeat(bytes);
    for (request, statuses) in [
        // A head that goes on and on is not read to its end.
        (
            format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", long(1 << 20)),
            [431, 400],
        ),
        (
            format!(
                "GET {POLLING} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n",
                long(1 << 20)
            ),
            [431, 400],
        ),
        (
            format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
            [431, 431],
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", long(1 << 20)),
            [414, 431],
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", long(70_000)),
            [414, 414],
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", long(8_192)),
            [404, 414],
        ),
        (
            "GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n".into(),
            [200, 400],
        ),
        (
            "GET http://evil.example/nothing HTTP/1.1\r\nHost: x\r\n\r\n".into(),
            [404, 400],
        ),
        (
            "CONNECT evil.example:80 HTTP/1.1\r\nHost: x\r\n\r\n".into(),
            [404, 400],
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".into(), [404, 400]),
        ("GET healthz HTTP/1.1\r\nHost: x\r\n\r\n".into(), [400, 404]),
        ("GET  HTTP/1.1\r\nHost: x\r\n\r\n".into(), [400, 400]),
        ("GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n".into(), [400, 505]),
        ("GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n".into(), [400, 400]),
        ("GET /healthz HTTP/1.1\r\nX\u{0}: x\r\n\r\n".into(), [400, 400]),
        ("GET /healthz HTTP/1.1\r\nX: a\u{0}b\r\n\r\n".into(), [400, 400]),
        ("G\u{e9}T /healthz HTTP/1.1\r\nHost: x\r\n\r\n".into(), [400, 400]),
    ] {
        let mut peer = Peer::connect(target.addr()).await;
        peer.write(request.as_bytes()).await;
        let status = peer.status().await;
        let first: String = request.chars().take(70).collect();
        assert!(
            status.is_some_and(|status| statuses.contains(&status)),
            "{status:?} {first:?}"
        );
    }
    assert!(target.memory().saturating_sub(before) < 64 << 20);
    // One after the other on one connection: all are answered, in their order.
    let mut peer = Peer::connect(target.addr()).await;
    let mut pipeline = String::new();
    for number in 0..200 {
        let path = ["/healthz", "/nothing", "/socket.io/?EIO=3&transport=polling"][number % 3];
        pipeline.extend(["GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"]);
    }
    peer.write(pipeline.as_bytes()).await;
    for number in 0..200 {
        assert_eq!(
            peer.answer().await.0,
            Some([200, 404, 400][number % 3]),
            "{number}"
        );
    }
    // What stands behind a request that was refused for its form is no request.
    let mut peer = Peer::connect(target.addr()).await;
    peer.write(b"GET /x y HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(peer.answer().await.0, Some(400));
    assert_eq!(peer.answer().await.0, None);
    let peers = target.connections();
    drop(peer);
    eventually(Duration::from_secs(5), "connections end", || {
        target.connections() < peers.max(1)
    })
    .await;
}

pub(super) async fn pr_21_paths_beside_the_path(target: &mut Target) {
    let query = "?EIO=4&transport=polling";
    for path in [
        "/socket.io-admin",
        "/socket.io-admin/",
        "/socket.iox/",
        "/socket.io/x",
        "/socket.io/x/",
        "/socket.io/../x",
        "/socket.io/..",
        "/socket.io/.",
        "/socket.io//",
        "//socket.io",
        "//socket.io/",
        "/./socket.io/",
        "/x/../socket.io/",
        "/x/socket.io/",
        "/Socket.IO/",
        "/%73ocket.io/",
        "/socket%2eio/",
        "/socket%2Eio/",
        "/socket.io%2f",
        "/socket.io/%2e%2e/",
        "/%2e%2e/socket.io/",
        "/socket.io;x=y/",
        "/socket.io%00/",
        "/socket_io/",
        "/engine.io/",
        "/api/v1/socket.io/",
        "/socket.io/socket.io.js",
    ] {
        let answer = ask(target, "GET", &format!("{path}{query}"), &[]).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        let mut peer = Peer::connect(target.addr()).await;
        let head = peer
            .ask_upgrade(&format!("{path}?EIO=4&transport=websocket"))
            .await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
    }
    for path in ["/socket.io", "/socket.io/"] {
        assert_eq!(
            ask(target, "GET", &format!("{path}{query}"), &[]).await.status,
            200
        );
    }
}
