//! Tokens that end or are taken back, before and while a socket is open.

use std::time::{Duration, Instant};

use sealroom_testkit::client::{Client, ClientError, Kind, Received, http};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use super::{answered, heard, is_sound, signer, store};
use crate::{
    peer::Peer,
    signer::{claims, in_seconds},
    target::{ALICE, GROUP, MALLORY, Target},
    world::{World, ask, send, succeed},
};

const SECOND: Duration = Duration::from_secs(1);

/// Waits for the end of a socket, which is told to stay away before its transport goes.
async fn sent_away(client: &Client) -> Duration {
    let begin = Instant::now();
    let closed = match client.wait_closed().await {
        // The client of the kit waits no longer than a lease's grace.
        Err(ClientError::Timeout) => client.wait_closed().await,
        other => other,
    };
    closed.unwrap();
    let kinds: Vec<_> = client.received().iter().map(Received::kind).collect();
    assert_eq!(kinds.last_chunk(), Some(&[Kind::Disconnect, Kind::Closed]));
    begin.elapsed()
}

/// Revoked, erased, logged out. A `jti` alone is not taken back: `revoke` takes all of a user.
pub(super) async fn hs_19_taken_back_tokens(target: &mut Target) {
    let world = &target.world;
    let signer = signer(target);
    let mut dated = claims(MALLORY);
    let undated = signer.token(&dated);
    dated["jti"] = json!("one");
    dated["iat"] = json!(in_seconds(-3600));
    let old = signer.token(&dated);
    // Of a moment that is still to come, which the leeway allows: it is of after the call.
    dated["iat"] = json!(in_seconds(4));
    let ahead = signer.token(&dated);
    let now = world.token(MALLORY);
    for token in [&undated, &old, &now, &ahead] {
        assert_eq!(heard(target.addr(), token).await, "");
    }
    world
        .done("POST", &format!("/users/{MALLORY}/revoke"), None)
        .await;
    for token in [&undated, &old, &now] {
        assert_eq!(heard(target.addr(), token).await, "token_revoked");
    }
    assert_eq!(heard(target.addr(), &ahead).await, "");
    // That it is over says less than that it was taken back, and what is wrong with it comes before both.
    let mut ended = claims(MALLORY);
    ended["exp"] = json!(in_seconds(-1));
    assert_eq!(heard(target.addr(), &signer.token(&ended)).await, "token_expired");
    assert_eq!(heard(target.addr(), &format!("{old}A")).await, "token_invalid");
    assert_eq!(
        heard(target.addr(), &world.token(ALICE)).await,
        "",
        "somebody else's"
    );

    // An erased user does not come back, whatever its tokens say.
    world.done("DELETE", &format!("/users/{ALICE}"), None).await;
    let mut later = claims(ALICE);
    later["iat"] = json!(in_seconds(4));
    for token in [
        world.token(ALICE),
        signer.token(&later),
        signer.token(&claims(ALICE)),
    ] {
        assert_eq!(heard(target.addr(), &token).await, "token_revoked");
    }

    // A user whom the host never made known, where tokens do not do that.
    let closed = World::start_with(store(target), &[("SEALROOM_PROVISION_USERS", "off")]).await;
    assert_eq!(heard(closed.addr(), &closed.token(77)).await, "token_invalid");
    is_sound(&closed.server);

    // A login that ended.
    let accounts = World::start_with(store(target), &[("SEALROOM_ACCOUNTS", "on")]).await;
    let call = async |route: &str, body: Value| {
        let path = format!("/api/v1/auth/{route}");
        http::request(accounts.addr(), "POST", &path, None, Some(body))
            .await
            .unwrap()
    };
    let login = json!({"username": "mallory", "password": "correct horse battery"});
    let [first, second] = [
        call("register", login.clone()).await.json(),
        call("login", login).await.json(),
    ];
    let access = |login: &Value| login["access_token"].as_str().unwrap().to_owned();
    let out = call("logout", json!({"refresh_token": first["refresh_token"]})).await;
    assert_eq!(out.status, 204, "{}", out.text());
    assert_eq!(heard(accounts.addr(), &access(&first)).await, "token_revoked");
    assert_eq!(
        heard(accounts.addr(), &access(&second)).await,
        "",
        "another login of the same user"
    );
    is_sound(&accounts.server);
}

/// Contract 1.5. It takes the 10 s after the end of a token, which all of these wait for together.
pub(super) async fn hs_21_a_token_ends_on_an_open_socket(target: &mut Target) {
    let target = &*target;
    tokio::join!(
        an_ended_token_opens_nothing_and_10_s_later_nothing_is_left(target),
        a_refreshed_one_goes_on(target),
        a_silent_peer_is_ended_too(target),
        a_polling_one_is_ended_too(target),
    );
}

/// A socket whose token ends 2 s from now at the latest.
async fn short_lived(target: &Target, user_id: u64) -> Client {
    let token = target.world.token_for(user_id, 2 * SECOND);
    Client::connect(target.addr(), &token).await.unwrap()
}

