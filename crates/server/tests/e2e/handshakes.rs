//! Who may connect, and that nothing is lost right after it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sealroom_testkit::client::{Client, ConnectError};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    common::Store,
    raw::{connected, next_packet},
    world::{World, mint, minter, succeed},
};

const SECOND: Duration = Duration::from_secs(1);

/// The code that a CONNECT with this `auth` is refused with.
async fn refused(world: &World, auth: Value) -> String {
    refusal(Client::builder(world.addr()).auth(auth).connect().await)
}

fn refusal(connected: Result<Client, ConnectError>) -> String {
    let error = connected.unwrap_err();
    assert!(error.refused, "{error}");
    error.message
}

on_each_store!(bad_tokens_are_refused);
async fn bad_tokens_are_refused(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1]).await;
    let expired = world.token_for(1, SECOND);
    let good = world.token(1);
    let parts: Vec<_> = good.split('.').collect();
    let claims_of_another = world.token(2).split('.').nth(1).unwrap().to_owned();
    let foreign = mint(&minter("hK8#tQ2!vB7^nM4&xZ9*cL1@rF5%wD3$"), 1, SECOND);
    let bad = [
        json!(""),
        json!(" "),
        json!("x"),
        json!("a.b.c"),
        json!("undefined"),
        json!(5),
        json!(true),
        json!(false),
        json!([good]),
        json!({"token": good}),
        json!(format!("{good} ")),
        json!(format!("Bearer {good}")),
        json!(format!("{good}\u{0}")),
        json!(format!("{good}.")),
        json!(good.repeat(2)),
        json!(good.strip_suffix(|_: char| true)),
        json!("x".repeat(100_000)),
        json!(foreign),
        // The claims of another user under the same signature, no signature, and an algorithm that is none.
        json!(format!("{}.{claims_of_another}.{}", parts[0], parts[2])),
        json!(format!("{}.{}.", parts[0], parts[1])),
        json!(format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1])),
    ];
    for token in bad {
        assert_eq!(
            refused(&world, json!({"token": token})).await,
            "token_invalid",
            "{token}"
        );
    }
    for auth in [
        json!({}),
        json!({"token": null}),
        json!([]),
        json!("x"),
        json!({"Token": good}),
    ] {
        assert_eq!(refused(&world, auth.clone()).await, "token_missing", "{auth}");
    }
    let nothing = Client::builder(world.addr()).connect().await;
    assert_eq!(refusal(nothing), "token_missing");
    sleep(SECOND).await;
    assert_eq!(refused(&world, json!({"token": expired})).await, "token_expired");
    // Good ones, at last.
    let client = Client::connect(world.addr(), &good).await.unwrap();
    succeed(&client, "join_group", json!({"group_id": 1})).await;
}

on_each_store!(the_header_counts_only_where_auth_has_no_token);
async fn the_header_counts_only_where_auth_has_no_token(store: Store) {
    let world = World::start_on(store).await;
    let good = world.token(1);
    let bearer = format!("Bearer {good}");
    let with_header = || Client::builder(world.addr()).header("Authorization", &bearer);
    with_header().connect().await.unwrap();
    with_header()
        .auth(json!({"token": null}))
        .connect()
        .await
        .unwrap();
    let both = with_header().auth(json!({"token": "x"})).connect().await;
    assert_eq!(refusal(both), "token_invalid");
    let other = Client::builder(world.addr())
        .header("Authorization", &good)
        .connect()
        .await;
    assert_eq!(refusal(other), "token_missing");
    // Never from where others can read it.
    let query = format!("/socket.io/?EIO=4&transport=websocket&token={good}&auth={good}");
    let query = Client::builder(world.addr()).path(&query).connect().await;
    assert_eq!(refusal(query), "token_missing");
    let cookie = format!("token={good}; Authorization={bearer}");
    let cookie = Client::builder(world.addr())
        .header("Cookie", &cookie)
        .connect()
        .await;
    assert_eq!(refusal(cookie), "token_missing");
}

on_each_store!(a_refused_client_is_not_kept);
async fn a_refused_client_is_not_kept(store: Store) {
    let world = World::start_on(store).await;
    let mut client = sealroom_testkit::client::RawClient::connect(world.addr())
        .await
        .unwrap();
    client.send("40{\"token\":\"x\"}").await.unwrap();
    let begin = Instant::now();
    while client.next_text().await.is_ok() {}
    assert!(begin.elapsed() < 3 * SECOND);
}

on_each_store!(
    a_thousand_clients_lose_no_event_sent_right_after_connect,
    worker_threads = 2
);
async fn a_thousand_clients_lose_no_event_sent_right_after_connect(store: Store) {
    let world = Arc::new(World::start_on(store).await);
    world.group(1, 1..=50).await;
    let mut users = JoinSet::new();
    for user_id in 1..=50 {
        let world = world.clone();
        users.spawn(async move {
            for _ in 0..20 {
                let mut client = connected(&world, user_id).await;
                client.send(r#"427["join_group",{"group_id":1}]"#).await.unwrap();
                let answer = next_packet(&mut client).await;
                assert!(answer.starts_with(r#"437[{"success":true,"#), "{answer}");
                client.kill();
            }
        });
    }
    while let Some(user) = users.join_next().await {
        user.unwrap();
    }
}

on_each_store!(a_user_has_so_many_sockets_and_no_more);
async fn a_user_has_so_many_sockets_and_no_more(store: Store) {
    let world = World::start_on(store).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(world.socket(1).await);
    }
    let auth = json!({"token": world.token(1)});
    assert_eq!(refused(&world, auth.clone()).await, "too_many_connections");
    world.socket(2).await;
    // Whoever leaves gives the place back, in whatever way.
    sockets.pop().unwrap().disconnect().await.unwrap();
    sockets.pop().unwrap().kill().await;
    for _ in 0..2 {
        sockets.push(comes_in(&world, &auth).await);
    }
    assert_eq!(refused(&world, auth).await, "too_many_connections");
}

/// Connects as soon as there is a place.
async fn comes_in(world: &World, auth: &Value) -> Client {
    let begin = Instant::now();
    loop {
        match Client::builder(world.addr()).auth(auth.clone()).connect().await {
            Ok(client) => return client,
            Err(error) => assert!(begin.elapsed() < 5 * SECOND, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}
