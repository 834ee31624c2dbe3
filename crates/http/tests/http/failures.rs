//! Stores that are down, handlers that panic, clients that go away.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::http::header;
use sealroom_domain::{
    Principal, Role,
    ports::{Groups as _, TokenError, TokenVerifier, Users as _},
};
use sealroom_http::{HttpOptions, Readiness};
use sealroom_testkit::faults::Call;
use tokio::time::Instant;

use crate::support::{App, Ask, Reply, Setup, group, user};

const DOWN: &str = r#"503 {"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Temporarily unavailable","code":"unavailable","retry_after_ms":1000}"#;

fn assert_down(reply: &Reply, what: &str) {
    assert_eq!(reply.text(), DOWN, "{what}");
    assert_eq!(reply.header(header::RETRY_AFTER), Some("1"), "{what}");
    assert_eq!(reply.header(header::WWW_AUTHENTICATE), None, "{what}");
}

#[tokio::test]
async fn while_a_store_is_down_a_client_hears_to_come_back() {
    let rows = [
        (Call::Verify, "GET /api/v1/me", None),
        (Call::Profiles, "GET /api/v1/me", None),
        (Call::ProvisionUser, "GET /api/v1/groups", None),
        (Call::GroupsOf, "GET /api/v1/groups", None),
        (Call::GetGroups, "GET /api/v1/groups", None),
        (Call::CreateGroup, "POST /api/v1/groups", Some(r#"{"name":"a"}"#)),
        (Call::Roles, "GET /api/v1/groups/1", None),
        (Call::MembersOf, "GET /api/v1/groups/1/members", None),
        (Call::Append, "PUT /api/v1/groups/1/members/2", Some("{}")),
        (Call::Append, "DELETE /api/v1/groups/1/members/900", None),
        (Call::Messages, "GET /api/v1/groups/1/messages", None),
        (Call::Read, "GET /api/v1/groups/1/entries", None),
        (Call::MarksOfUser, "GET /api/v1/groups/1", None),
        (
            Call::AdvanceMarks,
            "PUT /api/v1/groups/1/read",
            Some(r#"{"seq":1}"#),
        ),
        (
            Call::Append,
            "POST /api/v1/groups/1/messages",
            Some(r#"{"encrypted_content":"x"}"#),
        ),
        (
            Call::UpdateGroup,
            "PATCH /api/v1/groups/1",
            Some(r#"{"name":"b"}"#),
        ),
        (Call::DeleteGroup, "DELETE /api/v1/groups/1", None),
        (Call::RevokeUser, "POST /api/v1/users/7/revoke", None),
        (Call::EraseUser, "DELETE /api/v1/users/900", None),
        (Call::LogId, "GET /api/v1/groups/1/entries", None),
        (Call::PutGroup, "PUT /api/v1/groups/1", Some(r#"{"name":"a"}"#)),
        (
            Call::UpsertUser,
            "PUT /api/v1/users/1",
            Some(r#"{"display_name":"a"}"#),
        ),
    ];
    for (call, line, json) in rows {
        let app = App::new();
        app.group(&[(1, Role::Owner), (crate::support::ADMIN, Role::Member)])
            .await;
        app.faults.only(&[call]);
        app.faults.set_failing(true);
        assert_down(&app.ask("admin", line, json).await, &format!("{call:?} {line}"));
        app.faults.set_failing(false);
        let reply = app.ask("admin", line, json).await;
        assert!(reply.status.is_success(), "{call:?} {line}: {reply:?}");
    }
}

#[tokio::test]
async fn a_server_that_goes_down_says_so() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    app.chat.drain().await;
    for (line, json) in [
        ("GET /api/v1/me", None),
        ("GET /api/v1/groups/1/entries", None),
        ("PUT /api/v1/groups/1/members/2", Some("{}")),
    ] {
        let reply = app.ask("u1", line, json).await;
        assert_eq!(reply.verdict(), "503 shutting_down", "{line}");
    }
    assert_eq!(app.send(Ask::new("GET /healthz")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_within_the_time_limit() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    app.faults.only(&[Call::Messages, Call::Read]);
    app.faults.pause();
    let began = Instant::now();
    let reply = app.ask("u1", "GET /api/v1/groups/1/entries", None).await;
    assert_down(&reply, "a read that never ends");
    assert_eq!(began.elapsed(), Duration::from_secs(15));
    assert_eq!(reply.header(header::CACHE_CONTROL), Some("no-store"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_not_waited_for() {
    let app = App::with(Setup {
        http: HttpOptions {
            timeout: Duration::from_secs(3),
            ..HttpOptions::default()
        },
        ..Setup::default()
    });
    let began = Instant::now();
    let ask = Ask::new("POST /api/v1/groups")
        .header("authorization", "Bearer u1")
        .header("content-type", "application/json")
        .pieces(futures_util::stream::pending());
    assert_down(&app.send(ask).await, "a body that never comes");
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[derive(Debug)]
pub(crate) struct Defective;

#[async_trait]
impl TokenVerifier for Defective {
    async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        panic!("a defect that knows the {token}");
    }
}

#[async_trait]
impl Readiness for Defective {
    async fn check(&self) -> bool {
        panic!("a defect that knows a secret");
    }
}

#[tokio::test]
async fn a_panic_is_one_internal_answer_and_nothing_of_it_is_told() {
    let app = App::with(Setup {
        verifier: Some(Arc::new(Defective)),
        readiness: Arc::new(Defective),
        ..Setup::default()
    });
    let mut request_ids = Vec::new();
    for line in ["GET /api/v1/me", "GET /readyz", "GET /api/v1/me"] {
        let reply = app.ask("secret", line, None).await;
        assert_eq!(reply.verdict(), "500 internal", "{line}");
        assert!(
            !reply.body.contains("secret") && !reply.body.contains("defect"),
            "{line}"
        );
        assert_eq!(reply.header(header::CACHE_CONTROL), Some("no-store"), "{line}");
        let document: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        request_ids.push(document["request_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(app.send(Ask::new("GET /healthz")).await.status, 200);
    request_ids.sort();
    request_ids.dedup();
    assert_eq!(request_ids.len(), 3, "each has an id of its own");
}

/// Sends a request, waits until the store is asked, goes away, and lets the store go on.
async fn abandon(app: &App, call: Call, line: &str, json: Option<&str>) {
    app.faults.only(&[call]);
    app.faults.pause();
    tokio::select! {
        biased;
        reply = app.ask("admin", line, json) => panic!("answered: {reply:?}"),
        () = asked(app) => {}
    }
    app.faults.resume();
}

async fn asked(app: &App) {
    while app.faults.waiting() == 0 {
        tokio::task::yield_now().await;
    }
}

/// Waits for what an abandoned request still does.
async fn eventually<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) -> bool {
    for _ in 0..1000 {
        if holds().await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn a_change_is_made_also_for_a_client_that_has_gone_away() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    abandon(&app, Call::Append, "PUT /api/v1/groups/1/members/2", Some("{}")).await;
    assert!(eventually(async || app.kept_members(1).await == "1 owner, 2 member").await);
    abandon(&app, Call::Append, "DELETE /api/v1/groups/1/members/2", None).await;
    assert!(eventually(async || app.kept_members(1).await == "1 owner").await);

    abandon(
        &app,
        Call::CreateGroup,
        "POST /api/v1/groups",
        Some(r#"{"name":"a","members":[3]}"#),
    )
    .await;
    assert!(eventually(async || app.kept_members(2).await == "3 member, 900 owner").await);
    abandon(
        &app,
        Call::PutGroup,
        "PUT /api/v1/groups/70",
        Some(r#"{"name":"a"}"#),
    )
    .await;
    assert!(eventually(async || app.store.get(&[group(70)]).await.unwrap().len() == 1).await);
    abandon(
        &app,
        Call::UpsertUser,
        "PUT /api/v1/users/7",
        Some(r#"{"display_name":"a"}"#),
    )
    .await;
    assert!(eventually(async || app.store.profiles(&[user(7)]).await.unwrap().len() == 1).await);
}
