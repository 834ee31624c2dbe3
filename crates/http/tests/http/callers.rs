//! Who may ask at all.

use axum::http::header;
use sealroom_domain::{DisplayName, Role, ports::Users as _};
use sealroom_engine::ChatOptions;

use crate::support::{App, Ask, Setup, principal, user};

/// Every route that needs a token.
const ROUTES: [&str; 13] = [
    "GET /api/v1/me",
    "HEAD /api/v1/me",
    "GET /api/v1/groups",
    "POST /api/v1/groups",
    "GET /api/v1/groups/1",
    "PUT /api/v1/groups/1",
    "GET /api/v1/groups/1/members",
    "PUT /api/v1/groups/1/members/2",
    "DELETE /api/v1/groups/1/members/2",
    "GET /api/v1/groups/1/messages",
    "GET /api/v1/groups/1/entries",
    "GET /api/v1/groups/bad/entries",
    "PUT /api/v1/users/2",
];

#[tokio::test]
async fn no_route_answers_without_a_token() {
    let app = App::new();
    app.group(&[(1, Role::Owner), (2, Role::Member)]).await;
    for route in ROUTES {
        let reply = app.send(Ask::new(route)).await;
        assert_eq!(reply.status, 401, "{route}");
        if !route.starts_with("HEAD") {
            assert_eq!(reply.verdict(), "401 token_missing", "{route}");
        }
        assert_eq!(
            reply.header(header::WWW_AUTHENTICATE),
            Some(r#"Bearer realm="sealroom""#),
            "{route}"
        );
        let invalid = app.ask("unknown", route, "not json at all").await;
        assert_eq!(invalid.status, 401, "{route}");
        assert_eq!(
            invalid.header(header::WWW_AUTHENTICATE),
            Some(r#"Bearer realm="sealroom", error="invalid_token""#),
            "{route}"
        );
    }
    assert_eq!(app.kept_members(1).await, "1 owner, 2 member");
}

#[tokio::test]
async fn a_token_comes_in_one_header_and_nowhere_else() {
    let app = App::new();
    let rows: [(&[&str], &str); 14] = [
        (&["Bearer u1"], "200"),
        (&["bearer u1"], "200"),
        (&["BEARER  u1"], "200"),
        (&[], "401 token_missing"),
        (&[""], "401 token_missing"),
        (&["Bearer"], "401 token_missing"),
        (&["Bearer "], "401 token_missing"),
        (&["u1"], "401 token_missing"),
        (&["Basic dTE6cA=="], "401 token_missing"),
        (&["Beareru1"], "401 token_missing"),
        (&["Bearer u1 u2"], "401 token_invalid"),
        (&["Bearer U1"], "401 token_invalid"),
        (&["Bearer u1", "Bearer u1"], "401 token_invalid"),
        (&["Basic dTE6cA==", "Bearer u1"], "401 token_invalid"),
    ];
    for (headers, expected) in rows {
        let ask = headers.iter().fold(Ask::new("GET /api/v1/me"), |ask, value| {
            ask.header("authorization", value)
        });
        assert_eq!(app.send(ask).await.verdict(), expected, "{headers:?}");
    }
    let bytes = Ask::new("GET /api/v1/me").header_bytes("authorization", b"Bearer u1\xff");
    assert_eq!(app.send(bytes).await.verdict(), "401 token_invalid");

    for ask in [
        Ask::new("GET /api/v1/me?token=u1&access_token=u1&authorization=Bearer%20u1"),
        Ask::new("GET /api/v1/me").header("cookie", "token=u1; access_token=u1; authorization=Bearer u1"),
        Ask::new("GET /api/v1/me").header("proxy-authorization", "Bearer u1"),
        Ask::new("GET /api/v1/me").header("x-authorization", "Bearer u1"),
    ] {
        assert_eq!(app.send(ask).await.verdict(), "401 token_missing");
    }
}

#[tokio::test]
async fn a_token_ends_and_is_taken_back() {
    let app = App::new();
    app.tokens.revoke("u2");
    let revoked = app.ask("u2", "GET /api/v1/me", None).await;
    assert_eq!(revoked.verdict(), "401 token_revoked");
    app.clock.set(crate::support::expiry(&app.clock));
    let expired = app.ask("u1", "GET /api/v1/me", None).await;
    assert_eq!(expired.verdict(), "401 token_expired");
    assert_eq!(
        expired.header(header::WWW_AUTHENTICATE),
        Some(r#"Bearer realm="sealroom", error="invalid_token""#)
    );
}

#[tokio::test]
async fn any_request_makes_its_user_known_under_the_name_in_the_token() {
    let app = App::new();
    let mut named = principal(7, None, &app.clock);
    named.name = DisplayName::new("Bảy").ok();
    app.tokens.register("named", named);
    assert!(app.store.profiles(&[user(7)]).await.unwrap().is_empty());
    app.ask("named", "GET /api/v1/groups", None).await;
    let profiles = app.store.profiles(&[user(7)]).await.unwrap();
    assert_eq!(profiles[0].token_name.as_ref().unwrap().as_str(), "Bảy");
    assert_eq!(profiles[0].display_name, None);
}

#[tokio::test]
async fn where_tokens_make_nobody_known_an_unknown_user_is_refused() {
    let app = App::with(Setup {
        chat: ChatOptions {
            provision_users: false,
            ..ChatOptions::default()
        },
        ..Setup::default()
    });
    let unknown = app.ask("u1", "GET /api/v1/me", None).await;
    assert_eq!(unknown.verdict(), "401 token_invalid");
    app.store
        .upsert(user(1), &DisplayName::new("Một").unwrap(), None)
        .await
        .unwrap();
    assert_eq!(app.ask("u1", "GET /api/v1/me", None).await.status, 200);
    let members = app
        .ask("u1", "POST /api/v1/groups", r#"{"name":"a","members":[2]}"#)
        .await;
    assert_eq!(members.verdict(), "404 not_found");
    assert_eq!(
        app.ask("u1", "GET /api/v1/groups", None).await.text(),
        r#"200 {"groups":[]}"#
    );
}

#[tokio::test]
async fn what_a_body_or_query_says_of_the_caller_changes_nothing() {
    let app = App::new();
    app.group(&[(2, Role::Owner)]).await;
    for key in ["user_id", "sender_id", "actor_id", "scope", "admin"] {
        let reply = app
            .ask(
                "u1",
                "POST /api/v1/groups",
                &*format!(r#"{{"name":"a","{key}":2}}"#),
            )
            .await;
        assert_eq!(reply.verdict(), "400 invalid_data", "{key}");
        let reply = app
            .ask("u1", &format!("GET /api/v1/groups/1/entries?{key}=2"), None)
            .await;
        assert_eq!(reply.verdict(), "403 not_a_member", "{key}");
    }
}
