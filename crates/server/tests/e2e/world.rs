//! A server with groups, members and sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sealroom_auth::{ClaimRules, Grant, Minter, MinterOptions, Secret, SigningKey};
use sealroom_domain::UserId;
use sealroom_server::clock::SystemClock;
use sealroom_testkit::client::{
    Client, Received,
    http::{self, HttpResponse},
};
use serde_json::{Value, json};

use crate::common::{Store, TestServer};

/// A token lasts longer than every test.
const HOUR: Duration = Duration::from_hours(1);

/// The events of a group.
pub(crate) const EVENTS: [&str; 8] = [
    "join_group",
    "leave_group",
    "send_message",
    "edit_message",
    "delete_message",
    "get_entries",
    "mark_read",
    "typing",
];

/// A running server, and what a host application does with it.
pub(crate) struct World {
    pub(crate) server: TestServer,
    minter: Minter,
    admin: String,
}

impl World {
    /// A server with the default settings on this store.
    pub(crate) async fn start_on(store: Store) -> Self {
        Self::of(TestServer::start_on(store, &[]).await)
    }

    /// A server with these settings on this store.
    pub(crate) async fn start_with(store: Store, settings: &[(&str, &str)]) -> Self {
        Self::of(TestServer::start_on(store, settings).await)
    }

    /// Around this server.
    pub(crate) fn of(server: TestServer) -> Self {
        let minter = minter(&server.secret);
        let admin = server.mint_admin();
        Self {
            server,
            minter,
            admin,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    /// A token that lasts longer than every test. Made here: a process for each would take longer than some tests.
    pub(crate) fn token(&self, user_id: u64) -> String {
        self.token_for(user_id, HOUR)
    }

    pub(crate) fn token_for(&self, user_id: u64, ttl: Duration) -> String {
        mint(&self.minter, user_id, ttl)
    }

    /// A group with these members.
    pub(crate) async fn group(&self, group_id: u64, members: impl IntoIterator<Item = u64>) {
        let name = json!({"name": format!("Group {group_id}")});
        self.done("PUT", &format!("/groups/{group_id}"), Some(name)).await;
        for user_id in members {
            self.add(group_id, user_id).await;
        }
    }

    /// Adds a member.
    pub(crate) async fn add(&self, group_id: u64, user_id: u64) {
        let member = format!("/groups/{group_id}/members/{user_id}");
        self.done("PUT", &member, Some(json!({"role": "member"}))).await;
    }

    /// Removes a member.
    pub(crate) async fn remove(&self, group_id: u64, user_id: u64) {
        let member = format!("/groups/{group_id}/members/{user_id}");
        self.done("DELETE", &member, None).await;
    }

    /// An admin call that must succeed.
    pub(crate) async fn done(&self, method: &str, path: &str, body: Option<Value>) {
        let answer = self.call(method, path, &self.admin, body).await;
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}; the server's log:\n{}",
            answer.status,
            answer.text(),
            self.server.log()
        );
    }

