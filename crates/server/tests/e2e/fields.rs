//! Keys with values that they may not have, and those that a request may have besides.

use serde_json::{Value, json};

use crate::{
    common::Store,
    probe::{EVENTS, Probe, works},
    world::{World, succeed},
};

/// JSON that is no integer from 1 to 2^53 - 1.
const NO_ID: [&str; 17] = [
    "\"1\"",
    "\"\"",
    "1.0",
    "1e0",
    "1e3",
    "1.5",
    "-1",
    "-0",
    "0",
    "true",
    "false",
    "[1]",
    "{\"id\":1}",
    "9007199254740992",
    "9223372036854775808",
    "18446744073709551617",
    "1e400",
];

/// JSON that is no text at all, or one with what no text may hold.
const NO_TEXT: [&str; 8] = [
    "5",
    "true",
    "[\"x\"]",
    "{\"x\":\"x\"}",
    r#""a\u0000b""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""""#,
];

/// A good request with one key more, or another value for a key.
fn with(event: &str, key: &str, value: &str) -> String {
    let mut keys = vec![("group_id", "1")];
    if ["send_message", "edit_message"].contains(&event) {
        keys.push(("encrypted_content", "\"x\""));
    }
    if ["edit_message", "delete_message", "mark_read"].contains(&event) {
        keys.push(("seq", "1"));
    }
    if event == "typing" {
        keys.push(("is_typing", "true"));
    }
    keys.retain(|(other, _)| *other != key);
    keys.push((key, value));
    let keys: Vec<_> = keys
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!(",{{{}}}", keys.join(","))
}

on_each_store!(values_of_the_wrong_kind_are_refused_with_their_key);
async fn values_of_the_wrong_kind_are_refused_with_their_key(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let mut probe = Probe::connect(&world, 1, 1).await;
    for event in EVENTS {
        for value in NO_ID.into_iter().chain(["null"]) {
            probe
                .invalid(event, &with(event, "group_id", value), Some("group_id"))
                .await;
        }
    }
    let integers = [
        ("join_group", "after_seq"),
        ("join_group", "limit"),
        ("get_entries", "after_seq"),
        ("get_entries", "before_seq"),
        ("get_entries", "limit"),
        ("send_message", "key_epoch"),
        ("edit_message", "key_epoch"),
        ("edit_message", "seq"),
        ("delete_message", "seq"),
        ("mark_read", "seq"),
    ];
    for (event, key) in integers {
        for value in NO_ID {
            let is_right = match value {
                // A place and an epoch may be 0.
                "0" => key != "limit",
                // Far more than a page holds, which is capped.
                "9007199254740992" => key == "limit",
                _ => false,
            };
            if !is_right {
                probe.invalid(event, &with(event, key, value), Some(key)).await;
            }
        }
    }
    let texts = [
        ("join_group", "log_id"),
        ("send_message", "client_message_id"),
        ("send_message", "encrypted_content"),
        ("edit_message", "encrypted_content"),
    ];
    let [long, not_ascii, control] = [
        format!("\"{}\"", "x".repeat(65)),
        "\"é\"".into(),
        r#""a\tb""#.into(),
    ];
    for (event, key) in texts {
        for value in NO_TEXT {
            probe.invalid(event, &with(event, key, value), Some(key)).await;
        }
        let more: &[&String] = match key {
            "log_id" => &[&long, &control],
            "client_message_id" => &[&long, &not_ascii, &control],
            _ => &[],
        };
        for value in more {
            probe.invalid(event, &with(event, key, value), Some(key)).await;
        }
    }
    let absent = ",{\"group_id\":1}";
    probe
        .invalid("send_message", absent, Some("encrypted_content"))
        .await;
    let both = with("get_entries", "after_seq", "1,\"before_seq\":2");
    probe.invalid("get_entries", &both, Some("before_seq")).await;
    works(&world, 2, 1).await;
    let stored = world.log(1).await;
    assert_eq!(stored.len(), 3, "two members and one good message: {stored:?}");
}

