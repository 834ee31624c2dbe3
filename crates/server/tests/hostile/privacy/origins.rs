//! Pages of other origins, and what browsers add by themselves.

use std::process::Output;

use sealroom_testkit::client::http::{HttpResponse, request_with};
use serde_json::json;

use crate::{
    common::TestServer,
    peer::{Came, Peer},
    target::{GROUP, MALLORY, Target},
    world::{World, verdict},
};

const PAGE: &str = "https://app.example";
const OTHER_PAGE: &str = "http://localhost:3000";
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

async fn ask(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)]) -> HttpResponse {
    request_with(server.addr, method, path, headers, b"")
        .await
        .unwrap()
}

fn cors(answer: &HttpResponse) -> Vec<String> {
    let names = answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

/// The status of an upgrade, asked for as a browser does.
async fn upgrade(server: &TestServer, headers: &[(&str, &str)]) -> String {
    let mut peer = Peer::connect(server.addr).await;
    let head = peer.ask_upgrade_with(WEBSOCKET, headers).await;
    let status = head.strip_prefix("HTTP/1.1 ").unwrap_or_default();
    if status.starts_with("101") {
        assert!(matches!(peer.next().await, Came::Text(open) if open.starts_with('0')));
    } else {
        assert!(!head.to_ascii_lowercase().contains("access-control-"), "{head}");
    }
    status.get(..3).unwrap_or_default().to_owned()
}

/// Neither polls nor gets a WebSocket.
async fn refused(server: &TestServer, headers: &[(&str, &str)]) {
    assert_eq!(upgrade(server, headers).await, "403", "{headers:?}");
    for path in [
        POLLING,
        WEBSOCKET,
        "/socket.io?EIO=4&transport=polling",
        "/socket.io/?EIO=3",
        "/socket.io/",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = ask(server, method, path, headers).await;
            assert_eq!(answer.status, 403, "{method} {path} {headers:?}");
            assert_eq!(cors(&answer), [""; 0], "{method} {path} {headers:?}");
            assert_eq!(answer.text(), "Origin not allowed");
        }
    }
}

async fn let_in(server: &TestServer, headers: &[(&str, &str)]) {
    assert_eq!(upgrade(server, headers).await, "101", "{headers:?}");
    assert_eq!(
        ask(server, "GET", POLLING, headers).await.status,
        200,
        "{headers:?}"
    );
}

pub(super) async fn co_1_other_pages_are_refused_before_the_upgrade(target: &mut Target) {
    let listed = TestServer::start_with(&[(
        "SEALROOM_ALLOWED_ORIGINS",
        "https://app.example,http://localhost:3000",
    )]);
    let default = &target.world.server;
    let [host, own] = [default.addr.to_string(), format!("http://{}", default.addr)];
    for origin in [
        "null",
        "",
        "*",
        "https://app.example.evil.example",
        "https://evil-app.example",
        "https://evilapp.example",
        "https://app.example@evil.example",
        "https://app.example:443",
        "https://app.example:8443",
        "https://app.example/",
        "https://app.example.",
        "https://app.example, https://evil.example",
        "https://evil.example, https://app.example",
        "https://evil.example https://app.example",
        "https://APP.EXAMPLE",
        "HTTPS://app.example",
        "http://app.example",
        "wss://app.example",
        "//app.example",
        "app.example",
        "https://sub.app.example",
        "https://app.exampl\u{435}",
        "https://app.example%00.evil.example",
        "https://app.example%0d%0a",
        "http://localhost",
        "http://localhost:30000",
        "https://localhost:3000",
        "http://127.0.0.1:3000",
        "file://",
        "chrome-extension://abcdefghijklmnop",
        &own,
    ] {
        refused(&listed, &[("Origin", origin)]).await;
    }
    refused(&listed, &[("Origin", PAGE), ("Origin", PAGE)]).await;
    refused(&listed, &[("Origin", PAGE), ("Origin", "https://evil.example")]).await;
    refused(
        &listed,
        &[
            ("Origin", "https://evil.example"),
            ("X-Forwarded-Host", "app.example"),
        ],
    )
    .await;

    // Nothing is listed: pages of the same host and port, over either scheme, and no others.
    for origin in [
        "null",
        "",
        PAGE,
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        &format!("{own}.evil.example"),
        &format!("{own}0"),
        &format!("{own}/"),
        &format!("http://evil.example@{host}"),
        &format!("ftp://{host}"),
        &format!("HTTP://{host}"),
        &host,
    ] {
        refused(default, &[("Origin", origin)]).await;
    }
    for header in ["X-Forwarded-Host", "X-Host", "Forwarded"] {
        refused(
            default,
            &[("Origin", "http://evil.example"), (header, "host=evil.example")],
        )
        .await;
        refused(
            default,
            &[("Origin", "http://evil.example"), (header, "evil.example")],
        )
        .await;
    }

    for origin in [PAGE, OTHER_PAGE] {
        let_in(&listed, &[("Origin", origin)]).await;
    }
    let_in(&listed, &[]).await;
    let_in(default, &[]).await;
    // Over either scheme, because TLS may end in front; a page of the same origin needs no permission.
    for origin in [&own, &format!("https://{host}")] {
        let opened = ask(default, "GET", POLLING, &[("Origin", origin)]).await;
        assert_eq!((opened.status, opened.header("Vary")), (200, None), "{origin}");
        assert_eq!(cors(&opened), [""; 0], "{origin}");
    }
    // The peer names another host.
    assert_eq!(upgrade(default, &[("Origin", "http://sealroom")]).await, "101");
    refused_upgrade_of_a_session(&listed).await;
}

