//! How often, how much and how many.

use std::time::{Duration, Instant};

use sealroom_testkit::client::{Client, Kind, Received, http};
use serde_json::{Value, json};

use crate::{
    common::Store,
    world::{World, ask, send, succeed, verdict},
};

/// Whether a request was refused for now, and says for how long.
fn is_limited(ack: &Value) -> bool {
    if ack["code"] != "rate_limited" {
        assert_eq!(ack["success"], true, "{ack}");
        return false;
    }
    assert_eq!(
        (&ack["error"], &ack["retryable"]),
        (&json!("Too many requests"), &json!(true))
    );
    assert!(ack["retry_after_ms"].as_u64().unwrap() > 0, "{ack}");
    true
}

on_each_store!(a_users_sends_are_counted_over_all_of_its_sockets_and_http);
async fn a_users_sends_are_counted_over_all_of_its_sockets_and_http(store: Store) {
    // Slow enough that no further one fits into the test.
    let world = World::start_with(store, &[("SEALROOM_LIMIT_SENDS_PER_USER", "1:6")]).await;
    world.group(1, [1, 2]).await;
    let (one, two, other) = (
        world.socket(1).await,
        world.socket(1).await,
        world.socket(2).await,
    );
    let begin = Instant::now();
    let message = json!({"group_id": 1, "encrypted_content": "x"});
    let mut sent = 0;
    let mut limited = 0;
    for round in 0..4 {
        for client in [&one, &two] {
            let is_limited = is_limited(&ask(client, "send_message", message.clone()).await);
            sent += u64::from(!is_limited);
            limited += u64::from(is_limited);
        }
        let body = json!({"encrypted_content": "x"});
        let answer = world.user(1, "POST", "/groups/1/messages", body).await;
        if answer.status == 201 {
            sent += 1;
        } else {
            assert_eq!(verdict(&answer), (429, "rate_limited".into()), "round {round}");
            assert!(
                answer.header("Retry-After").is_some() && answer.json()["retry_after_ms"].as_u64() > Some(0)
            );
            limited += 1;
        }
    }
    let over = begin.elapsed().as_secs() + 1;
    assert!(
        (6..=6 + over).contains(&sent) && limited > 0,
        "{sent} sent, {limited} refused"
    );
    // Nobody else is held up, nor is anything else of the same user.
    send(&other, 1, "y").await;
    succeed(&one, "get_entries", json!({"group_id": 1})).await;
}

on_each_store!(a_socket_that_asks_too_much_is_refused_and_at_last_closed);
async fn a_socket_that_asks_too_much_is_refused_and_at_last_closed(store: Store) {
    let world = World::start_with(store, &[("SEALROOM_LIMIT_EVENTS_PER_SOCKET", "5:5")]).await;
    world.group(1, [1]).await;
    let (flood, calm) = (world.socket(1).await, world.socket(1).await);
    let page = json!({"group_id": 1, "limit": 1});
    let (mut served, mut limited) = (0, 0);
    for _ in 0..30 {
        let is_limited = is_limited(&ask(&flood, "get_entries", page.clone()).await);
        served += u64::from(!is_limited);
        limited += u64::from(is_limited);
    }
    assert!(served >= 5 && limited > 0, "{served} served, {limited} refused");
    // An event of any name counts, whether it asks for an answer or not.
    for _ in 0..100 {
        flood.emit("nothing", json!({}));
    }
    flood.wait_closed().await.unwrap();
    let kinds: Vec<_> = flood.received().iter().map(Received::kind).collect();
    assert!(!kinds.contains(&Kind::Disconnect), "it may come back");
    // Sends are counted by their own rate.
    for _ in 0..20 {
        send(&calm, 1, "x").await;
    }
    let ack = ask(&calm, "nothing", json!({})).await;
    assert_eq!(ack["code"], "unknown_event", "{ack}");
    assert_eq!(calm.closed(), None);
}

