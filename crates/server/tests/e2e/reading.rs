//! Read marks and typing.

use std::time::Duration;

use sealroom_testkit::client::Client;
use serde_json::{Value, json};

use crate::{
    common::Store,
    world::{World, ask, heard, send, succeed, verdict},
};

/// A request of the user that must be refused for what is at fault with this key.
fn is_invalid(ack: &Value, field: &str) -> bool {
    ack["code"] == "invalid_data" && ack["field"] == field
}

on_each_store!(a_read_mark_goes_forward_and_is_told_to_those_who_joined);
async fn a_read_mark_goes_forward_and_is_told_to_those_who_joined(store: Store) {
    let mut world = World::start_on(store).await;
    world.group(1, [1, 2, 3]).await;
    let (reader, listener) = (world.joined(1, 1).await, world.joined(2, 1).await);
    let second = world.joined(1, 1).await;
    let elsewhere = world.socket(3).await;
    for content in ["a", "b", "c"] {
        send(&listener, 1, content).await;
    }
    let rows = [
        (4, 4, 2),
        // Backwards it does not go, and not beyond the end.
        (0, 4, 2),
        (3, 4, 2),
        (5, 5, 1),
        (9_007_199_254_740_991_u64, 6, 0),
    ];
    for (seq, read_seq, unread) in rows {
        let ack = succeed(&reader, "mark_read", json!({"group_id": 1, "seq": seq})).await;
        assert_eq!(
            ack,
            json!({"success": true, "read_seq": read_seq, "unread": unread}),
            "{seq}"
        );
    }
    // The user's other sockets hear it as well, and so know what was read elsewhere.
    let last = json!({"group_id": 1, "user_id": 1, "read_seq": 6});
    assert_eq!(heard(&second, "read").await.last(), Some(&last));
    assert_eq!(heard(&reader, "read").await.len(), 0);
    let told = heard(&listener, "read").await;
    assert!(
        told.iter()
            .all(|read| read["group_id"] == 1 && read["user_id"] == 1),
        "{told:?}"
    );
    let places: Vec<_> = told.iter().map(|read| read["read_seq"].clone()).collect();
    assert_eq!(places.last(), Some(&json!(6)));
    assert!(
        places.contains(&json!(4)) && places.contains(&json!(5)),
        "{told:?}"
    );
    assert_eq!(told[0], json!({"group_id": 1, "user_id": 1, "read_seq": 4}));
    assert_eq!(heard(&elsewhere, "read").await.len(), 0);

    // It survives a restart, and is each user's own.
    world.server.restart();
    for (user_id, read_seq, unread) in [(1, 6, 0), (2, 0, 6)] {
        let groups = world.user(user_id, "GET", "/groups", None).await.json();
        let group = &groups["groups"][0];
        assert_eq!(
            (&group["read_seq"], &group["unread"]),
            (&json!(read_seq), &json!(unread))
        );
    }
    assert_eq!(world.log(1).await.len(), 6, "reading is no entry");
}

on_each_store!(a_read_mark_over_http_is_the_same_mark);
async fn a_read_mark_over_http_is_the_same_mark(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let listener = world.joined(2, 1).await;
    for content in ["a", "b", "c"] {
        send(&listener, 1, content).await;
    }
    let answer = world.user(1, "PUT", "/groups/1/read", json!({"seq": 4})).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"read_seq": 4, "unread": 1}))
    );
    let told = listener.next_event("read").await.unwrap();
    assert_eq!(told, json!({"group_id": 1, "user_id": 1, "read_seq": 4}));
    let ack = succeed(
        &world.socket(1).await,
        "mark_read",
        json!({"group_id": 1, "seq": 3}),
    )
    .await;
    assert_eq!((&ack["read_seq"], &ack["unread"]), (&json!(4), &json!(1)));
    let group = world.user(1, "GET", "/groups/1", None).await.json();
    assert_eq!((&group["read_seq"], &group["unread"]), (&json!(4), &json!(1)));
    let answer = world.user(3, "PUT", "/groups/1/read", json!({"seq": 1})).await;
    assert_eq!(verdict(&answer), (403, "not_a_member".into()));
    for body in [
        json!({}),
        json!({"seq": "1"}),
        json!({"seq": -1}),
        json!({"seq": 1, "more": 1}),
    ] {
        let answer = world.user(1, "PUT", "/groups/1/read", body.clone()).await;
        assert_eq!(verdict(&answer), (400, "invalid_data".into()), "{body}");
    }
}

