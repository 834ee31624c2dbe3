//! Answers that a client may keep: `ETag`, 304, gzip.

use std::io::Write as _;

use axum::http::header;
use sealroom_domain::Role;

use crate::support::{App, Ask, Reply};

const KEPT: [&str; 8] = [
    "/openapi.json",
    "/docs",
    "/docs/docs.css",
    "/api/v1/groups",
    "/api/v1/groups/1",
    "/api/v1/groups/1/members",
    "/api/v1/groups/1/messages?limit=3",
    "/api/v1/groups/1/entries",
];

async fn app() -> App {
    let app = App::new();
    app.group(&[(1, Role::Owner), (2, Role::Member)]).await;
    for number in 0..20 {
        app.message(1, 1, &format!("message {number} {}", "x".repeat(80)))
            .await;
    }
    app
}

async fn get(app: &App, path: &str, headers: &[(&str, &str)]) -> Reply {
    let ask = Ask::new(&format!("GET {path}")).header("authorization", "Bearer u1");
    app.send(
        headers
            .iter()
            .fold(ask, |ask, (name, value)| ask.header(name, value)),
    )
    .await
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let app = app().await;
    for path in KEPT {
        let first = get(&app, path, &[]).await;
        assert_eq!(first.status, 200, "{path}");
        assert_eq!(
            first.header(header::CACHE_CONTROL),
            Some("private, no-cache"),
            "{path}"
        );
        assert_eq!(first.all(header::VARY), ["Accept-Encoding"], "{path}");
        let etag = first.header(header::ETAG).unwrap();
        for known in [etag, &etag[2..], &format!("\"other\", {etag}"), "*"] {
            for line in ["GET", "HEAD"] {
                let ask = Ask::new(&format!("{line} {path}")).header("authorization", "Bearer u1");
                let reply = app.send(ask.header("if-none-match", known)).await;
                assert_eq!(reply.text(), "304 ", "{line} {path} {known}");
                assert_eq!(reply.header(header::ETAG), Some(etag));
                assert_eq!(reply.header(header::CACHE_CONTROL), Some("private, no-cache"));
                assert_eq!(reply.all(header::VARY), ["Accept-Encoding"]);
                assert_eq!(reply.header(header::CONTENT_TYPE), None);
            }
        }
        for other in ["W/\"0\"", "", "nonsense", &etag[..10]] {
            let reply = get(&app, path, &[("if-none-match", other)]).await;
            assert_eq!(reply.without_id(), first.clone().without_id(), "{path} {other}");
        }
    }
}

#[tokio::test]
async fn what_has_changed_is_sent() {
    let app = app().await;
    let mut etags = Vec::new();
    for path in &KEPT[3..] {
        etags.push((
            *path,
            get(&app, path, &[])
                .await
                .header(header::ETAG)
                .unwrap()
                .to_owned(),
        ));
    }
    app.ask("u1", "PUT /api/v1/groups/1/members/3", "{}").await;
    app.message(1, 1, "new").await;
    for (path, etag) in etags {
        let reply = get(&app, path, &[("if-none-match", &etag)]).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_ne!(reply.header(header::ETAG), Some(&*etag), "{path}");
    }
}

#[tokio::test]
async fn an_etag_opens_nothing() {
    let app = app().await;
    let etag = get(&app, "/api/v1/groups/1", &[])
        .await
        .header(header::ETAG)
        .unwrap()
        .to_owned();
    for (token, expected) in [("u9", "403 not_a_member"), ("nobody's", "401 token_invalid")] {
        for known in [&*etag, "*"] {
            let ask = Ask::new("GET /api/v1/groups/1").header("if-none-match", known);
            let reply = app
                .send(ask.header("authorization", &format!("Bearer {token}")))
                .await;
            assert_eq!(reply.verdict(), expected);
            assert_eq!(reply.header(header::ETAG), None);
        }
    }
    // Another member sees another role.
    let ask = Ask::new("GET /api/v1/groups/1").header("if-none-match", &etag);
    let other = app.send(ask.header("authorization", "Bearer u2")).await;
    assert_eq!(other.status, 200);
    // A write is not held up by it.
    let ask = Ask::new("PUT /api/v1/groups/1/members/4").header("if-none-match", "*");
    let put = app.send(ask.header("authorization", "Bearer u1")).await;
    assert_eq!(put.status, 200);
    assert!(app.kept_members(1).await.contains("4 member"));
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_take_it() {
    let app = app().await;
    let mut compressed = 0;
    for path in KEPT {
        let plain = get(&app, path, &[]).await;
        let reply = get(&app, path, &[("accept-encoding", "br, gzip")]).await;
        assert_eq!(reply.header(header::ETAG), plain.header(header::ETAG), "{path}");
        assert_eq!(reply.all(header::VARY), ["Accept-Encoding"], "{path}");
        if plain.bytes.len() <= 1024 {
            assert_eq!(reply.without_id(), plain.without_id(), "{path}");
            continue;
        }
        assert_eq!(reply.header(header::CONTENT_ENCODING), Some("gzip"), "{path}");
        assert!(reply.bytes.len() * 2 < plain.bytes.len(), "{path}");
        compressed += 1;
        let mut decoder = flate2::write::GzDecoder::new(Vec::new());
        decoder.write_all(&reply.bytes).unwrap();
        assert_eq!(decoder.finish().unwrap(), plain.bytes, "{path}");
        for coding in ["br", "gzip;q=0", "identity", "*;q=0"] {
            let reply = get(&app, path, &[("accept-encoding", coding)]).await;
            assert_eq!(reply.without_id(), plain.clone().without_id(), "{path} {coding}");
        }
    }
    assert!(compressed >= 3, "only {compressed} answers were long enough");
}

#[tokio::test]
async fn what_may_not_be_kept_is_not_compressed() {
    let app = App::new();
    let members: Vec<i64> = (2..600).collect();
    let json = serde_json::json!({"name": "a".repeat(250), "members": members}).to_string();
    let ask = Ask::new("POST /api/v1/groups").header("authorization", "Bearer u1");
    let reply = app
        .send(
            ask.header("content-type", "application/json")
                .header("accept-encoding", "gzip")
                .body(json),
        )
        .await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header(header::CONTENT_ENCODING), None);
    assert_eq!(reply.header(header::CACHE_CONTROL), Some("no-store"));
    assert_eq!(reply.header(header::ETAG), None);
}
