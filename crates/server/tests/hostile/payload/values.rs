//! Values of keys: U+0000, ids, contents, keys that are nobody's business, numbers, and ids of messages.

use serde_json::{Value, json};

use super::{check, http, refusal, with};
use crate::{
    peer::{Frame, Peer},
    probe::{EVENTS, Probe},
    target::{ALICE, GROUP, MALLORY, Target},
    world::{ask, log_over_socket, send, succeed},
};

/// JSON that is no integer from 1 to 2^53 - 1.
const NO_ID: [&str; 26] = [
    "\"1\"",
    "\"\"",
    "\" 1\"",
    "1.0",
    "1.00",
    "1e0",
    "1E0",
    "1e3",
    "10e-1",
    "1.5",
    "-1",
    "-0",
    "-0.0",
    "0",
    "0.0",
    "true",
    "false",
    "[1]",
    "[]",
    "{}",
    "{\"id\":1}",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551617",
    "1e400",
];

pub(super) async fn pl_4_nul_in_any_string(target: &mut Target) {
    let before = target.world.log(GROUP).await;
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for (event, key) in [
        ("send_message", "encrypted_content"),
        ("send_message", "client_message_id"),
        ("edit_message", "encrypted_content"),
        ("join_group", "log_id"),
        ("refresh_token", "token"),
        ("send_message", "group_id"),
        ("mark_read", "seq"),
        ("typing", "is_typing"),
    ] {
        for value in [
            r#""\u0000""#,
            r#""a\u0000""#,
            r#""\u0000a""#,
            r#""a\u0000b""#,
            r#""\\\u0000""#,
        ] {
            probe.invalid(event, &with(event, key, value), Some(key)).await;
        }
    }
    // The six characters of the escape itself are a text like any other.
    let escape = r#"{"group_id":1,"encrypted_content":"\\u0000"}"#;
    let ack = probe.client.emit_with_ack("send_message", escape).await.unwrap();
    assert_eq!(ack["message"]["encrypted_content"], r"\u0000");
    // In a key it makes the key another one.
    for event in EVENTS {
        probe
            .invalid(
                event,
                &with(event, "group_id", "null,\"group_id\\u0000\":1"),
                Some("group_id"),
            )
            .await;
    }
    let ack = probe.ask("nothing", ",{\"a\":\"\\u0000\"}").await;
    assert_eq!(ack["code"], "unknown_event");
    drop(probe);
    // A NUL as it is makes no JSON.
    for text in [
        "427[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"a\0b\"}]",
        "427[\"send_message\0\",{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        "427[\"send_message\",\0{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        "42\07[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        "\0427[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        "\0",
        "4\0",
    ] {
        check(target, &[Frame::text(text)], "closed").await;
    }
    for token in [r#""\u0000""#, r#""a.b.\u0000c""#] {
        let mut peer = Peer::websocket(target.addr()).await;
        peer.say(&format!("40{{\"token\":{token}}}")).await;
        assert_eq!(peer.packet().await, "44{\"message\":\"token_invalid\"}");
    }
    let admin = target.world.server.mint_admin();
    for (line, body, field) in [
        ("POST /groups", r#"{"name":"a\u0000"}"#, Some("name")),
        ("PUT /groups/7", r#"{"name":"\u0000"}"#, Some("name")),
        ("PATCH /groups/1", r#"{"name":"a\u0000b"}"#, Some("name")),
        (
            "PUT /groups/1/members/2",
            r#"{"role":"member\u0000"}"#,
            Some("role"),
        ),
        (
            "PUT /users/7",
            r#"{"display_name":"a\u0000b"}"#,
            Some("display_name"),
        ),
        (
            "PUT /users/7",
            r#"{"display_name":"a","username":"b\u0000"}"#,
            Some("username"),
        ),
        (
            "POST /groups/1/messages",
            r#"{"encrypted_content":"\u0000"}"#,
            Some("encrypted_content"),
        ),
        ("POST /groups", "{\"name\":\"a\0\"}", None),
        ("POST /groups", "{\"na\0me\":\"a\"}", None),
        ("POST /groups/1/messages", "{\"encrypted_content\":\"a\0\"}", None),
        ("POST /groups/1/messages", "{\"encrypted_content\":\"a\"}\0", None),
        ("GET /groups/1/messages?after_seq=1%00", "", Some("after_seq")),
        ("GET /groups/1/entries?limit=%00", "", Some("limit")),
    ] {
        let answer = http(target, &admin, line, body.as_bytes()).await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), field.map(str::to_owned)),
            "{line} {body}"
        );
    }
    for (line, status, field) in [
        ("GET /groups/1%00", 400, Some("group_id")),
        ("GET /groups/%00", 400, Some("group_id")),
        ("GET /groups/1%00/entries", 400, Some("group_id")),
        ("DELETE /groups/1/members/2%00", 400, Some("user_id")),
        ("POST /users/7%00/revoke", 400, Some("user_id")),
        ("GET /me%00", 404, None),
    ] {
        let answer = http(target, &admin, line, b"").await;
        let (came, _, key) = refusal(&answer);
        assert_eq!((came, key.as_deref()), (status, field), "{line}");
    }
    let log = target.world.log(GROUP).await;
    assert_eq!(log[..before.len()], before);
    assert_eq!(log.len(), before.len() + 1);
}

pub(super) async fn pl_6_ids_have_one_spelling(target: &mut Target) {
    // Group 5 is there, so an alias of it would be taken in.
    target.world.group(5, [MALLORY, ALICE]).await;
    let listener = target.world.joined(ALICE, 5).await;
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for event in EVENTS {
        for value in NO_ID.into_iter().chain(["null"]) {
            probe
                .invalid(event, &with(event, "group_id", value), Some("group_id"))
                .await;
        }
        for value in ["\"5\"", "5.0", "5e0", "[5]", "50e-1", "\"\\u0035\"", "{\"5\":5}"] {
            probe
                .invalid(event, &with(event, "group_id", value), Some("group_id"))
                .await;
        }
    }
    for (event, key) in [
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
    ] {
        for value in NO_ID {
            // A place and an epoch may be 0, and a page of any length is only capped.
            let may = match value {
                "0" => key != "limit",
                "9007199254740992" | "9223372036854775807" => key == "limit",
                _ => false,
            };
            if !may {
                probe.invalid(event, &with(event, key, value), Some(key)).await;
            }
        }
    }
    // The largest id is an id, and the one above it would be it in a client that counts in floats.
    const LARGEST: u64 = 9_007_199_254_740_991;
    assert_eq!(
        ask(&probe.client, "join_group", json!({"group_id": LARGEST})).await["code"],
        "not_a_member"
    );
    target.world.group(LARGEST, [MALLORY, LARGEST]).await;
    let largest = target.world.joined(LARGEST, LARGEST).await;
    let message = send(&largest, LARGEST, "x").await;
    assert_eq!(
        (&message["group_id"], &message["sender_id"]),
        (&json!(LARGEST), &json!(LARGEST))
    );
    let admin = target.world.server.mint_admin();
    for id in [
        "05",
        "%2B5",
        "+5",
        "-5",
        "5.0",
        "5e0",
        "0x5",
        "5%20",
        "%205",
        "%D9%A5",
        "0",
        "00",
        "x",
        "\"5\"",
        "[5]",
        "9007199254740992",
        "9223372036854775808",
        "18446744073709551621",
        "%2e%2e",
        "5;1",
        "5,1",
        "null",
        "true",
    ] {
        for line in [
            format!("GET /groups/{id}"),
            format!("GET /groups/{id}/members"),
            format!("DELETE /groups/{id}"),
            format!("GET /groups/{id}/entries"),
            format!("DELETE /groups/5/members/{id}"),
            format!("POST /users/{id}/revoke"),
        ] {
            let answer = http(target, &admin, &line, b"").await;
            let (status, code, _) = refusal(&answer);
            assert_eq!((status, &*code), (400, "invalid_data"), "{line}");
        }
    }
    for value in NO_ID.into_iter().chain(["null"]) {
        let body = format!("{{\"name\":\"a\",\"members\":[{value}]}}");
        let answer = http(target, &admin, "POST /groups", body.as_bytes()).await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some("members".into())),
            "{value}"
        );
    }
    // Nothing came of any of them.
    assert_eq!(target.world.log(5).await.len(), 2);
    succeed(&listener, "get_entries", json!({"group_id": 5})).await;
    assert!(listener.events().is_empty(), "{:?}", listener.events());
}

