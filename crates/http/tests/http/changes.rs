//! Groups that change and end, messages sent over HTTP, read marks, users that are revoked and erased.

use sealroom_domain::Role;
use serde_json::{Value, json};

use crate::support::{App, Ask, Reply};

async fn app() -> App {
    let app = App::new();
    app.group(&[(1, Role::Owner), (2, Role::Member), (3, Role::Admin)])
        .await;
    app
}

fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

#[tokio::test]
async fn a_group_is_changed_and_deleted_by_those_who_may() {
    for (token, patch, retention, delete) in [
        ("u7", "403 not_a_member", "403 not_a_member", "403 not_a_member"),
        ("u2", "403 forbidden", "403 forbidden", "403 forbidden"),
        ("u3", "200", "403 forbidden", "403 forbidden"),
        ("u1", "200", "200", "204"),
        ("admin", "200", "200", "204"),
    ] {
        let app = app().await;
        let renamed = app
            .ask(token, "PATCH /api/v1/groups/1", r#"{"name":"new"}"#)
            .await;
        assert_eq!(renamed.verdict(), patch, "{token}");
        if patch == "200" {
            assert_eq!(json(&renamed)["name"], "new");
        }
        let kept = r#"{"retention":{"age_s":60,"count":null}}"#;
        let kept = app.ask(token, "PATCH /api/v1/groups/1", kept).await;
        assert_eq!(kept.verdict(), retention, "{token}");
        if retention == "200" {
            assert_eq!(json(&kept)["retention"], json!({"age_s": 60, "count": null}));
            let unset = app
                .ask(token, "PATCH /api/v1/groups/1", r#"{"retention":{}}"#)
                .await;
            assert_eq!(json(&unset)["retention"], Value::Null);
        }
        let deleted = app.ask(token, "DELETE /api/v1/groups/1", None).await;
        assert_eq!(deleted.verdict(), delete, "{token}");
    }
    let app = app().await;
    assert_eq!(
        app.ask("admin", "PATCH /api/v1/groups/9", "{}").await.verdict(),
        "404 not_found"
    );
    assert_eq!(
        app.ask("admin", "DELETE /api/v1/groups/9", None).await.verdict(),
        "404 not_found"
    );
    assert_eq!(
        app.ask("u1", "PATCH /api/v1/groups/1", "{}").await.verdict(),
        "200"
    );
    app.ask("u1", "DELETE /api/v1/groups/1", None).await;
    for path in ["", "/entries", "/messages", "/members"] {
        let gone = app.ask("u1", &format!("GET /api/v1/groups/1{path}"), None).await;
        assert_eq!(gone.verdict(), "403 not_a_member", "{path}");
    }
}

#[tokio::test]
async fn a_message_is_sent_once_for_each_key() {
    let app = app().await;
    let send = async |token: &str, key: Option<&str>, content: &str| {
        let ask = Ask::new("POST /api/v1/groups/1/messages")
            .header("authorization", &format!("Bearer {token}"))
            .header("content-type", "application/json");
        let ask = key
            .into_iter()
            .fold(ask, |ask, key| ask.header("idempotency-key", key));
        app.send(ask.body(json!({"encrypted_content": content, "key_epoch": 3}).to_string()))
            .await
    };
    let first = send("u2", Some("k 1"), "a\"b").await;
    assert_eq!(first.status, 201);
    let message = json(&first)["message"].clone();
    assert_eq!(
        message,
        json!({
            "id": 1, "group_id": 1, "sender_id": 2, "sender_name": "Unknown", "encrypted_content": "a\"b",
            "timestamp": crate::support::NOW, "seq": 4, "client_message_id": "k 1", "key_epoch": 3,
        })
    );
    let again = send("u2", Some("k 1"), "a\"b").await;
    assert_eq!(
        (again.status.as_u16(), json(&again)),
        (200, json!({"message": message, "duplicate": true}))
    );
    assert_eq!(
        send("u2", Some("k 1"), "other").await.verdict(),
        "409 idempotency_conflict"
    );
    assert_eq!(
        send("u1", Some("k 1"), "a").await.verdict(),
        "201",
        "keys are those of a sender"
    );
    assert_eq!(send("u2", None, "a").await.verdict(), "201");
    assert_eq!(send("u7", None, "a").await.verdict(), "403 not_a_member");
    assert_eq!(send("admin", None, "a").await.verdict(), "201");
    for key in ["", "é", &"k".repeat(65)] {
        let refused = send("u2", Some(key), "a").await;
        assert_eq!(refused.verdict(), "400 invalid_data Idempotency-Key", "{key}");
    }
    let read = app
        .ask("u2", "GET /api/v1/groups/1/messages?limit=1&before_seq=5", None)
        .await;
    assert_eq!(json(&read)["messages"], json!([message]));
}

#[tokio::test]
async fn a_read_mark_moves_forward_and_counts() {
    let app = app().await;
    app.message(1, 1, "x").await;
    let mark = async |token: &str, json: &str| {
        let reply = app.ask(token, "PUT /api/v1/groups/1/read", json).await;
        reply.text()
    };
    assert_eq!(
        mark("u2", r#"{"seq":3}"#).await,
        r#"200 {"read_seq":3,"unread":1}"#
    );
    assert_eq!(
        mark("u2", r#"{"seq":1}"#).await,
        r#"200 {"read_seq":3,"unread":1}"#
    );
    assert_eq!(
        mark("u2", r#"{"seq":900}"#).await,
        r#"200 {"read_seq":4,"unread":0}"#
    );
    let group = json(&app.ask("u2", "GET /api/v1/groups/1", None).await);
    assert_eq!((&group["read_seq"], &group["unread"]), (&json!(4), &json!(0)));
    let other = json(&app.ask("u1", "GET /api/v1/groups", None).await);
    assert_eq!(other["groups"][0]["unread"], 4);
    assert!(mark("u7", r#"{"seq":1}"#).await.starts_with("403"));
}

#[tokio::test]
async fn admins_revoke_and_erase_users() {
    let app = app().await;
    app.ask("u2", "GET /api/v1/me", None).await;
    for line in ["POST /api/v1/users/2/revoke", "DELETE /api/v1/users/2"] {
        assert_eq!(
            app.ask("u1", line, None).await.verdict(),
            "403 forbidden",
            "{line}"
        );
    }
    assert_eq!(
        app.ask("admin", "POST /api/v1/users/2/revoke", None)
            .await
            .verdict(),
        "204"
    );
    assert_eq!(
        app.ask("u2", "GET /api/v1/me", None).await.verdict(),
        "401 token_revoked"
    );
    assert_eq!(
        app.ask("admin", "DELETE /api/v1/users/77", None).await.verdict(),
        "404 not_found"
    );
    for _ in 0..2 {
        assert_eq!(
            app.ask("admin", "DELETE /api/v1/users/2", None).await.verdict(),
            "204"
        );
    }
    assert_eq!(app.kept_members(1).await, "1 owner, 3 admin");
}
