//! Bodies that are not as they should be, of some routes; `every_route` has what holds on all.

use std::io;

use axum::body::Bytes;
use futures_util::stream;
use sealroom_domain::Role;

use crate::support::{App, Ask};

#[tokio::test]
async fn a_missing_or_raw_segment_is_no_id() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    // Some clients send raw what they should have encoded, and full-width digits are digits to many a parser.
    for id in ["", "１", "1\u{200b}"] {
        let reply = app
            .ask("u1", &format!("GET /api/v1/groups/{id}/members"), None)
            .await;
        assert_eq!(reply.verdict(), "400 invalid_data group_id", "{id:?}");
    }
}

#[tokio::test]
async fn the_key_at_fault_is_named() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(257));
    let post = "POST /api/v1/groups";
    let member = "PUT /api/v1/groups/1/members/2";
    let named = "PUT /api/v1/users/2";
    let rows = [
        (post, "{}", "name"),
        (post, r#"{"members":[2]}"#, "name"),
        (post, r#"{"name":null}"#, "name"),
        (post, r#"{"name":5}"#, "name"),
        (post, r#"{"name":true}"#, "name"),
        (post, r#"{"name":["a"]}"#, "name"),
        (post, r#"{"name":{"a":1}}"#, "name"),
        (post, r#"{"name":""}"#, "name"),
        (post, r#"{"name":" \t "}"#, "name"),
        (post, r#"{"name":"a\u0000b"}"#, "name"),
        (post, r#"{"name":"a\nb"}"#, "name"),
        (post, r#"{"name":"\ud800"}"#, "name"),
        (post, &long, "name"),
        (post, r#"{"name":"a","name":"b"}"#, "name"),
        (post, r#"{"name":"a","n\u0061me":"b"}"#, "name"),
        (post, r#"{"name":"a","members":2}"#, "members"),
        (post, r#"{"name":"a","members":"2"}"#, "members"),
        (post, r#"{"name":"a","members":{}}"#, "members"),
        (post, r#"{"name":"a","members":["2"]}"#, "members"),
        (post, r#"{"name":"a","members":[2.0]}"#, "members"),
        (post, r#"{"name":"a","members":[2e0]}"#, "members"),
        (post, r#"{"name":"a","members":[0]}"#, "members"),
        (post, r#"{"name":"a","members":[-2]}"#, "members"),
        (post, r#"{"name":"a","members":[null]}"#, "members"),
        (post, r#"{"name":"a","members":[true]}"#, "members"),
        (post, r#"{"name":"a","members":[[2]]}"#, "members"),
        (post, r#"{"name":"a","members":[2,9007199254740992]}"#, "members"),
        (post, r#"{"name":"a","members":[],"members":[]}"#, "members"),
        ("PUT /api/v1/groups/1", "{}", "name"),
        ("PUT /api/v1/groups/1", r#"{"name":7}"#, "name"),
        ("PUT /api/v1/groups/1", &long, "name"),
        (member, r#"{"role":""}"#, "role"),
        (member, r#"{"role":"Owner"}"#, "role"),
        (member, r#"{"role":"owner "}"#, "role"),
        (member, r#"{"role":"root"}"#, "role"),
        (member, r#"{"role":1}"#, "role"),
        (member, r#"{"role":["owner"]}"#, "role"),
        (member, r#"{"role":"member","role":"owner"}"#, "role"),
        (named, "{}", "display_name"),
        (named, r#"{"username":"a"}"#, "display_name"),
        (named, r#"{"display_name":null}"#, "display_name"),
        (named, r#"{"display_name":5}"#, "display_name"),
        (named, r#"{"display_name":""}"#, "display_name"),
        (named, r#"{"display_name":"a\u0007"}"#, "display_name"),
        (named, r#"{"display_name":"a","username":""}"#, "username"),
        (named, r#"{"display_name":"a","username":5}"#, "username"),
        (named, r#"{"display_name":"a","username":"a\u0000"}"#, "username"),
    ];
    for (line, json, field) in rows {
        let reply = app.ask("admin", line, json).await;
        assert_eq!(
            reply.verdict(),
            format!("400 invalid_data {field}"),
            "{line} {json}"
        );
    }
    assert_eq!(app.kept_members(1).await, "1 owner");
}

#[tokio::test]
async fn a_name_may_take_all_of_its_bytes() {
    let app = App::new();
    let name = "é".repeat(128);
    let reply = app
        .ask("u1", "POST /api/v1/groups", &*format!(r#"{{"name":"{name}"}}"#))
        .await;
    assert_eq!(reply.status, 201);
    assert!(reply.body.contains(&name));
}

#[tokio::test]
async fn a_body_says_that_it_is_json() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    let json = r#"{"role":"member"}"#;
    let rows: [(&[&str], &str); 4] = [
        (&["application/json"], "200"),
        (&["application/json; charset=utf-8"], "200"),
        (&["Application/Json;charset=UTF-8"], "200"),
        (&[], "400 invalid_data"),
    ];
    for (types, expected) in rows {
        let ask = Ask::new("PUT /api/v1/groups/1/members/2").header("authorization", "Bearer u1");
        let ask = types
            .iter()
            .fold(ask, |ask, value| ask.header("content-type", value));
        let reply = app.send(ask.body(json)).await;
        assert_eq!(reply.verdict(), expected, "{types:?}");
        if reply.status == 400 {
            assert!(reply.body.contains("Content-Type must be application/json"));
        }
    }
}

#[tokio::test]
async fn a_body_is_not_packed() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    for (encodings, expected) in [
        (&["identity"][..], "200"),
        (&["Identity"], "200"),
        (&["gzip"], "400 invalid_data"),
        (&["identity, gzip"], "400 invalid_data"),
        (&["identity", "br"], "400 invalid_data"),
        (&[""], "400 invalid_data"),
    ] {
        let ask = Ask::new("PUT /api/v1/groups/1/members/2")
            .header("authorization", "Bearer u1")
            .header("content-type", "application/json");
        let ask = encodings
            .iter()
            .fold(ask, |ask, value| ask.header("content-encoding", value));
        let reply = app.send(ask.body(r#"{"role":"member"}"#)).await;
        assert_eq!(reply.verdict(), expected, "{encodings:?}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    let limit = 128 * 1024;
    let padded = |length: usize| {
        let json = r#"{"role":"member"}"#;
        format!("{json}{}", " ".repeat(length - json.len()))
    };
    let ask = || {
        Ask::new("PUT /api/v1/groups/1/members/2")
            .header("authorization", "Bearer u1")
            .header("content-type", "application/json")
    };
    let refusal = r#"413 {"type":"about:blank","title":"Payload Too Large","status":413,"detail":"Message too large","code":"payload_too_large","limit_bytes":131072}"#;

    assert_eq!(app.send(ask().body(padded(limit))).await.status, 200);
    assert_eq!(app.send(ask().body(padded(limit + 1))).await.text(), refusal);
    let pieces = |length: usize| {
        let bytes = Bytes::from(padded(length));
        let middle = bytes.len() / 2;
        stream::iter([
            Ok::<_, io::Error>(bytes.slice(..middle)),
            Ok(bytes.slice(middle..)),
        ])
    };
    assert_eq!(app.send(ask().pieces(pieces(limit))).await.status, 200);
    assert_eq!(app.send(ask().pieces(pieces(limit + 1))).await.text(), refusal);

    // Nothing of a body without end is kept.
    let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b' '; 4096])));
    assert_eq!(app.send(ask().pieces(endless)).await.text(), refusal);
}

#[tokio::test]
async fn a_body_that_breaks_off_changes_nothing() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    let broken = stream::iter([
        Ok(Bytes::from_static(br#"{"role":"admin"}"#)),
        Err(io::Error::other("secret detail")),
    ]);
    let ask = Ask::new("PUT /api/v1/groups/1/members/2")
        .header("authorization", "Bearer u1")
        .header("content-type", "application/json")
        .pieces(broken);
    let reply = app.send(ask).await;
    assert_eq!(reply.verdict(), "400 invalid_data");
    assert!(!reply.body.contains("secret"));
    assert_eq!(app.kept_members(1).await, "1 owner");
}