on_each_store!(unanswered_sends_sockets_and_pages_are_as_many_as_is_set);
async fn unanswered_sends_sockets_and_pages_are_as_many_as_is_set(store: Store) {
    let settings = [
        ("SEALROOM_LIMIT_UNACKED_SENDS", "2"),
        ("SEALROOM_LIMIT_SOCKETS_PER_USER", "2"),
        ("SEALROOM_LIMIT_PAGE", "4"),
        ("SEALROOM_LIMIT_CONTENT_BYTES", "10"),
        ("SEALROOM_LIMIT_FRAME_BYTES", "2048"),
    ];
    let world = World::start_with(store, &settings).await;
    world.group(1, [1, 2]).await;
    let client = world.socket(1).await;
    let burst: Vec<_> = (0..100)
        .map(|_| client.request("send_message", json!({"group_id": 1, "encrypted_content": "x"})))
        .collect();
    let mut limited = 0;
    for request in burst {
        limited += u64::from(is_limited(&request.answer().await.unwrap()));
    }
    assert!((1..100).contains(&limited), "{limited} refused");
    send(&client, 1, "0123456789").await;
    let ack = ask(
        &client,
        "send_message",
        json!({"group_id": 1, "encrypted_content": "0123456789a"}),
    )
    .await;
    assert_eq!(
        (&ack["code"], &ack["limit_bytes"]),
        (&json!("payload_too_large"), &json!(10))
    );
    send(&client, 1, "x").await;
    let page = succeed(
        &client,
        "get_entries",
        json!({"group_id": 1, "after_seq": 0, "limit": 400}),
    )
    .await;
    assert_eq!(
        (page["entries"].as_array().unwrap().len(), &page["has_more"]),
        (4, &json!(true))
    );

    let second = world.socket(1).await;
    let third = Client::connect(world.addr(), &world.token(1)).await.unwrap_err();
    assert!(
        third.refused && third.message == "too_many_connections",
        "{third}"
    );
    world.socket(2).await;
    for (pad, is_over) in [(1900, false), (2048, true)] {
        let request = second.request("get_entries", json!({"group_id": 1, "pad": "x".repeat(pad)}));
        assert_eq!(request.answer().await.is_err(), is_over, "{pad}");
    }
    second.wait_closed().await.unwrap();
}

/// The status of a new session, asked for by an address behind a proxy.
async fn handshake(world: &World, address: &str) -> (u16, Option<String>) {
    let path = "/socket.io/?EIO=4&transport=polling";
    let headers = [("X-Forwarded-For", address)];
    let answer = http::request_with(world.addr(), "GET", path, &headers, b"")
        .await
        .unwrap();
    (answer.status, answer.header("Retry-After").map(ToOwned::to_owned))
}

on_each_store!(an_address_opens_so_many_sessions_and_no_more);
async fn an_address_opens_so_many_sessions_and_no_more(store: Store) {
    let rate = ("SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS", "1:5");
    let believed = ("SEALROOM_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8");
    let direct = World::start_with(store, &[rate]).await;
    let proxied = World::start_with(store, &[rate, believed]).await;
    // Nobody is believed: whatever is said, it is one address.
    let begin = Instant::now();
    let mut opened = 0;
    for number in 0..30 {
        match handshake(&direct, &format!("203.0.113.{number}")).await {
            (200, None) => opened += 1,
            (429, Some(wait)) => assert!(wait.parse::<u64>().unwrap() >= 1),
            other => panic!("{other:?}"),
        }
    }
    let over = begin.elapsed().as_secs() + 1;
    assert!((5..=5 + over).contains(&opened), "{opened} opened");
    let refused = Client::connect(direct.addr(), &direct.token(1)).await;
    assert!(refused.is_ok() || refused.unwrap_err().status == Some(429));

    // A proxy is: each client has its own rate, whatever it claims itself in front of what the proxy says.
    for number in 0..30 {
        assert_eq!(handshake(&proxied, &format!("203.0.113.{number}")).await.0, 200);
    }
    let begin = Instant::now();
    let mut opened = 0;
    for number in 0..30 {
        let chain = format!("198.51.100.{number}, 192.0.2.7, 10.1.2.3");
        opened += u64::from(handshake(&proxied, &chain).await.0 == 200);
    }
    let over = begin.elapsed().as_secs() + 1;
    assert!((5..=5 + over).contains(&opened), "{opened} opened");
}

