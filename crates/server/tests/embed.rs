//! The embedding example, run as its readers would: its own memberships decide, its own routes work beside those of
//! Sealroom, and a removal through its own route evicts.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sealroom_auth::{ClaimRules, Grant, Minter, MinterOptions, Secret, SigningKey};
use sealroom_domain::{GroupId, Role, UserId};
use sealroom_server::clock::SystemClock;
use sealroom_testkit::client::{
    Client, Kind, PendingAck,
    http::{self, HttpResponse},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

#[path = "../examples/embed.rs"]
#[expect(dead_code, reason = "the example's `main`")]
mod embed;

/// The contract of the port, on the application's own table.
mod memberships {
    use std::sync::Arc;

    use sealroom_testkit::conformance::memberships::MembershipsFixture;

    use super::embed::Teams;

    sealroom_testkit::memberships_conformance!(async { MembershipsFixture::new(Arc::new(Teams::default())) });
}

const ALICE: i64 = 1;
const BOB: i64 = 2;
const CAROL: i64 = 3;
const TEAM: i64 = 7;

fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

/// The example, serving team 7 of Alice, its owner, and Bob.
struct App {
    addr: SocketAddr,
    minter: Minter,
    shutdown: CancellationToken,
    serving: JoinSet<anyhow::Result<()>>,
    _data_dir: TempDir,
}

impl App {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let data_dir = TempDir::new().unwrap();
        let secret = Secret::generate().unwrap();
        let minter = Minter::new(MinterOptions {
            key: SigningKey::hs256(&secret),
            claims: ClaimRules::default(),
            clock: Arc::new(SystemClock),
        });
        let teams = Arc::new(embed::Teams::default());
        let members = [(user(ALICE), Role::Owner), (user(BOB), Role::Member)];
        teams.add(GroupId::new(TEAM).unwrap(), "friends", &members);
        let shutdown = CancellationToken::new();
        let (path, stop) = (data_dir.path().to_owned(), shutdown.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { embed::serve(listener, &path, &secret, teams, stop).await });
        Self {
            addr,
            minter: minter.unwrap(),
            shutdown,
            serving,
            _data_dir: data_dir,
        }
    }

    fn token(&self, id: i64) -> String {
        self.minter
            .mint(&Grant::new(user(id), Duration::from_mins(1)))
            .unwrap()
    }

    async fn connect(&self, id: i64) -> Client {
        Client::connect(self.addr, &self.token(id)).await.unwrap()
    }

    async fn request(&self, method: &str, path: &str, id: i64) -> HttpResponse {
        let token = self.token(id);
        http::request(self.addr, method, path, Some(&token), None)
            .await
            .unwrap()
    }

    async fn remove(&self, id: i64, by: i64) -> u16 {
        let path = format!("/teams/{TEAM}/members/{id}");
        self.request("DELETE", &path, by).await.status
    }

    /// As a shutdown does it; what it served ends without an error.
    async fn stop(mut self) {
        self.shutdown.cancel();
        let ended = timeout(Duration::from_secs(15), self.serving.join_next()).await;
        ended.unwrap().unwrap().unwrap().unwrap();
    }
}

async fn join(client: &Client) -> Value {
    let join = json!({"group_id": TEAM, "after_seq": 0});
    client.emit_with_ack("join_group", join).await.unwrap()
}

async fn send(client: &Client, content: &str) -> Value {
    let message = json!({"group_id": TEAM, "encrypted_content": content});
    client.emit_with_ack("send_message", message).await.unwrap()
}

fn request_send(client: &Client) -> PendingAck {
    client.request(
        "send_message",
        json!({"group_id": TEAM, "encrypted_content": "x"}),
    )
}

