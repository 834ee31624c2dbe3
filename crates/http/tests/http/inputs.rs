//! Paths and bodies that are not as they should be.

use std::io;

use axum::body::Bytes;
use futures_util::stream;
use sealroom_domain::Role;

use crate::support::{App, Ask};

#[tokio::test]
async fn an_id_has_one_spelling() {
    let app = App::new();
    app.group(&[(5, Role::Owner), (6, Role::Member)]).await;
    let bad = [
        "0",
        "-1",
        "+5",
        "05",
        "005",
        "%35",
        "5%00",
        "5%20",
        "%205",
        "5.0",
        "5e0",
        "0x5",
        "5;v=1",
        "5,6",
        "5_0",
        "%EF%BC%95",
        "%D9%A5",
        "9007199254740992",
        "9223372036854775808",
        "99999999999999999999999999",
        "me",
        "null",
        "true",
        "{group_id}",
        "..",
        ".",
        "%2e%2e",
        "%2e%2e%2f5",
        "5%2fmembers",
        "%00",
        "%FF",
        "%",
        "*",
        "5'",
        "5%20OR%201=1",
    ];
    for id in bad {
        for line in [
            format!("GET /api/v1/groups/{id}"),
            format!("PUT /api/v1/groups/{id}"),
            format!("GET /api/v1/groups/{id}/members"),
            format!("PUT /api/v1/groups/{id}/members/5"),
            format!("DELETE /api/v1/groups/{id}/members/x"),
            format!("GET /api/v1/groups/{id}/messages"),
            format!("GET /api/v1/groups/{id}/entries?limit=0"),
        ] {
            let reply = app.ask("admin", &line, None).await;
            assert_eq!(reply.verdict(), "400 invalid_data group_id", "{line}");
        }
        for line in [
            format!("PUT /api/v1/groups/1/members/{id}"),
            format!("DELETE /api/v1/groups/1/members/{id}"),
            format!("PUT /api/v1/users/{id}"),
        ] {
            let reply = app.ask("admin", &line, None).await;
            assert_eq!(reply.verdict(), "400 invalid_data user_id", "{line}");
        }
    }
    assert_eq!(app.kept_members(1).await, "5 owner, 6 member");
    let largest = app
        .ask("admin", "PUT /api/v1/groups/9007199254740991", r#"{"name":"a"}"#)
        .await;
    assert_eq!(largest.status, 201);
}

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

/// What no route takes for its body.
const NO_OBJECT: [&str; 15] = [
    " ",
    "null",
    "true",
    "5",
    "\"name\"",
    "[]",
    "[\"a\"]",
    "[{\"name\":\"a\"}]",
    "{",
    "{\"name\":\"a\"",
    "{\"name\":\"a\"}}",
    "{\"name\":\"a\"}{\"name\":\"a\"}",
    "{\"name\":\"a\",}",
    "{'name':'a'}",
    "\u{feff}{\"name\":\"a\"}",
];

#[tokio::test]
async fn a_body_is_one_object_with_known_keys() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    let routes = [
        "POST /api/v1/groups",
        "PUT /api/v1/groups/1",
        "PUT /api/v1/groups/1/members/2",
        "PUT /api/v1/users/2",
    ];
    for line in routes {
        for json in NO_OBJECT {
            let reply = app.ask("admin", line, json).await;
            assert_eq!(reply.verdict(), "400 invalid_data", "{line} {json}");
            assert!(!reply.body.contains("field"), "{line} {json}");
        }
        for key in [
            "",
            "Name",
            "name ",
            "names",
            "__proto__",
            "id",
            "group_id",
            "name\\u0000",
        ] {
            let json = format!(r#"{{"name":"a","display_name":"a","role":"member","{key}":1}}"#);
            let reply = app.ask("admin", line, json.as_str()).await;
            assert_eq!(reply.verdict(), "400 invalid_data", "{line} {json}");
        }
    }
    for line in [
        "POST /api/v1/groups",
        "PUT /api/v1/groups/1",
        "PUT /api/v1/users/2",
    ] {
        let reply = app.ask("admin", line, None).await;
        assert_eq!(reply.verdict(), "400 invalid_data", "{line} without a body");
    }
    assert_eq!(app.kept_members(1).await, "1 owner");
    assert_eq!(
        app.ask("u1", "GET /api/v1/groups/2", None).await.status,
        403,
        "none was created"
    );
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
    let rows: [(&[&str], &str); 10] = [
        (&["application/json"], "200"),
        (&["application/json; charset=utf-8"], "200"),
        (&["Application/Json;charset=UTF-8"], "200"),
        (&[], "400 invalid_data"),
        (&[""], "400 invalid_data"),
        (&["text/plain"], "400 invalid_data"),
        (&["application/x-www-form-urlencoded"], "400 invalid_data"),
        (&["multipart/form-data; boundary=x"], "400 invalid_data"),
        (&["application/json; charset=latin1"], "400 invalid_data"),
        (&["application/json", "text/plain"], "400 invalid_data"),
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
