//! Bounds on what one client may ask for.

use std::time::{Duration, Instant};

use sealroom_testkit::client::{Kind, RawFrame, http};
use serde_json::{Value, json};

use crate::{
    common::{Store, TestServer},
    probe::works,
    raw::{connected, next_packet},
    world::{World, number, succeed},
};

const FRAME_BYTES: usize = 131_072;

/// A good request in a frame of this many bytes.
fn frame_of(bytes: usize) -> String {
    let (head, tail) = (r#"427["get_entries",{"group_id":1,"pad":""#, r#""}]"#);
    format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()))
}

on_each_store!(a_websocket_message_over_the_limit_ends_its_connection);
async fn a_websocket_message_over_the_limit_ends_its_connection(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let witness = world.joined(2, 1).await;
    let mut client = connected(&world, 1).await;
    client.send(frame_of(FRAME_BYTES)).await.unwrap();
    assert!(
        next_packet(&mut client)
            .await
            .starts_with("437[{\"success\":true")
    );
    // The server may close before all of it is sent.
    let _ = client.send(frame_of(FRAME_BYTES + 1)).await;
    loop {
        match client.next().await.unwrap() {
            RawFrame::Close(_) => break,
            RawFrame::Text(text) => assert!(!text.starts_with("43"), "{text}"),
            RawFrame::Binary(_) => panic!("a binary frame"),
        }
    }
    works(&world, 1, 1).await;
    assert_eq!(witness.closed(), None);
}

on_each_store!(a_polling_body_over_the_limit_is_413);
async fn a_polling_body_over_the_limit_is_413(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1]).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let open = http::request(world.addr(), "GET", path, None, None)
        .await
        .unwrap();
    let open: Value = serde_json::from_str(open.text().strip_prefix('0').unwrap()).unwrap();
    let session = format!("{path}&sid={}", open["sid"].as_str().unwrap());
    let post = async |body: &str| {
        let headers = [("Content-Type", "text/plain;charset=UTF-8")];
        http::request_with(world.addr(), "POST", &session, &headers, body.as_bytes())
            .await
            .unwrap()
            .status
    };
    let connect = format!("40{}", json!({"token": world.token(1)}));
    assert_eq!(post(&connect).await, 200);
    let poll = async || {
        http::request(world.addr(), "GET", &session, None, None)
            .await
            .unwrap()
            .text()
    };
    while !poll().await.contains("40{") {}
    assert_eq!(post(&frame_of(FRAME_BYTES)).await, 200);
    while !poll().await.contains("437[{\"success\":true") {}
    assert_eq!(post(&frame_of(FRAME_BYTES + 1)).await, 413);
    works(&world, 1, 1).await;
}

on_each_store!(
    a_socket_that_sends_too_much_is_read_as_it_is_answered,
    worker_threads = 2
);
async fn a_socket_that_sends_too_much_is_read_as_it_is_answered(store: Store) {
    const FLOOD: usize = 20_000;
    let world = World::start_with(store, &[("SEALROOM_LIMIT_SENDS_PER_USER", "off")]).await;
    world.group(1, [1]).await;
    let client = world.socket(1).await;
    let message = json!({"group_id": 1, "encrypted_content": "x".repeat(256)});
    let sends: Vec<_> = (0..FLOOD)
        .map(|_| client.request("send_message", message.clone()))
        .collect();
    let mut stored = 0;
    for send in sends {
        let ack = send.answer().await.unwrap();
        if ack["success"] == true {
            stored += 1;
        } else {
            assert_eq!(ack["code"], "rate_limited", "{ack}");
        }
    }
    println!("{stored} of {FLOOD} stored");
    // Read as fast as it sends, it would have had a place for hardly more than one in a hundred.
    assert!(stored >= FLOOD / 4, "{stored}");
}

on_each_store!(
    who_writes_too_often_is_not_refused_as_fast_as_it_asks,
    worker_threads = 2
);
async fn who_writes_too_often_is_not_refused_as_fast_as_it_asks(store: Store) {
    const FLOOD: usize = 2_000;
    let world = World::start_with(store, &[("SEALROOM_LIMIT_SENDS_PER_USER", "50:200")]).await;
    world.group(1, [1]).await;
    let client = world.socket(1).await;
    let message = json!({"group_id": 1, "encrypted_content": "x".repeat(256)});
    let begin = Instant::now();
    let sends: Vec<_> = (0..FLOOD)
        .map(|_| client.request("send_message", message.clone()))
        .collect();
    let mut refused = 0;
    for send in sends {
        let ack = send.answer().await.unwrap();
        refused += usize::from(ack["code"] == "rate_limited");
    }
    println!("{refused} of {FLOOD} refused in {:.1?}", begin.elapsed());
    assert!(refused >= FLOOD / 2, "{refused}");
    // 13 of them are 4 KiB, which are read every 20 ms; what a first read takes comes on top.
    assert!(begin.elapsed() > Duration::from_secs(1), "{:?}", begin.elapsed());
}

