//! Which role may do what to whom.

use sealroom_domain::Role;

use crate::support::App;

const GROUP: &str = "/api/v1/groups/1/members";

/// Two owners (1, 2), two admins (3, 4), two members (5, 6); 7 is none.
async fn app() -> App {
    let app = App::new();
    app.group(&[
        (1, Role::Owner),
        (2, Role::Owner),
        (3, Role::Admin),
        (4, Role::Admin),
        (5, Role::Member),
        (6, Role::Member),
    ])
    .await;
    app
}

#[tokio::test]
async fn each_role_against_each_other() {
    /// For the bodies `{}`, `member`, `admin`, `owner` and for the removal.
    type Row = (&'static str, i64, [u16; 5]);
    const ROWS: [Row; 20] = [
        ("u1", 7, [200, 200, 200, 200, 404]),
        ("u1", 5, [200, 200, 200, 200, 204]),
        ("u1", 3, [200, 200, 200, 200, 204]),
        ("u1", 2, [200, 200, 200, 200, 204]),
        ("u3", 7, [200, 200, 200, 403, 404]),
        ("u3", 5, [200, 200, 200, 403, 204]),
        ("u3", 4, [200, 200, 200, 403, 204]),
        ("u3", 1, [403, 403, 403, 403, 403]),
        ("u5", 7, [403, 403, 403, 403, 404]),
        ("u5", 6, [403, 403, 403, 403, 403]),
        ("u5", 3, [403, 403, 403, 403, 403]),
        ("u5", 1, [403, 403, 403, 403, 403]),
        ("u7", 8, [403, 403, 403, 403, 403]),
        ("u7", 5, [403, 403, 403, 403, 403]),
        ("u7", 3, [403, 403, 403, 403, 403]),
        ("u7", 1, [403, 403, 403, 403, 403]),
        ("admin", 7, [200, 200, 200, 200, 404]),
        ("admin", 5, [200, 200, 200, 200, 204]),
        ("admin", 3, [200, 200, 200, 200, 204]),
        ("admin", 1, [200, 200, 200, 200, 204]),
    ];
    let bodies = [
        Some("{}"),
        Some(r#"{"role":"member"}"#),
        Some(r#"{"role":"admin"}"#),
        Some(r#"{"role":"owner"}"#),
        None,
    ];
    for (token, target, expected) in ROWS {
        for (json, status) in bodies.into_iter().zip(expected) {
            let app = app().await;
            let before = app.kept_members(1).await;
            let method = if json.is_some() { "PUT" } else { "DELETE" };
            let reply = app.ask(token, &format!("{method} {GROUP}/{target}"), json).await;
            let row = format!("{token} {method} {target} {json:?}");
            assert_eq!(reply.status, status, "{row}");
            let code = match (status, token) {
                (403, "u7") => Some("403 not_a_member"),
                (403, _) => Some("403 forbidden"),
                (404, _) => Some("404 not_found"),
                _ => None,
            };
            if let Some(code) = code {
                assert_eq!(reply.verdict(), code, "{row}");
                assert_eq!(app.kept_members(1).await, before, "{row}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_answered_is_what_is_kept() {
    let app = app().await;
    for (line, json) in [
        ("PUT 7", Some("{}")),
        ("PUT 5", Some(r#"{"role":"admin"}"#)),
        ("PUT 4", Some(r#"{"role":"member"}"#)),
        ("PUT 6", Some(r#"{"role":"owner"}"#)),
        ("DELETE 2", None),
        ("DELETE 3", None),
    ] {
        let (method, id) = line.split_once(' ').unwrap();
        let reply = app.ask("u1", &format!("{method} {GROUP}/{id}"), json).await;
        assert!(reply.status.is_success(), "{line}");
    }
    assert_eq!(
        app.kept_members(1).await,
        "1 owner, 4 member, 5 admin, 6 owner, 7 member"
    );
    let removed = app.ask("u3", "GET /api/v1/groups/1", None).await;
    assert_eq!(removed.verdict(), "403 not_a_member");
}

#[tokio::test]
async fn everybody_may_leave_but_the_last_owner() {
    let app = app().await;
    for id in [5, 3, 1] {
        let reply = app
            .ask(&format!("u{id}"), &format!("DELETE {GROUP}/{id}"), None)
            .await;
        assert_eq!(reply.text(), "204 ", "{id}");
        let again = app
            .ask(&format!("u{id}"), &format!("DELETE {GROUP}/{id}"), None)
            .await;
        assert_eq!(again.verdict(), "403 not_a_member", "{id}");
    }
    for (line, json) in [
        (format!("DELETE {GROUP}/2"), None),
        (format!("PUT {GROUP}/2"), Some(r#"{"role":"admin"}"#)),
        (format!("PUT {GROUP}/2"), Some(r#"{"role":"member"}"#)),
    ] {
        let last = app.ask("u2", &line, json).await;
        assert_eq!(last.verdict(), "409 conflict", "{line} {json:?}");
        assert!(
            last.body
                .contains(r#""detail":"The last owner cannot leave or lose the role""#)
        );
    }
    assert_eq!(app.kept_members(1).await, "2 owner, 4 admin, 6 member");
    let entries = app
        .ask("u2", "GET /api/v1/groups/1/entries?after_seq=6", None)
        .await;
    assert_eq!(
        entries.body.matches(r#""reason":"left""#).count(),
        3,
        "{entries:?}"
    );
}

#[tokio::test]
async fn a_role_may_be_given_up_and_not_taken() {
    let rows = [
        ("u3", r#"{"role":"member"}"#, "200"),
        ("u3", r#"{"role":"owner"}"#, "403 forbidden"),
        ("u5", r#"{"role":"member"}"#, "403 forbidden"),
        ("u5", r#"{"role":"admin"}"#, "403 forbidden"),
        ("u1", r#"{"role":"member"}"#, "200"),
    ];
    for (token, json, expected) in rows {
        let app = app().await;
        let id = token.strip_prefix('u').unwrap();
        let reply = app.ask(token, &format!("PUT {GROUP}/{id}"), json).await;
        assert_eq!(reply.verdict(), expected, "{token} {json}");
    }
}

#[tokio::test]
async fn a_repetition_writes_no_entry() {
    let app = app().await;
    let head = |reply: crate::support::Reply| {
        let group: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        group["head_seq"].as_i64().unwrap()
    };
    assert_eq!(head(app.ask("u1", "GET /api/v1/groups/1", None).await), 6);
    for _ in 0..3 {
        let reply = app
            .ask("u1", &format!("PUT {GROUP}/7"), r#"{"role":"admin"}"#)
            .await;
        assert_eq!(reply.status, 200);
    }
    assert_eq!(head(app.ask("u1", "GET /api/v1/groups/1", None).await), 7);
    app.ask("u1", &format!("DELETE {GROUP}/7"), None).await;
    let again = app.ask("u1", &format!("DELETE {GROUP}/7"), None).await;
    assert_eq!(again.verdict(), "404 not_found");
    assert_eq!(head(app.ask("u1", "GET /api/v1/groups/1", None).await), 8);
}
