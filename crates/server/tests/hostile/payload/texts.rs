//! Texts: U+0000, what is no Unicode, and what is but looks otherwise.

use serde_json::{Value, json};

use super::{assert_invalid, ended_by, messages, sent, sent_with, with};
use crate::{
    peer::{Frame, Peer, TEXT},
    probe::Probe,
    target::{ALICE, GROUP, MALLORY, Target},
    world::{ask, succeed, verdict},
};

/// Every text that a request may hold: the event and the key.
const TEXTS: [(&str, &str); 6] = [
    ("join_group", "log_id"),
    ("send_message", "encrypted_content"),
    ("send_message", "client_message_id"),
    ("edit_message", "encrypted_content"),
    ("refresh_token", "token"),
    ("get_entries", "group_id"),
];

/// The routes with texts in their bodies, `TEXT` for the text, and the key that is at fault.
const BODIES: [(&str, &str, &str, &str); 6] = [
    ("POST", "/groups", r#"{"name":TEXT}"#, "name"),
    ("PUT", "/groups/1", r#"{"name":TEXT}"#, "name"),
    ("PUT", "/groups/1/members/2", r#"{"role":TEXT}"#, "role"),
    ("PUT", "/users/2", r#"{"display_name":TEXT}"#, "display_name"),
    (
        "PUT",
        "/users/2",
        r#"{"display_name":"a","username":TEXT}"#,
        "username",
    ),
    (
        "POST",
        "/groups/1/messages",
        r#"{"encrypted_content":TEXT}"#,
        "encrypted_content",
    ),
];

/// PostgreSQL cannot hold it (22021), so no store does: `invalid_data`, never `internal`.
pub(super) async fn pl_4_no_text_holds_nul(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for (event, key) in TEXTS {
        for text in [
            r#""\u0000""#,
            r#""a\u0000""#,
            r#""\u0000b""#,
            r#""a\u0000b\u0000c""#,
        ] {
            probe.invalid(event, &with(event, key, text), Some(key)).await;
        }
    }
    // What only looks like it.
    for text in [
        r#""\\u0000""#,
        r#""\u2400""#,
        r#""\\0""#,
        r#""%00""#,
        r#""\u0001""#,
    ] {
        let content: Value = serde_json::from_str(text).unwrap();
        let message = json!({"group_id": GROUP, "encrypted_content": content});
        let ack = succeed(&probe.client, "send_message", message).await;
        assert_eq!(ack["message"]["encrypted_content"], content);
    }
    for (method, path, body, field) in BODIES {
        let body = body.replace("TEXT", r#""a\u0000b""#);
        assert_invalid(
            &sent(&target.world, method, path, &body).await,
            Some(field),
            &body,
        );
        // The byte itself is no JSON.
        let raw = body.replace(r"\u0000", "\0");
        assert_invalid(&sent(&target.world, method, path, &raw).await, None, &raw);
    }
    for (method, path) in [
        ("GET", "/groups/1%00"),
        ("GET", "/groups/%00"),
        ("GET", "/groups/1/entries?limit=1%00"),
        ("DELETE", "/groups/1/members/2%00"),
        ("DELETE", "/users/2%00"),
    ] {
        assert_invalid(&sent_with(&target.world, method, path, &[], "").await, None, path);
    }
    // The byte itself, in a frame and in a body of a poll.
    let frame = Frame::text("421[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"a\0b\"}]");
    ended_by(target, &frame.bytes()).await;
    ended_by(target, &Frame::text("\0").bytes()).await;
    assert_eq!(messages(target).await.len(), 5);
    let log = target.world.server.log();
    assert!(!log.contains("22021") && !log.contains("internal"), "{log}");
}

/// Lone surrogates in escapes are `invalid_data`; bytes that are not UTF-8 are no text at all.
pub(super) async fn pl_5_texts_that_are_no_unicode(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let surrogates = [
        r#""\ud800""#,
        r#""\udfff""#,
        r#""\udc00\ud800""#,
        r#""\ud83d""#,
        r#""a\ud83db""#,
        r#""\ud83d\ud83d\ude00""#,
        r#""\ud83d\u0041""#,
        r#""\uD800\\uDC00""#,
    ];
    for (event, key) in TEXTS {
        for text in surrogates {
            probe.invalid(event, &with(event, key, text), Some(key)).await;
        }
    }
    for (method, path, body, field) in BODIES {
        for text in surrogates {
            let body = body.replace("TEXT", text);
            assert_invalid(
                &sent(&target.world, method, path, &body).await,
                Some(field),
                &body,
            );
        }
    }
    let bytes: [&[u8]; 14] = [
        b"\x80",
        b"\xff",
        b"\xfe\xff",
        b"\xc3",
        b"\xc3\x28",
        b"\xe8\xaa",
        b"\xf0\x9f\xa6",
        // Overlong: `/` in two and three bytes, U+0000 in two.
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xc0\x80",
        // Halves of a pair as three bytes each.
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        // Past U+10FFFF.
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
    ];
    for bytes in bytes {
        let around = |head: &str, tail: &str| [head.as_bytes(), bytes, tail.as_bytes()].concat();
        for payload in [
            around("", ""),
            around(
                "421[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"",
                "\"}]",
            ),
            around("421[\"send_message", "\",{}]"),
        ] {
            let code = ended_by(target, &Frame::new(TEXT, payload).bytes()).await;
            assert_eq!(code, Some(1007));
        }
        for (method, path, body, _) in BODIES {
            let [head, tail] = body.split("TEXT").collect::<Vec<_>>().try_into().unwrap();
            let body = around(&format!("{head}\""), &format!("\"{tail}"));
            assert_invalid(
                &sent(&target.world, method, path, &body).await,
                None,
                &format!("{path} {bytes:?}"),
            );
        }
    }
    // A character that two frames share is whole again.
    let text = "421[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"é\"}]";
    let middle = text.find('é').unwrap() + 1;
    let (head, tail) = text.as_bytes().split_at(middle);
    let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
    peer.frame(&Frame {
        fin: false,
        ..Frame::new(TEXT, head)
    })
    .await;
    peer.frame(&Frame::new(crate::peer::CONTINUATION, tail)).await;
    let event = peer.packet().await;
    assert!(event.contains("\"encrypted_content\":\"é\""), "{event}");
    // One that two frames do not make whole is not.
    let bytes = [
        Frame {
            fin: false,
            ..Frame::new(TEXT, head)
        }
        .bytes(),
        Frame::new(crate::peer::CONTINUATION, &tail[1..]).bytes(),
    ];
    ended_by(target, &bytes.concat()).await;
    assert_eq!(messages(target).await.len(), 1);
}

/// Names are bytes with a limit: kept as they came, and nowhere looked into.
pub(super) async fn pl_13_labels_of_any_script(target: &mut Target) {
    let world = &target.world;
    let labels = [
        "\u{202e}\u{202d}\u{2066}nimda\u{2069}".to_owned(),
        "a\u{200d}\u{200b}\u{feff}b".to_owned(),
        format!("e{}", "\u{301}".repeat(127)),
        "👨‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿".to_owned(),
        "Nguyễn Văn A".to_owned(),
        "Nguye\u{302}\u{303}n".to_owned(),
        "\u{fdfa}\u{1242b}\u{a9c5}".to_owned(),
        "<script>alert(1)</script>".to_owned(),
        "'; DROP TABLE users; --".to_owned(),
        "{{7*7}} ${7*7} %s%n".to_owned(),
        "\"quoted\\\"".to_owned(),
        "é".repeat(128),
        "🦀".repeat(64),
    ];
    let client = world.joined(MALLORY, GROUP).await;
    for (number, label) in labels.iter().enumerate() {
        let named = sent(
            world,
            "PUT",
            &format!("/users/{MALLORY}"),
            json!({"display_name": label}).to_string(),
        )
        .await;
        assert_eq!(
            (named.status, &named.json()["display_name"]),
            (200, &json!(label)),
            "{label}"
        );
        let group = sent(
            world,
            "PUT",
            &format!("/groups/{}", number + 10),
            json!({"name": label}).to_string(),
        )
        .await;
        assert_eq!(
            (group.status, &group.json()["name"]),
            (201, &json!(label)),
            "{label}"
        );
        let message = json!({"group_id": GROUP, "encrypted_content": label});
        let ack = succeed(&client, "send_message", message).await;
        let event = client.next_event("new_message").await.unwrap();
        assert_eq!(event, ack["message"]);
        assert_eq!(
            (&event["sender_name"], &event["encrypted_content"]),
            (&json!(label), &json!(label))
        );
    }
    let kept: Vec<Value> = messages(target)
        .await
        .iter()
        .map(|entry| entry["sender_name"].clone())
        .collect();
    assert_eq!(kept, labels.map(Value::String));

    let long = [
        "x".repeat(257),
        "é".repeat(128) + "x",
        "🦀".repeat(64) + "x",
        format!("e{}", "\u{301}".repeat(10_000)),
    ];
    let controls = [
        "a\nb",
        "a\r\nb",
        "\u{7}",
        "a\u{1b}[31m",
        "a\u{7f}",
        "a\u{85}b",
        "a\tb",
    ]
    .map(String::from);
    for label in long.iter().chain(&controls) {
        for (path, key) in [("/groups/1", "name"), ("/users/2", "display_name")] {
            let answer = sent(world, "PUT", path, json!({ key: label }).to_string()).await;
            assert_invalid(&answer, Some(key), &label.chars().take(30).collect::<String>());
        }
    }
    // Ids of messages are ASCII, so that no two of them look alike.
    for id in ["é", "m\u{200b}", "\u{202e}m", "m\u{301}", "ｍ", "m\n"] {
        let message = json!({"group_id": GROUP, "encrypted_content": "x", "client_message_id": id});
        let ack = ask(&client, "send_message", message).await;
        assert_eq!(
            (&ack["code"], &ack["field"]),
            (&json!("invalid_data"), &json!("client_message_id")),
            "{id:?}"
        );
    }
    let answer = world.user(ALICE, "GET", "/me", None).await;
    assert_eq!(verdict(&answer), (200, String::new()));
    // Each line of the log is one object still, so nothing was written into it that breaks out.
    for line in world.server.log().lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|line| line.is_object()), "{line}");
        assert!(!line.chars().any(char::is_control), "{line}");
    }
}