    /// A call of the host application.
    pub(crate) async fn admin(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> HttpResponse {
        self.call(method, path, &self.admin, body.into()).await
    }

    /// A call of a user.
    pub(crate) async fn user(
        &self,
        user_id: u64,
        method: &str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> HttpResponse {
        self.call(method, path, &self.token(user_id), body.into()).await
    }

    /// An HTTP call under `/api/v1`.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> HttpResponse {
        let path = format!("/api/v1{path}");
        match http::request(self.addr(), method, &path, Some(token), body).await {
            Ok(answer) => answer,
            Err(error) => panic!(
                "{method} {path}: {error}; the server's log:\n{}",
                self.server.log()
            ),
        }
    }

    /// A socket of a user. It comes again where the store was too slow for it, as official clients do.
    pub(crate) async fn socket(&self, user_id: u64) -> Client {
        for _ in 0..5 {
            match Client::connect(self.addr(), &self.token(user_id)).await {
                Err(error) if !error.refused => self.store_was_unavailable(),
                connected => return connected.unwrap(),
            }
        }
        panic!(
            "user {user_id} cannot connect; the server's log:\n{}",
            self.server.log()
        );
    }

    /// The server turned somebody away because its store did not answer, which a machine that stands still for two seconds
    /// is enough for. For another reason it may not.
    pub(crate) fn store_was_unavailable(&self) {
        self.server.wait_logged("a store that does not answer", |log| {
            log.contains("the store is unavailable").then_some(())
        });
    }

    /// A socket of a member that has joined.
    pub(crate) async fn joined(&self, user_id: u64, group_id: u64) -> Client {
        let client = self.socket(user_id).await;
        succeed(&client, "join_group", json!({"group_id": group_id})).await;
        client
    }

    /// The name of the log.
    pub(crate) async fn log_id(&self, group_id: u64) -> String {
        let newest = format!("/groups/{group_id}/entries?limit=1");
        let answer = self.call("GET", &newest, &self.admin, None).await;
        answer.json()["log_id"].as_str().unwrap().into()
    }

    /// A group's whole log over HTTP, each entry at its place.
    pub(crate) async fn log(&self, group_id: u64) -> Vec<Value> {
        let mut entries = Vec::new();
        loop {
            let path = format!("/groups/{group_id}/entries?after_seq={}&limit=500", entries.len());
            let answer = self.call("GET", &path, &self.admin, None).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            if !take_page(&mut entries, answer.json()) {
                return entries;
            }
        }
    }
}

/// Makes tokens that a server with this secret accepts.
pub(crate) fn minter(secret: &str) -> Minter {
    Minter::new(MinterOptions {
        key: SigningKey::hs256(&Secret::new(secret).unwrap()),
        claims: ClaimRules::default(),
        clock: Arc::new(SystemClock),
    })
    .unwrap()
}

pub(crate) fn mint(minter: &Minter, user_id: u64, ttl: Duration) -> String {
    let user_id = UserId::new(user_id.try_into().unwrap()).unwrap();
    minter.mint(&Grant::new(user_id, ttl)).unwrap()
}

/// The answer to a request that must succeed.
pub(crate) async fn succeed(client: &Client, event: &str, payload: Value) -> Value {
    let ack = ask(client, event, payload).await;
    assert_eq!(ack["success"], true, "{event}: {ack}");
    ack
}

/// The answer to a request that may be refused.
pub(crate) async fn ask(client: &Client, event: &str, payload: Value) -> Value {
    match client.emit_with_ack(event, &payload).await {
        Ok(ack) => ack,
        Err(error) => panic!(
            "{event} {payload}: {error}; the connection: {:?}",
            client.closed()
        ),
    }
}

/// A message that must be sent; gives it.
pub(crate) async fn send(client: &Client, group_id: u64, content: &str) -> Value {
    let message = json!({"group_id": group_id, "encrypted_content": content});
    succeed(client, "send_message", message).await["message"].take()
}

/// The status and the code of a refusal, which is a problem document; the status alone of anything else.
pub(crate) fn verdict(answer: &HttpResponse) -> (u16, String) {
    if answer.status < 400 {
        return (answer.status, String::new());
    }
    assert_eq!(
        answer.header("Content-Type"),
        Some("application/problem+json"),
        "{answer:?}"
    );
    let code = answer.json()["code"].as_str().unwrap().to_owned();
    assert_eq!(
        answer.status == 401,
        answer.header("WWW-Authenticate").is_some(),
        "{answer:?}"
    );
    (answer.status, code)
}

/// The events of this name that came up to the answer of a further request.
pub(crate) async fn heard(client: &Client, event: &str) -> Vec<Value> {
    succeed(client, "leave_group", json!({"group_id": 9_000_000})).await;
    let events = client.events();
    events
        .iter()
        .filter(|one| one.is_event(event))
        .map(Received::payload)
        .collect()
}

/// A group's whole log over a socket of a member, each entry at its place.
pub(crate) async fn log_over_socket(client: &Client, group_id: u64) -> Vec<Value> {
    let mut entries = Vec::new();
    loop {
        let page = json!({"group_id": group_id, "after_seq": entries.len(), "limit": 500});
        if !take_page(&mut entries, succeed(client, "get_entries", page).await) {
            return entries;
        }
    }
}

/// Takes the next page of a log that is read from its begin; says whether there is more.
fn take_page(entries: &mut Vec<Value>, mut page: Value) -> bool {
    let Value::Array(next) = page["entries"].take() else {
        panic!("no entries: {page}");
    };
    for entry in next {
        assert_eq!(
            entry["seq"],
            entries.len() + 1,
            "the log is not contiguous: {entry}"
        );
        entries.push(entry);
    }
    let more = page["has_more"].as_bool().unwrap();
    assert!(
        more || page["head_seq"] == entries.len(),
        "the last page ends before the head"
    );
    more
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}
