//! U+0000, and keys that are nobody's business.

use serde_json::{Value, json};

use super::{check, http, refusal, with};
use crate::{
    peer::{Frame, Peer},
    probe::Probe,
    target::{ALICE, GROUP, MALLORY, Target},
    world::{EVENTS, ask, send, succeed},
};

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
    nul_as_it_is(target).await;
    let log = target.world.log(GROUP).await;
    assert_eq!(log[..before.len()], before);
    assert_eq!(log.len(), before.len() + 1);
}

async fn nul_as_it_is(target: &Target) {
    // A NUL as it is makes no JSON.
    for text in [
        "427[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"a\0b\"}]",
        "427[\"send_message\0\",{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        "427[\"send_message\",\0{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        "42\x007[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        "\x00427[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"x\"}]",
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

    unknown_keys(target).await;
    let log = target.world.log(GROUP).await;
    assert_eq!(log.len(), head + 2);
    assert_eq!(log[head]["sender_id"], MALLORY);
}

async fn unknown_keys(target: &Target) {
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
}