/// A session that was opened by no page is not upgraded, polled or written to by one.
async fn refused_upgrade_of_a_session(server: &TestServer) {
    let open = ask(server, "GET", POLLING, &[]).await.text();
    let open: serde_json::Value = serde_json::from_str(&open[1..]).unwrap();
    let sid = open["sid"].as_str().unwrap();
    let evil = [("Origin", "https://evil.example")];
    let mut peer = Peer::connect(server.addr).await;
    let head = peer
        .ask_upgrade_with(&format!("{WEBSOCKET}&sid={sid}"), &evil)
        .await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    for method in ["GET", "POST"] {
        let answer = ask(server, method, &format!("{POLLING}&sid={sid}"), &evil).await;
        assert_eq!(answer.status, 403, "{method}");
    }
    // It is there, and as it was.
    let connect = format!("{POLLING}&sid={sid}");
    let sent = request_with(server.addr, "POST", &connect, &[], b"40{}")
        .await
        .unwrap();
    assert_eq!(sent.status, 200, "{}", sent.text());
}

pub(super) async fn co_2_browsers_are_told_an_exact_origin_or_nothing(target: &mut Target) {
    let listed = TestServer::start_with(&[(
        "SEALROOM_ALLOWED_ORIGINS",
        "https://app.example,http://localhost:3000",
    )]);
    let paths = [POLLING, "/api/v1/me", "/api/v1/groups", "/healthz", "/nothing"];
    for origin in [PAGE, OTHER_PAGE] {
        for path in paths {
            let answer = ask(&listed, "GET", path, &[("Origin", origin)]).await;
            assert_eq!(
                answer.header("Access-Control-Allow-Origin"),
                Some(origin),
                "{path}"
            );
            assert_eq!(answer.header("Vary"), Some("Origin"), "{path}");
            assert_eq!(answer.header("Access-Control-Allow-Credentials"), None, "{path}");
            let preflight = [
                ("Origin", origin),
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "authorization,x-anything"),
            ];
            let answer = ask(&listed, "OPTIONS", path, &preflight).await;
            assert_eq!(answer.status, 204, "{path}");
            assert_eq!(
                answer.header("Access-Control-Allow-Origin"),
                Some(origin),
                "{path}"
            );
            assert_eq!(answer.header("Vary"), Some("Origin"), "{path}");
            let allowed = answer.header("Access-Control-Allow-Headers").unwrap();
            // What was asked for is not read back.
            assert!(
                allowed.contains("Authorization") && !allowed.contains("x-anything"),
                "{path}: {allowed}"
            );
            assert!(
                answer
                    .header("Access-Control-Allow-Methods")
                    .unwrap()
                    .contains("POST"),
                "{path}"
            );
            for name in [
                "Access-Control-Allow-Credentials",
                "Access-Control-Allow-Private-Network",
            ] {
                assert_eq!(answer.header(name), None, "{path}");
            }
        }
    }
    // Any other page hears nothing that its browser would take for a permission; neither does anybody by default.
    let own = format!("http://{}", target.addr());
    for (server, origins) in [
        (
            &listed,
            [
                PAGE.to_uppercase(),
                "null".to_owned(),
                "https://app.example.evil.example".to_owned(),
            ],
        ),
        (&target.world.server, [PAGE.to_owned(), "null".to_owned(), own]),
    ] {
        for origin in origins {
            for path in &paths[1..] {
                for method in ["GET", "OPTIONS", "POST"] {
                    let preflight = [("Origin", &*origin), ("Access-Control-Request-Method", "POST")];
                    let answer = ask(server, method, path, &preflight).await;
                    assert_eq!(cors(&answer), [""; 0], "{method} {path} {origin}");
                    let is_listed = std::ptr::eq(server, &raw const listed);
                    assert_eq!(
                        answer.header("Vary"),
                        is_listed.then_some("Origin"),
                        "{method} {path} {origin}"
                    );
                }
            }
        }
    }
}

