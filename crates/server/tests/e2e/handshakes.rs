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
    world::{World, ask},
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
    a_socket_that_is_told_something_while_it_connects_stays_open,
    worker_threads = 2
);
async fn a_socket_that_is_told_something_while_it_connects_stays_open(store: Store) {
    let world = Arc::new(World::start_on(store).await);
    for group_id in 1..=4 {
        world.group(group_id, []).await;
    }
    // Each removal tells all sockets of the user.
    let mut removals = JoinSet::new();
    for group_id in 1..=4 {
        let world = world.clone();
        removals.spawn(async move {
            loop {
                world.add(group_id, 7).await;
                world.remove(group_id, 7).await;
            }
        });
    }
    for _ in 0..300 {
        let client = Client::connect(world.addr(), &world.token(7)).await.unwrap();
        let read = json!({"group_id": 1, "up_to_seq": 1});
        ask(&client, "mark_read", read).await;
        client.disconnect().await.unwrap();
    }
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
