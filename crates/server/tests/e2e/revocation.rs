//! Tokens that are taken back.

use std::time::{Duration, Instant};

use sealroom_testkit::client::{Client, Kind, Received, http};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    common::Store,
    signer::{Signer, claims, in_seconds},
    world::{World, ask, send, succeed, verdict},
};

/// Waits for the end of a socket: within 1 s, told to stay away, and then the transport.
pub(crate) async fn sent_away(client: &Client) {
    let begin = Instant::now();
    client.wait_closed().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let kinds: Vec<_> = client.received().iter().map(Received::kind).collect();
    assert_eq!(kinds.last_chunk(), Some(&[Kind::Disconnect, Kind::Closed]));
}

/// What a connection with this token is refused with.
pub(crate) async fn refusal(world: &World, token: &str) -> String {
    let error = Client::connect(world.addr(), token).await.unwrap_err();
    assert!(error.refused, "{error}");
    error.message
}

on_each_store!(a_revoked_user_is_sent_away_and_comes_back_only_with_a_new_token);
async fn a_revoked_user_is_sent_away_and_comes_back_only_with_a_new_token(store: Store) {
    let mut world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let other = world.joined(2, 1).await;
    let sockets = [world.joined(1, 1).await, world.socket(1).await];
    let signer = Signer::Hs256(world.server.secret.clone());
    let old = world.token(1);
    let mut undated = claims(1);
    let without_iat = signer.token(&undated);
    undated["iat"] = json!(in_seconds(-3600));
    let ancient = signer.token(&undated);
    let third = Client::connect(world.addr(), &without_iat).await.unwrap();

    let revoke = world.user(2, "POST", "/users/1/revoke", None).await;
    assert_eq!(verdict(&revoke), (403, "forbidden".into()));
    assert_eq!(world.admin("POST", "/users/1/revoke", None).await.status, 204);
    for socket in sockets.iter().chain([&third]) {
        sent_away(socket).await;
    }
    let come_back = async |world: &World| {
        for token in [&old, &without_iat, &ancient] {
            assert_eq!(refusal(world, token).await, "token_revoked");
            let me = world.call("GET", "/me", token, None).await;
            assert_eq!(verdict(&me), (401, "token_revoked".into()));
        }
    };
    come_back(&world).await;
    // Tokens of the second of the call are among those that were taken back; later ones are good.
    let begin = Instant::now();
    let back = loop {
        match Client::connect(world.addr(), &world.token(1)).await {
            Ok(client) => break client,
            Err(error) => assert_eq!(error.message, "token_revoked"),
        }
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "a new token is not accepted"
        );
        sleep(Duration::from_millis(50)).await;
    };
    succeed(&back, "join_group", json!({"group_id": 1})).await;
    for token in [&old, &without_iat] {
        let ack = ask(&back, "refresh_token", json!({"token": token})).await;
        assert_eq!(ack["code"], "token_revoked", "{ack}");
    }
    let sent = send(&back, 1, "here again").await;
    assert_eq!(other.next_event("new_message").await.unwrap(), sent);
    assert_eq!(other.closed(), None);

    world.server.restart();
    come_back(&world).await;
    succeed(&world.socket(1).await, "join_group", json!({"group_id": 1})).await;
    // Whoever was never seen can be revoked too.
    let stranger = world.token(77);
    assert_eq!(world.admin("POST", "/users/77/revoke", None).await.status, 204);
    assert_eq!(refusal(&world, &stranger).await, "token_revoked");
}

on_each_store!(a_polling_client_is_sent_away_too);
async fn a_polling_client_is_sent_away_too(store: Store) {
    let world = World::start_on(store).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let get = async |path: &str| {
        http::request(world.addr(), "GET", path, None, None)
            .await
            .unwrap()
    };
    let open: Value = serde_json::from_str(get(path).await.text().strip_prefix('0').unwrap()).unwrap();
    let session = format!("{path}&sid={}", open["sid"].as_str().unwrap());
    let connect = format!("40{}", json!({"token": world.token(1)}));
    let headers = [("Content-Type", "text/plain;charset=UTF-8")];
    let posted = http::request_with(world.addr(), "POST", &session, &headers, connect.as_bytes());
    assert_eq!(posted.await.unwrap().status, 200);
    while !get(&session).await.text().contains("40{") {}
    // It waits for news when they come.
    let begin = Instant::now();
    let (told, revoked) = tokio::join!(get(&session), async {
        sleep(Duration::from_millis(50)).await;
        world.admin("POST", "/users/1/revoke", None).await
    });
    assert_eq!((revoked.status, told.text().as_str()), (204, "41"));
    while get(&session).await.status == 200 {
        assert!(begin.elapsed() < Duration::from_secs(2), "its session goes on");
    }
}