pub(super) async fn co_3_no_origin_stands_for_all(target: &mut Target) {
    for origins in [
        "*",
        "https://app.example,*",
        "https://*.example",
        "null",
        "https://app.example/",
        "app.example",
    ] {
        for command in ["serve", "check-config"] {
            let output = target
                .world
                .server
                .program()
                .arg(command)
                .env("SEALROOM_ALLOWED_ORIGINS", origins)
                .output();
            let Output {
                status,
                stdout,
                stderr,
            } = output.unwrap();
            let stderr = String::from_utf8(stderr).unwrap();
            assert_eq!(status.code(), Some(2), "{origins}: {stderr}");
            assert_eq!(
                (stdout.len(), stderr.lines().count()),
                (0, 1),
                "{origins}: {stderr}"
            );
            assert!(
                stderr.contains("SEALROOM_ALLOWED_ORIGINS") && stderr.contains("origin"),
                "{stderr}"
            );
        }
    }
}

pub(super) async fn co_4_cookies_open_nothing(target: &mut Target) {
    let world: &World = &target.world;
    let token = world.token(MALLORY);
    let name = json!({"name": "of a cookie"}).to_string();
    for name_of_cookie in [
        "token",
        "auth",
        "access_token",
        "Authorization",
        "session",
        "io",
        "sid",
    ] {
        let cookie = format!("{name_of_cookie}={token}; Bearer {token}");
        let headers = [("Cookie", &*cookie), ("Content-Type", "application/json")];
        for (method, path) in [
            ("GET", "/api/v1/me"),
            ("GET", "/api/v1/groups"),
            ("POST", "/api/v1/groups"),
            ("DELETE", "/api/v1/groups/1"),
        ] {
            let answer = request_with(target.addr(), method, path, &headers, name.as_bytes())
                .await
                .unwrap();
            assert_eq!(verdict(&answer), (401, "token_missing".into()), "{method} {path}");
            assert_eq!(answer.header("Set-Cookie"), None);
        }
        let mut peer = Peer::connect(target.addr()).await;
        let head = peer.ask_upgrade_with(WEBSOCKET, &headers[..1]).await;
        assert!(
            head.starts_with("HTTP/1.1 101 ") && !head.to_ascii_lowercase().contains("set-cookie"),
            "{head}"
        );
        peer.next().await;
        peer.say("40").await;
        assert_eq!(peer.packet().await, r#"44{"message":"token_missing"}"#);
        let polled = ask(&world.server, "GET", POLLING, &headers[..1]).await;
        assert_eq!((polled.status, polled.header("Set-Cookie")), (200, None));
    }
    let groups = world.user(MALLORY, "GET", "/groups", None).await.json();
    assert_eq!(groups["groups"].as_array().unwrap().len(), 1, "{groups}");
    assert_eq!(groups["groups"][0]["group_id"], GROUP);
}
