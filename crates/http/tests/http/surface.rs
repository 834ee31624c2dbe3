//! Methods, unknown paths, headers and what is outside `/api`.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, header},
    routing::get,
};
use sealroom_domain::Role;
use sealroom_http::HttpOptions;
use tower::ServiceExt as _;

use crate::support::{App, Ask, Ready, Setup};

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let app = App::new();
    let document = r#"404 {"type":"about:blank","title":"Not Found","status":404,"detail":"Not found","code":"not_found"}"#;
    for line in [
        "GET /nothing",
        "GET /api",
        "GET /api/",
        "GET /api/v1",
        "GET /api/v1/",
        "GET /api/v1/nothing",
        "POST /api/v1/nothing",
        "GET /api/v2/me",
        "GET /api/v1/me/",
        "GET /api/v1//me",
        "GET //api/v1/me",
        "GET /api/v1/ME",
        "GET /api/v1/%6de",
        "GET /api/v1/groups/",
        "GET /api/v1/groups/1/nothing",
        "GET /api/v1/groups/1/members/2/3",
        "GET /api/v1/groups/../me",
        "GET /api/v1/../v1/me",
        "GET /api/v1/users",
        "GET /../../etc/passwd",
        "GET /%2e%2e/%2e%2e/etc/passwd",
        "GET /healthz/",
        "OPTIONS *",
    ] {
        assert_eq!(app.ask("u1", line, None).await.text(), document, "{line}");
        assert_eq!(
            app.send(Ask::new(line)).await.text(),
            document,
            "{line} without a token"
        );
    }
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/api/v1/me",
        "/api/v1/groups",
        "/api/v1/groups/1",
        "/api/v1/groups/2",
        "/api/v1/groups/x",
        "/api/v1/groups/1/members",
        "/api/v1/groups/1/messages",
        "/api/v1/groups/1/entries?limit=1",
        "/openapi.json",
        "/docs",
        "/docs/docs.css",
        "/docs/docs.js",
        "/nothing",
    ] {
        let with_body = app.ask("u1", &format!("GET {path}"), None).await.without_id();
        let head = app.ask("u1", &format!("HEAD {path}"), None).await.without_id();
        assert_eq!(head.body, "", "{path}");
        assert_eq!(head.status, with_body.status, "{path}");
        let mut headers = head.headers;
        // What a GET would have; a GET itself gets it from the connection.
        if let Some(length) = headers.remove(header::CONTENT_LENGTH) {
            assert_eq!(
                length.to_str().unwrap(),
                with_body.body.len().to_string(),
                "{path}"
            );
        }
        let mut expected = with_body.headers;
        expected.remove(header::CONTENT_LENGTH);
        assert_eq!(headers, expected, "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_safety() {
    let app = App::new();
    for line in [
        "GET /",
        "GET /healthz",
        "GET /readyz",
        "GET /api/v1/me",
        "GET /openapi.json",
        "GET /api/v1/groups",
        "GET /api/v1/groups/1",
        "GET /api/v1/groups/x",
        "PATCH /api/v1/me",
        "GET /api/nothing",
        "GET /nothing",
    ] {
        let reply = app.ask("u1", line, None).await;
        assert_eq!(
            reply.header(header::X_CONTENT_TYPE_OPTIONS),
            Some("nosniff"),
            "{line}"
        );
        let kept = reply.header(header::ETAG).is_some();
        let cache = if kept { "private, no-cache" } else { "no-store" };
        assert_eq!(reply.header(header::CACHE_CONTROL), Some(cache), "{line}");
        assert!(reply.headers.contains_key("x-request-id"), "{line}");
        assert_eq!(reply.header(header::STRICT_TRANSPORT_SECURITY), None, "{line}");
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(
            reply.header(header::CONTENT_SECURITY_POLICY),
            Some(policy),
            "{line}"
        );
        assert_eq!(reply.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), None, "{line}");
        assert_eq!(reply.header(header::SERVER), None, "{line}");
    }
}

#[tokio::test]
async fn the_page_and_the_probes_need_no_token() {
    let app = App::new();
    let page = app.send(Ask::new("GET /")).await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header(header::CONTENT_TYPE),
        Some("text/html; charset=utf-8")
    );
    assert!(page.body.contains("<title>Sealroom</title>"));
    assert_eq!(app.send(Ask::new("GET /healthz")).await.text(), "200 ok\n");
    assert_eq!(app.send(Ask::new("GET /readyz")).await.text(), "200 ready\n");

    let down = App::with(Setup {
        readiness: Arc::new(Ready(false)),
        ..Setup::default()
    });
    assert_eq!(down.send(Ask::new("GET /healthz")).await.text(), "200 ok\n");
    assert_eq!(down.send(Ask::new("GET /readyz")).await.text(), "503 not ready\n");
}

#[tokio::test]
async fn an_application_mounts_the_api_among_its_own_routes() {
    let app = App::new();
    let api = || {
        sealroom_http::api(
            app.chat.clone(),
            Arc::new(app.tokens.clone()),
            HttpOptions::default(),
        )
    };
    let merged = Router::new()
        .route("/", get(async || "own page"))
        .merge(api())
        .fallback(async || "own fallback");
    let nested = Router::new().nest("/chat", api());
    let rows = [
        (&merged, "/", "200 own page"),
        (&merged, "/nothing", "200 own fallback"),
        (&merged, "/api/v1/groups", r#"200 {"groups":[]}"#),
        (&nested, "/chat/api/v1/groups", r#"200 {"groups":[]}"#),
    ];
    for (router, path, expected) in rows {
        assert_eq!(text(router, path).await, expected, "{path}");
    }
    for (router, path, code) in [
        (&merged, "/api/v1/nothing", "not_found"),
        (&merged, "/api/v1/groups/1", "not_a_member"),
        (&merged, "/api/v1/groups/%31", "group_id"),
        (&nested, "/chat/api/v1/groups/1", "not_a_member"),
        (&nested, "/chat/api/v1/groups/%31", "group_id"),
        (&nested, "/chat/api/v1/groups/1/entries?limit=0", "limit"),
    ] {
        let answer = text(router, path).await;
        assert!(answer.contains(code), "{path}: {answer}");
    }
}

async fn text(router: &Router, path: &str) -> String {
    let request = Request::get(path)
        .header("authorization", "Bearer u1")
        .body(Body::empty())
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    format!("{status} {}", str::from_utf8(&body).unwrap())
}