async fn send_all(client: &Client, count: usize) {
    let sends: Vec<_> = (0..count).map(|_| request_send(client)).collect();
    for send in sends {
        assert_eq!(send.answer().await.unwrap()["success"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_s_memberships_decide() {
    let app = App::start().await;
    let (alice, bob, carol) = (
        app.connect(ALICE).await,
        app.connect(BOB).await,
        app.connect(CAROL).await,
    );
    assert_eq!(join(&alice).await["success"], true);
    assert_eq!(join(&bob).await["success"], true);
    assert_eq!(join(&carol).await["code"], "not_a_member");
    assert_eq!(send(&carol, "x").await["code"], "not_a_member");

    let sent = send(&alice, "for friends").await;
    assert_eq!(sent["success"], true, "{sent}");
    let received = bob.next_event("new_message").await.unwrap();
    assert_eq!(received, sent["message"]);
    assert_eq!(received["encrypted_content"], "for friends");

    carol.disconnect().await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_of_routes_tell_the_same() {
    let app = App::start().await;
    let teams = app.request("GET", "/teams", BOB).await;
    assert_eq!(
        (teams.status, teams.json()),
        (200, json!([{"id": TEAM, "name": "friends"}]))
    );
    assert_eq!(app.request("GET", "/teams", CAROL).await.json(), json!([]));
    let unknown = http::request(app.addr, "GET", "/teams", None, None)
        .await
        .unwrap();
    assert_eq!(unknown.status, 401);

    let groups = app.request("GET", "/api/v1/groups", BOB).await.json();
    assert_eq!(groups["groups"][0]["group_id"], TEAM);
    assert_eq!(groups["groups"][0]["role"], "member");
    let members = app
        .request("GET", &format!("/api/v1/groups/{TEAM}/members"), BOB)
        .await;
    let expected =
        json!({"members": [{"user_id": ALICE, "role": "owner"}, {"user_id": BOB, "role": "member"}]});
    assert_eq!(members.json(), expected);

    // What a client creates over Sealroom's route is a team of the application.
    let token = app.token(CAROL);
    let body = json!({"name": "others", "members": [BOB]});
    let created = http::request(app.addr, "POST", "/api/v1/groups", Some(&token), Some(body))
        .await
        .unwrap();
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(
        app.request("GET", "/teams", BOB)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_through_the_application_s_route_evicts() {
    let app = App::start().await;
    let (alice, bob) = (app.connect(ALICE).await, app.connect(BOB).await);
    assert_eq!(join(&bob).await["success"], true);
    assert_eq!(app.remove(ALICE, BOB).await, 403);
    assert_eq!(app.remove(BOB, CAROL).await, 403);

    // Messages before the removal, in flight beside it, and after it.
    send_all(&alice, 30).await;
    let in_flight: Vec<_> = (0..30).map(|_| request_send(&alice)).collect();
    assert_eq!(app.remove(BOB, ALICE).await, 204);
    for send in in_flight {
        assert_eq!(send.answer().await.unwrap()["success"], true);
    }
    send_all(&alice, 40).await;

    // Its own answer comes after everything that was delivered before it.
    assert_eq!(send(&bob, "late").await["code"], "not_a_member");
    assert_eq!(join(&bob).await["code"], "not_a_member");
    let events: Vec<_> = bob.take_received();
    let events = events.iter().filter(|received| received.kind() == Kind::Event);
    let mut events: Vec<(String, Value)> = events
        .map(|received| (received.name().unwrap_or_default().to_owned(), received.payload()))
        .collect();
    let (last, told) = events.pop().unwrap();
    assert_eq!(
        (&*last, &told),
        (
            "removed_from_group",
            &json!({"group_id": TEAM, "reason": "removed"})
        )
    );
    let (removal, entry) = events.last().unwrap();
    assert_eq!((&**removal, &entry["user_id"]), ("member_removed", &json!(BOB)));
    assert_eq!(entry["actor_id"], ALICE);
    let seqs: Vec<_> = events
        .iter()
        .map(|(_, entry)| entry["seq"].as_u64().unwrap())
        .collect();
    assert!((31..=61).contains(&seqs.len()), "{seqs:?}");
    assert!(seqs.iter().copied().eq(1..=*seqs.last().unwrap()), "{seqs:?}");

    // The log went on without him.
    let entries = app
        .request("GET", &format!("/api/v1/groups/{TEAM}/entries"), ALICE)
        .await
        .json();
    assert_eq!(entries["head_seq"], 101);
    assert_eq!(app.request("GET", "/teams", BOB).await.json(), json!([]));
    app.stop().await;
}