on_each_store!(
    of_a_flood_of_sends_some_are_refused_for_now_and_all_are_answered,
    worker_threads = 2
);
async fn of_a_flood_of_sends_some_are_refused_for_now_and_all_are_answered(store: Store) {
    const FLOOD: usize = 4000;
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let client = world.socket(1).await;
    let other = world.joined(2, 1).await;
    let sends: Vec<_> = (0..FLOOD)
        .map(|number| {
            let message = json!({"group_id": 1, "encrypted_content": number.to_string()});
            client.request("send_message", message)
        })
        .collect();
    // Others are answered meanwhile, and so is what this socket asks besides.
    let calm = json!({"group_id": 1, "encrypted_content": "calm"});
    succeed(&other, "send_message", calm).await;
    succeed(&client, "get_entries", json!({"group_id": 1})).await;

    let mut stored = Vec::new();
    let mut refused = 0;
    for (number, send) in sends.into_iter().enumerate() {
        let ack = send.answer().await.unwrap();
        if ack["success"] == true {
            stored.push(number.to_string());
        } else {
            assert_eq!(
                (&ack["code"], &ack["retryable"]),
                (&json!("rate_limited"), &json!(true)),
                "{ack}"
            );
            assert!(self::number(&ack["retry_after_ms"]) > 0);
            refused += 1;
        }
    }
    println!("{} of {FLOOD} stored, {refused} refused", stored.len());
    assert!(refused > 0 && stored.len() >= 64);
    let acks = client
        .received()
        .iter()
        .filter(|one| matches!(one.kind(), Kind::Ack(_)))
        .count();
    assert_eq!(acks, FLOOD + 1, "one answer each");
    let log = world.log(1).await;
    let contents = log.iter().filter(|entry| entry["sender_id"] == 1);
    let contents: Vec<_> = contents
        .map(|entry| entry["encrypted_content"].as_str().unwrap())
        .collect();
    assert!(
        contents.into_iter().eq(&stored),
        "what was acknowledged, in the order sent"
    );
    // It goes on as if nothing had been.
    let after = json!({"group_id": 1, "encrypted_content": "after"});
    succeed(&client, "send_message", after).await;
    assert_eq!(other.closed(), None);
}

on_each_store!(a_socket_joins_so_many_groups_and_no_more);
async fn a_socket_joins_so_many_groups_and_no_more(store: Store) {
    let world = World::of(TestServer::start_on(store, &[("SEALROOM_LIMIT_GROUPS_PER_SOCKET", "3")]).await);
    for group_id in 1..=4 {
        world.group(group_id, [1]).await;
    }
    let client = world.socket(1).await;
    let join = async |group_id: u64| {
        client
            .emit_with_ack("join_group", json!({"group_id": group_id}))
            .await
            .unwrap()
    };
    for group_id in 1..=3 {
        assert_eq!(join(group_id).await["success"], true);
    }
    let refused = json!({
        "success": false, "error": "Limit reached", "code": "limit_exceeded", "retryable": false, "limit": 3,
    });
    assert_eq!(join(4).await, refused);
    assert_eq!(join(3).await["success"], true, "joining once more takes no place");
    // A group that it may not join takes none either; one that it leaves gives it back, however it does.
    assert_eq!(join(9).await["code"], "not_a_member");
    succeed(&client, "leave_group", json!({"group_id": 1})).await;
    assert_eq!(join(4).await["success"], true);
    assert_eq!(join(1).await, refused);
    world.remove(2, 1).await;
    assert_eq!(join(1).await["success"], true);
    assert_eq!(
        client.next_event("removed_from_group").await.unwrap(),
        json!({"group_id": 2, "reason": "removed"})
    );
    // Its messages need no join.
    world.add(2, 1).await;
    succeed(
        &client,
        "send_message",
        json!({"group_id": 2, "encrypted_content": "x"}),
    )
    .await;
    // Another socket of the same user has places of its own.
    works(&world, 1, 2).await;
}