on_each_store!(keys_that_come_twice_are_refused);
async fn keys_that_come_twice_are_refused(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1]).await;
    let mut probe = Probe::connect(&world, 1, 1).await;
    for event in EVENTS {
        for args in [
            with(event, "group_id", "1,\"group_id\":1"),
            with(event, "group_id", "1,\"group_id\":null"),
            with(event, "group_id", r#"1,"group\u005fid":1"#),
        ] {
            probe.invalid(event, &args, None).await;
        }
    }
    let twice = with(
        "send_message",
        "encrypted_content",
        r#""x","encrypted_content":"y""#,
    );
    probe.invalid("send_message", &twice, None).await;
}

on_each_store!(null_is_absent_and_unknown_keys_change_nothing);
async fn null_is_absent_and_unknown_keys_change_nothing(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let client = world.socket(1).await;
    let message = json!({
        "group_id": 1, "encrypted_content": "x", "client_message_id": null, "key_epoch": null, "user_id": 2,
        "sender_id": 2, "sender_name": "somebody else", "seq": 77, "id": 77, "is_admin": true, "type": "member_added",
        "timestamp": "1970-01-01T00:00:00.000Z", "__proto__": {"user_id": 2}, "more": [[{"x": null}]],
    });
    let ack = succeed(&client, "send_message", message).await;
    let message = &ack["message"];
    assert_eq!(
        (&message["sender_id"], &message["seq"], &message["sender_name"]),
        (&json!(1), &json!(3), &json!("Unknown"))
    );
    assert_eq!(
        (&message["client_message_id"], &message["key_epoch"]),
        (&Value::Null, &Value::Null)
    );
    let join = json!({"group_id": 1, "after_seq": null, "log_id": null, "limit": null, "user_id": 2});
    let ack = succeed(&client, "join_group", join).await;
    assert_eq!((&ack["recovered"], &ack["entries"]), (&json!(false), &json!([])));
    let page = json!({"group_id": 1, "after_seq": null, "before_seq": null, "limit": null, "is_admin": true});
    let ack = succeed(&client, "get_entries", page).await;
    assert_eq!(ack["entries"].as_array().unwrap().len(), 3);
    succeed(
        &client,
        "leave_group",
        json!({"group_id": 1, "limit": "x", "user_id": 2}),
    )
    .await;
}

on_each_store!(an_outsider_hears_the_same_as_for_a_group_that_does_not_exist);
async fn an_outsider_hears_the_same_as_for_a_group_that_does_not_exist(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 3]).await;
    world.group(5, [3]).await;
    let outsider = Probe::connect(&world, 1, 1).await.client;
    for event in EVENTS {
        let mut answers = Vec::new();
        for group_id in [5, 6] {
            let request = json!({
                "group_id": group_id, "encrypted_content": "x", "after_seq": 0, "seq": 1, "is_typing": true,
            });
            let request = outsider.request(event, request);
            let id = request.id();
            let frame = request.received().await.unwrap().frame().to_owned();
            let prefix = format!("43{id}");
            answers.push(frame.strip_prefix(&prefix).unwrap().to_owned());
        }
        let [present, absent] = [&answers[0], &answers[1]];
        if event == "leave_group" {
            // Harmless, and tells nothing.
            assert_eq!(*present, "[{\"success\":true,\"group_id\":5}]");
            assert_eq!(*absent, "[{\"success\":true,\"group_id\":6}]");
        } else {
            assert!(present.contains("\"not_a_member\""), "{present}");
            assert_eq!(present, absent);
        }
    }
    for group_id in [5, 6] {
        outsider.emit("join_group", json!({"group_id": group_id}));
        assert_eq!(
            outsider.next_event("request_error").await.unwrap(),
            json!({"event": "join_group", "code": "not_a_member", "error": "Not a member of this group"})
        );
    }
}