on_each_store!(
    a_socket_that_takes_nothing_is_closed_by_bytes_or_by_time,
    worker_threads = 2
);
async fn a_socket_that_takes_nothing_is_closed_by_bytes_or_by_time(store: Store) {
    let by_bytes = [
        ("SEALROOM_LIMIT_OUTBOUND_BYTES", "300000"),
        ("SEALROOM_LIMIT_WRITE_STALL", "off"),
    ];
    let by_time = [
        ("SEALROOM_LIMIT_OUTBOUND_BYTES", "off"),
        ("SEALROOM_LIMIT_WRITE_STALL", "1s"),
    ];
    tokio::join!(stalls(store, &by_bytes), stalls(store, &by_time));
}

/// A client that reads no more is closed before it is told everything, and whoever reads is not.
async fn stalls(store: Store, settings: &[(&str, &str)]) {
    let log = ("SEALROOM_LOG", "info,sealroom_realtime=debug");
    let world = World::start_with(store, &[settings, &[log]].concat()).await;
    world.group(1, [1, 2, 3]).await;
    let token = world.token(1);
    let stuck = Client::builder(world.addr())
        .token(&token)
        .receive_buffer(4096)
        .connect()
        .await
        .unwrap();
    succeed(&stuck, "join_group", json!({"group_id": 1})).await;
    let (reader, sender) = (world.joined(2, 1).await, world.socket(3).await);
    stuck.pause_reading();
    let content = "x".repeat(60_000);
    // What the kernels take, and then some.
    for _ in 0..150 {
        send(&sender, 1, &content).await;
    }
    // The server gives its place back when it closes it, which it does although the client does not notice.
    let name = format!("{settings:?}");
    world
        .server
        .wait_logged(&name, |log| log.contains("closing a transport").then_some(()));
    stuck.resume_reading();
    stuck.wait_closed().await.unwrap();
    let got = stuck.received();
    assert!(
        !got.iter().any(|one| one.kind() == Kind::Disconnect),
        "it may come back"
    );
    let got = got.iter().filter(|one| one.is_event("new_message")).count();
    assert!(got < 150, "it was never slow");
    assert_eq!(reader.closed(), None);
    succeed(&reader, "get_entries", json!({"group_id": 1, "limit": 1})).await;
    assert_eq!(
        reader
            .events()
            .iter()
            .filter(|one| one.is_event("new_message"))
            .count(),
        150
    );
}

on_each_store!(an_address_has_so_many_connections_and_no_more);
async fn an_address_has_so_many_connections_and_no_more(store: Store) {
    let settings = [
        ("SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS", "3"),
        ("SEALROOM_LIMIT_CONNECTIONS", "100"),
    ];
    three_connections(store, &settings).await;
}

on_each_store!(a_server_has_so_many_connections_and_no_more);
async fn a_server_has_so_many_connections_and_no_more(store: Store) {
    three_connections(store, &[("SEALROOM_LIMIT_CONNECTIONS", "3")]).await;
}

async fn three_connections(store: Store, settings: &[(&str, &str)]) {
    let world = World::start_with(store, settings).await;
    world.group(1, [1]).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(world.socket(1).await);
    }
    let fourth = Client::connect(world.addr(), &world.token(1)).await.unwrap_err();
    assert!(!fourth.refused && fourth.status.is_none(), "{fourth}");
    assert!(
        http::request(world.addr(), "GET", "/healthz", None, None)
            .await
            .is_err()
    );
    // One that goes makes room.
    clients.pop().unwrap().disconnect().await.unwrap();
    let begin = Instant::now();
    while Client::connect(world.addr(), &world.token(1)).await.is_err() {
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "its place is not given back"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for client in &clients {
        succeed(client, "get_entries", json!({"group_id": 1})).await;
    }
}