pub(super) async fn pl_7_contents(target: &mut Target) {
    const LIMIT: usize = 65_536;
    let controls: String = ('\u{1}'..'\u{20}').chain('\u{7f}'..'\u{a0}').collect();
    let good = [
        "x".repeat(LIMIT),
        "é".repeat(LIMIT / 2),
        "語".repeat(LIMIT / 3),
        "🦀".repeat(LIMIT / 4),
        "x".into(),
        " ".into(),
        controls,
        "\u{feff}\u{2028}\u{2029}\u{fffd}\u{ffff}\u{10ffff}".into(),
        "e\u{301} is not \u{e9}".into(),
        "no base64 at all!".into(),
        "AAAA".into(),
        "null".into(),
        r#"{"iv":"x","__proto__":1}"#.into(),
        r#"[{"success":true}]"\u0000\"#.into(),
        "42[\"new_message\",{}]".into(),
        "'; DROP TABLE messages; --".into(),
        "\\x00 \\000 \\' $1 %s {}".into(),
        "<script>alert(1)</script>".into(),
    ];
    let sender = target.world.socket(MALLORY).await;
    let receiver = target.world.joined(ALICE, GROUP).await;
    let first = send(&sender, GROUP, "first").await["seq"].take();
    receiver.next_event("new_message").await.unwrap();
    for content in &good {
        let message = send(&sender, GROUP, content).await;
        assert!(message["encrypted_content"] == **content, "{content:.40}");
        assert!(receiver.next_event("new_message").await.unwrap() == message);
        let edit = json!({"group_id": GROUP, "seq": first, "encrypted_content": content});
        let entry = succeed(&sender, "edit_message", edit).await["entry"].take();
        assert!(entry["encrypted_content"] == **content, "{content:.40}");
        let body = json!({"encrypted_content": content});
        let answer = target
            .world
            .user(MALLORY, "POST", "/groups/1/messages", body)
            .await;
        let message = answer.json()["message"].take();
        assert!(answer.status == 201 && message["encrypted_content"] == **content);
        assert!(receiver.next_event("new_message").await.unwrap() == message);
    }
    // Escaped in another way than the server writes it.
    let escaped = r#"{"group_id":1,"encrypted_content":"\u0041\u00e9\ud83e\udd80\/\u000a"}"#;
    let ack = sender.emit_with_ack("send_message", escaped).await.unwrap();
    assert_eq!(ack["message"]["encrypted_content"], "Aé🦀/\n");
    let stored = target.world.log(GROUP).await;
    assert!(log_over_socket(&sender, GROUP).await == stored);
    let contents = |kind: &str| -> Vec<_> {
        let of_kind = stored.iter().filter(|entry| entry["type"] == kind);
        of_kind
            .map(|entry| entry["encrypted_content"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut expected = vec!["first".to_owned()];
    expected.extend(good.iter().flat_map(|content| [content.clone(), content.clone()]));
    expected.push("Aé🦀/\n".to_owned());
    assert!(contents("new_message") == expected);
    assert!(contents("message_edited") == good);

    let too_large = json!({
        "success": false, "error": "Message too large", "code": "payload_too_large", "retryable": false,
        "limit_bytes": LIMIT,
    });
    for content in [
        "x".repeat(LIMIT + 1),
        "é".repeat(LIMIT / 2 + 1),
        "🦀".repeat(LIMIT / 4) + "x",
        "x".repeat(130_000),
    ] {
        let message = json!({"group_id": GROUP, "seq": first, "encrypted_content": content});
        for event in ["send_message", "edit_message"] {
            assert_eq!(ask(&sender, event, message.clone()).await, too_large);
        }
        let body = json!({"encrypted_content": content});
        let answer = target
            .world
            .user(MALLORY, "POST", "/groups/1/messages", body)
            .await;
        assert_eq!(
            (answer.status, &answer.json()["limit_bytes"]),
            (413, &json!(LIMIT))
        );
    }
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for value in [
        "\"\"",
        "null",
        "5",
        "true",
        "[]",
        "[\"x\"]",
        "{}",
        "{\"iv\":\"x\",\"data\":\"y\"}",
    ] {
        for event in ["send_message", "edit_message"] {
            probe
                .invalid(
                    event,
                    &with(event, "encrypted_content", value),
                    Some("encrypted_content"),
                )
                .await;
        }
        let body = format!("{{\"encrypted_content\":{value}}}");
        let answer = http(
            target,
            &target.world.token(MALLORY),
            "POST /groups/1/messages",
            body.as_bytes(),
        )
        .await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some("encrypted_content".into())),
            "{value}"
        );
    }
    // What is larger than a frame may be ends its connection; over HTTP it is refused.
    let huge = "x".repeat(1_000_000);
    let event = format!("427[\"send_message\",{{\"group_id\":1,\"encrypted_content\":\"{huge}\"}}]");
    check(target, &[Frame::text(&event)], "closed").await;
    let body = json!({"encrypted_content": huge});
    let answer = target
        .world
        .user(MALLORY, "POST", "/groups/1/messages", body)
        .await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (413, &json!("payload_too_large"))
    );
    assert!(target.world.log(GROUP).await == stored);
}

