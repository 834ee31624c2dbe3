//! What pages of other origins may read.

use axum::http::header;
use sealroom_domain::Role;
use sealroom_http::{AllowedOrigins, HttpOptions};

use crate::support::{App, Ask, Reply, Setup};

const PAGE: &str = "https://app.example";

async fn app() -> App {
    let origins = vec![PAGE.to_owned(), "http://localhost:5173".to_owned()];
    let app = App::with(Setup {
        http: HttpOptions {
            allowed_origins: AllowedOrigins::List(origins),
            ..HttpOptions::default()
        },
        ..Setup::default()
    });
    app.group(&[(1, Role::Owner)]).await;
    app
}

fn preflight(path: &str, origin: &str) -> Ask {
    Ask::new(&format!("OPTIONS {path}"))
        .header("host", "chat.example")
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization, content-type")
}

fn cors(reply: &Reply) -> Vec<&str> {
    let names = reply.headers.keys().map(header::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).collect()
}

const LINES: [&str; 8] = [
    "GET /",
    "GET /readyz",
    "GET /openapi.json",
    "GET /api/v1/me",
    "GET /api/v1/groups/x",
    "GET /api/v1/groups/1/entries",
    "PATCH /api/v1/me",
    "GET /nothing",
];

#[tokio::test]
async fn an_allowed_page_reads_every_answer() {
    let app = app().await;
    for origin in [PAGE, "http://localhost:5173"] {
        for line in LINES {
            let ask = Ask::new(line)
                .header("authorization", "Bearer u1")
                .header("origin", origin);
            let reply = app.send(ask).await;
            assert_eq!(
                reply.header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
                Some(origin),
                "{line}"
            );
            assert_eq!(
                reply.header(header::ACCESS_CONTROL_EXPOSE_HEADERS),
                Some("Link, ETag, Retry-After, Location, X-Request-Id")
            );
            assert_eq!(cors(&reply).len(), 2, "no credentials: {reply:?}");
            assert!(reply.all(header::VARY).contains(&"Origin"), "{line}");
        }
    }
    let refused = app.send(Ask::new("GET /api/v1/me").header("origin", PAGE)).await;
    assert_eq!(refused.verdict(), "401 token_missing");
    assert_eq!(refused.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some(PAGE));
}

#[tokio::test]
async fn other_pages_and_clients_without_one_hear_nothing_of_it() {
    let app = app().await;
    let others: [&[&str]; 9] = [
        &[],
        &["null"],
        &["https://chat.example"],
        &["http://app.example"],
        &["https://app.example:443"],
        &["https://APP.example"],
        &["https://app.example.evil.example"],
        &["https://app.example/"],
        &[PAGE, PAGE],
    ];
    for origins in others {
        for line in LINES {
            let ask = Ask::new(line)
                .header("host", "chat.example")
                .header("authorization", "Bearer u1");
            let ask = origins
                .iter()
                .fold(ask, |ask, origin| ask.header("origin", origin));
            let reply = app.send(ask).await;
            assert_eq!(cors(&reply), Vec::<&str>::new(), "{origins:?} {line}");
            assert!(reply.all(header::VARY).contains(&"Origin"), "{line}");
        }
        if let [origin] = origins {
            let reply = app.send(preflight("/api/v1/groups", origin)).await;
            assert_eq!(reply.verdict(), "405 not_found", "{origin}");
            assert_eq!(cors(&reply), Vec::<&str>::new(), "{origin}");
        }
    }
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let app = app().await;
    for path in [
        "/api/v1/groups",
        "/api/v1/groups/1/members/2",
        "/openapi.json",
        "/nothing",
    ] {
        let reply = app.send(preflight(path, PAGE)).await;
        assert_eq!(reply.text(), "204 ", "{path}");
        assert_eq!(reply.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some(PAGE));
        let methods = reply.header(header::ACCESS_CONTROL_ALLOW_METHODS).unwrap();
        assert_eq!(methods, "GET, HEAD, POST, PUT, PATCH, DELETE");
        let headers = reply.header(header::ACCESS_CONTROL_ALLOW_HEADERS).unwrap();
        for name in [
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-None-Match",
            "X-Request-Id",
        ] {
            assert!(headers.contains(name), "{name}");
        }
        assert_eq!(reply.header(header::ACCESS_CONTROL_MAX_AGE), Some("7200"));
        assert_eq!(reply.header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
        assert!(reply.all(header::VARY).contains(&"Origin"));
    }
    // Without the question it is a method like any other.
    let plain = app
        .send(Ask::new("OPTIONS /api/v1/groups").header("origin", PAGE))
        .await;
    assert_eq!(plain.verdict(), "405 not_found");
}

#[tokio::test]
async fn by_default_there_is_nothing_of_it() {
    let app = App::new();
    for line in LINES {
        for origin in [PAGE, "https://chat.example", "null"] {
            let ask = Ask::new(line)
                .header("host", "chat.example")
                .header("origin", origin);
            let reply = app.send(ask.header("authorization", "Bearer u1")).await;
            assert_eq!(cors(&reply), Vec::<&str>::new(), "{line}");
            assert!(!reply.all(header::VARY).contains(&"Origin"), "{line}");
        }
    }
    let reply = app
        .send(preflight("/api/v1/groups", "https://chat.example"))
        .await;
    assert_eq!(reply.verdict(), "405 not_found");
}