/// Waits until the socket's token is over.
async fn expired(client: &Client) -> Value {
    let begin = Instant::now();
    loop {
        let ack = ask(client, "get_entries", json!({"group_id": GROUP})).await;
        if ack["success"] != true {
            return ack;
        }
        assert!(begin.elapsed() < 4 * SECOND, "the token still counts");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn an_ended_token_opens_nothing_and_10_s_later_nothing_is_left(target: &Target) {
    let client = short_lived(target, MALLORY).await;
    assert!(
        client
            .next_event_within("token_expiring", SECOND)
            .await
            .unwrap()
            .is_some()
    );
    let refused =
        json!({"success": false, "error": "Token expired", "code": "token_expired", "retryable": false});
    assert_eq!(expired(&client).await, refused);
    let end = Instant::now();
    let before = target.world.log(GROUP).await.len();
    for event in ["send_message", "join_group", "mark_read", "typing", "nothing"] {
        let payload = json!({"group_id": GROUP, "encrypted_content": "late", "seq": 1, "is_typing": true});
        assert_eq!(ask(&client, event, payload).await, refused, "{event}");
    }
    // Neither somebody else's token nor a bad one brings it back, and it hears no more than that.
    for token in [
        target.world.token(ALICE),
        target.world.token(MALLORY) + "A",
        String::from("x"),
    ] {
        let ack = ask(&client, "refresh_token", json!({"token": token})).await;
        assert_eq!(
            (&ack["code"], &ack["success"]),
            (&json!("token_invalid"), &json!(false)),
            "{token}"
        );
    }
    assert_eq!(expired(&client).await, refused, "the old lease stands");
    sleep((8 * SECOND).saturating_sub(end.elapsed())).await;
    assert_eq!(client.closed(), None, "there is time to refresh");
    sent_away(&client).await;
    let after = end.elapsed();
    assert!(
        (9 * SECOND..14 * SECOND).contains(&after),
        "ended after {after:?}"
    );
    let sent = target.world.log(GROUP).await.split_off(before);
    assert!(
        sent.iter().all(|entry| entry["encrypted_content"] != "late"),
        "{sent:?}"
    );
}

async fn a_refreshed_one_goes_on(target: &Target) {
    let [early, late] = [short_lived(target, ALICE).await, short_lived(target, ALICE).await];
    let next = target.world.token(ALICE);
    let refreshed = succeed(&early, "refresh_token", json!({"token": next})).await;
    assert_eq!(refreshed.as_object().unwrap().len(), 2, "{refreshed}");
    expired(&late).await;
    succeed(&late, "refresh_token", json!({"token": next})).await;
    sleep(12 * SECOND).await;
    for client in [&early, &late] {
        assert_eq!(client.closed(), None);
        let sent = send(client, GROUP, "in time").await;
        assert_eq!(sent["sender_id"], ALICE);
    }
}

/// It answers nothing and reads nothing, so that only the server ends it.
async fn a_silent_peer_is_ended_too(target: &Target) {
    let token = target.world.token_for(MALLORY, 2 * SECOND);
    let mut peer = Peer::connected(target.addr(), &token).await;
    let begin = Instant::now();
    sleep(9 * SECOND).await;
    peer.closed(8 * SECOND).await;
    let after = begin.elapsed();
    assert!(
        (10 * SECOND..16 * SECOND).contains(&after),
        "ended after {after:?}"
    );
}

async fn a_polling_one_is_ended_too(target: &Target) {
    let session = super::sessions::polling(target.addr(), &target.world.token_for(MALLORY, 2 * SECOND)).await;
    let begin = Instant::now();
    let mut heard = String::new();
    while let Some(text) = session.poll().await {
        heard.push_str(&text);
        assert!(begin.elapsed() < 16 * SECOND, "{heard}");
        if text.contains('2') {
            session.post("3").await;
        }
    }
    assert!(begin.elapsed() > 10 * SECOND, "{:?}: {heard}", begin.elapsed());
    assert!(heard.contains("41"), "told to stay away: {heard}");
}

/// On this node. Across nodes it belongs to the work that joins several of them.
pub(super) async fn hs_22_taken_back_on_an_open_socket(target: &mut Target) {
    let world = &target.world;
    let witness = world.joined(ALICE, GROUP).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(world.joined(MALLORY, GROUP).await);
    }
    // One that asks all the time, one that does not read, one that polls.
    let reader = world.joined(MALLORY, GROUP).await;
    reader.pause_reading();
    let session = super::sessions::polling(target.addr(), &world.token(MALLORY)).await;
    let mut polls = JoinSet::new();
    polls.spawn(async move { while session.poll().await.is_some() {} });
    let begin = Instant::now();
    world
        .done("POST", &format!("/users/{MALLORY}/revoke"), None)
        .await;
    for socket in &sockets {
        let late = socket.request(
            "send_message",
            json!({"group_id": GROUP, "encrypted_content": "late"}),
        );
        drop(late);
        sent_away(socket).await;
    }
    polls.join_next().await.unwrap().unwrap();
    assert!(begin.elapsed() < 3 * SECOND, "{:?}", begin.elapsed());
    drop(reader);
    let sent = send(&witness, GROUP, "after it").await;
    assert_eq!(witness.closed(), None);
    for socket in &sockets {
        let events = socket.events();
        assert!(
            !events.iter().any(|event| event.payload()["seq"] == sent["seq"]),
            "{events:?}"
        );
    }
    let log = world.log(GROUP).await;
    assert!(
        log.iter().all(|entry| entry["encrypted_content"] != "late"),
        "{log:?}"
    );
    assert_eq!(
        answered(target.addr(), json!({"token": world.token(ALICE)})).await,
        ""
    );
}