pub(super) async fn pl_8_keys_that_say_who_and_when(target: &mut Target) {
    let client = target.world.socket(MALLORY).await;
    let alice = target.world.joined(ALICE, GROUP).await;
    let forged = json!({
        "group_id": GROUP, "encrypted_content": "x", "client_message_id": null, "key_epoch": null, "user_id": ALICE,
        "sender_id": ALICE, "sender_name": "somebody else", "seq": 77, "id": 77, "is_admin": true, "role": "owner",
        "scope": "admin", "epoch": 9, "type": "member_added", "actor_id": ALICE, "target_seq": 1, "deleted": true,
        "timestamp": "1970-01-01T00:00:00.000Z", "__proto__": {"user_id": ALICE}, "more": [[{"x": null}]],
    });
    let head = target.world.log(GROUP).await.len();
    let ack = succeed(&client, "send_message", forged.clone()).await;
    let message = &ack["message"];
    let keys = [
        "sender_id",
        "sender_name",
        "seq",
        "client_message_id",
        "key_epoch",
        "group_id",
    ];
    let expected = json!([MALLORY, "Unknown", head + 1, null, null, GROUP]);
    assert_eq!(Value::from_iter(keys.map(|key| message[key].clone())), expected);
    assert_ne!(message["id"], 77);
    assert!(message["timestamp"].as_str().unwrap() > "2024", "{message}");
    assert_eq!(message.as_object().unwrap().len(), 9, "{message}");
    assert_eq!(alice.next_event("new_message").await.unwrap(), *message);

    // They open nothing: what is Alice's stays hers.
    let hers = send(&alice, GROUP, "of Alice").await["seq"].take();
    for event in ["edit_message", "delete_message"] {
        let mut request = forged.clone();
        request["seq"] = hers.clone();
        assert_eq!(ask(&client, event, request).await["code"], "forbidden", "{event}");
    }
    let outsider = target.world.socket(crate::target::OUTSIDER).await;
    for event in EVENTS {
        let mut request = forged.clone();
        request["is_typing"] = json!(true);
        let ack = ask(&outsider, event, request).await;
        let expected = if event == "leave_group" {
            &Value::Null
        } else {
            &json!("not_a_member")
        };
        assert_eq!(&ack["code"], expected, "{event}");
    }
    // What is typed and read is told as of the token's user.
    client.emit(
        "typing",
        json!({"group_id": GROUP, "is_typing": true, "user_id": ALICE}),
    );
    assert_eq!(alice.next_event("typing").await.unwrap()["user_id"], MALLORY);
    succeed(
        &client,
        "mark_read",
        json!({"group_id": GROUP, "seq": 1, "user_id": ALICE, "read_seq": 3}),
    )
    .await;
    assert_eq!(
        alice.next_event("read").await.unwrap(),
        json!({"group_id": GROUP, "user_id": MALLORY, "read_seq": 1})
    );
    // `null` is absent.
    let ack = succeed(
        &client,
        "join_group",
        json!({"group_id": GROUP, "after_seq": null, "log_id": null, "limit": null, "user_id": ALICE}),
    )
    .await;
    assert_eq!((&ack["recovered"], &ack["entries"]), (&json!(false), &json!([])));
    let page =
        json!({"group_id": GROUP, "after_seq": null, "before_seq": null, "limit": null, "is_admin": true});
    let ack = succeed(&client, "get_entries", page).await;
    assert_eq!(ack["entries"].as_array().unwrap().len(), head + 2);
    succeed(
        &client,
        "leave_group",
        json!({"group_id": GROUP, "limit": "x", "user_id": ALICE}),
    )
    .await;

    // Over HTTP a key that is unknown is refused.
    let token = target.world.token(MALLORY);
    for (line, good) in [
        ("POST /groups", r#""name":"a""#),
        ("PATCH /groups/1", r#""name":"a""#),
        ("POST /groups/1/messages", r#""encrypted_content":"x""#),
        ("PUT /groups/1/read", r#""seq":1"#),
        ("PUT /groups/1/members/50", r#""role":"member""#),
    ] {
        for key in [
            "user_id",
            "sender_id",
            "seq ",
            "id",
            "timestamp",
            "is_admin",
            "epoch",
            "__proto__",
            "",
            "owner_id",
            "client_message_id",
        ] {
            for value in ["2", "null"] {
                let body = format!("{{{good},\"{key}\":{value}}}");
                let answer = http(target, &token, line, body.as_bytes()).await;
                assert_eq!(
                    refusal(&answer),
                    (400, "invalid_data".into(), None),
                    "{line} {body}"
                );
            }
        }
    }
    let log = target.world.log(GROUP).await;
    assert_eq!(log.len(), head + 2);
    assert_eq!(log[head]["sender_id"], MALLORY);
}