on_each_store!(typing_is_told_to_the_others_and_never_kept);
async fn typing_is_told_to_the_others_and_never_kept(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2, 3]).await;
    let (writer, second) = (world.joined(1, 1).await, world.joined(1, 1).await);
    let (listener, elsewhere) = (world.joined(2, 1).await, world.socket(3).await);
    for is_typing in [true, false] {
        let ack = succeed(&writer, "typing", json!({"group_id": 1, "is_typing": is_typing})).await;
        assert_eq!(ack, json!({"success": true}));
        let told = json!({"group_id": 1, "user_id": 1, "is_typing": is_typing});
        assert_eq!(listener.next_event("typing").await.unwrap(), told);
    }
    // A member need not have joined to type; without an ack id it is the same.
    elsewhere.emit("typing", json!({"group_id": 1, "is_typing": true}));
    let told = json!({"group_id": 1, "user_id": 3, "is_typing": true});
    for client in [&writer, &second, &listener] {
        loop {
            let next = client.next_event("typing").await.unwrap();
            if next["user_id"] == 3 {
                assert_eq!(next, told);
                break;
            }
        }
    }
    let own = heard(&writer, "typing").await;
    assert!(
        own.iter().all(|typing| typing["user_id"] != 1),
        "told to itself: {own:?}"
    );
    assert_eq!(heard(&elsewhere, "typing").await.len(), 0);
    assert_eq!(world.log(1).await.len(), 3);

    world.remove(1, 2).await;
    let ack = ask(&listener, "typing", json!({"group_id": 1, "is_typing": true})).await;
    assert_eq!(ack["code"], "not_a_member");
    succeed(&writer, "typing", json!({"group_id": 1, "is_typing": true})).await;
    let late = listener
        .next_event_within("typing", Duration::from_millis(50))
        .await;
    assert!(
        !late.unwrap().is_some_and(|typing| typing["user_id"] == 1),
        "told to whoever is gone"
    );
}

on_each_store!(marks_and_typing_are_refused_where_they_are_wrong);
async fn marks_and_typing_are_refused_where_they_are_wrong(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1]).await;
    let (member, outsider) = (world.socket(1).await, world.socket(2).await);
    for group_id in [1, 9] {
        for (event, payload) in [
            ("mark_read", json!({"group_id": group_id, "seq": 1})),
            ("typing", json!({"group_id": group_id, "is_typing": true})),
        ] {
            let ack = ask(&outsider, event, payload.clone()).await;
            assert_eq!(ack["code"], "not_a_member", "{event} {payload}");
            outsider.emit(event, payload);
            let told = outsider.next_event("request_error").await.unwrap();
            assert_eq!(
                (&told["event"], &told["code"]),
                (&json!(event), &json!("not_a_member"))
            );
        }
    }
    for seq in ["-1", "1.0", "\"1\"", "true", "null", "9007199254740992"] {
        let ack = member.emit_with_ack("mark_read", format!("{{\"group_id\":1,\"seq\":{seq}}}"));
        assert!(is_invalid(&ack.await.unwrap(), "seq"), "{seq}");
    }
    for is_typing in ["1", "0", "\"true\"", "null", "[]"] {
        let ack = member.emit_with_ack("typing", format!("{{\"group_id\":1,\"is_typing\":{is_typing}}}"));
        assert!(is_invalid(&ack.await.unwrap(), "is_typing"), "{is_typing}");
    }
}

on_each_store!(typing_is_left_out_where_a_socket_is_busy, worker_threads = 2);
async fn typing_is_left_out_where_a_socket_is_busy(store: Store) {
    const MESSAGES: usize = 150;
    let settings = [
        ("SEALROOM_LIMIT_OUTBOUND_BYTES", "off"),
        ("SEALROOM_LIMIT_WRITE_STALL", "off"),
    ];
    let world = World::start_with(store, &settings).await;
    world.group(1, [1, 2]).await;
    let token = world.token(1);
    let busy = Client::builder(world.addr()).token(&token).receive_buffer(4096);
    let busy = busy.connect().await.unwrap();
    succeed(&busy, "join_group", json!({"group_id": 1})).await;
    let writer = world.socket(2).await;
    busy.pause_reading();
    // More than the kernels take.
    let content = "x".repeat(60_000);
    for _ in 0..MESSAGES {
        send(&writer, 1, &content).await;
    }
    succeed(&writer, "typing", json!({"group_id": 1, "is_typing": true})).await;
    busy.resume_reading();
    for _ in 0..MESSAGES {
        busy.next_event("new_message").await.unwrap();
    }
    succeed(&writer, "typing", json!({"group_id": 1, "is_typing": false})).await;
    let told = busy.next_event("typing").await.unwrap();
    assert_eq!(told, json!({"group_id": 1, "user_id": 2, "is_typing": false}));
}
