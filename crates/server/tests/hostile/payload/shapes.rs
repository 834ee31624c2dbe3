//! What stands in the place of one object: nothing, anything else, attachments, and depth without end.

use serde_json::json;

use super::{check, http, refusal, with};
use crate::{
    peer::{BINARY, Frame, Peer},
    probe::Probe,
    target::{GROUP, MALLORY, Target},
    world::EVENTS,
};

/// The requests that have a body, and the keys that they must have.
const BODIES: [(&str, &str); 6] = [
    ("POST /groups", "name"),
    ("PUT /groups/7", "name"),
    ("PATCH /groups/1", "name"),
    ("POST /groups/1/messages", "encrypted_content"),
    ("PUT /groups/1/read", "seq"),
    ("PUT /users/7", "display_name"),
];

/// What stands behind an event's name instead of one object.
fn malformed() -> Vec<String> {
    let good = r#",{"group_id":1,"encrypted_content":"x","seq":1,"is_typing":true}"#;
    let fixed = [
        "",
        ",null",
        ",5",
        ",5.5",
        ",0",
        ",-1e400",
        ",\"\"",
        ",\"{\\\"group_id\\\":1}\"",
        ",true",
        ",false",
        ",[]",
        ",[1]",
        ",[1,\"x\"]",
        ",[null]",
        ",[{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        ",[[[1]]]",
    ];
    let arguments = [
        format!("{good},{{}}"),
        format!("{good},null"),
        format!(",null{good}"),
        format!("{good}{good}"),
        good.repeat(100),
        ",1".repeat(10_000),
    ];
    fixed.into_iter().map(String::from).chain(arguments).collect()
}

pub(super) async fn pl_1_anything_but_one_object(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for event in EVENTS.into_iter().chain(["refresh_token"]) {
        for args in malformed() {
            probe.invalid(event, &args, None).await;
        }
        // An object, but without anything that counts.
        let first = if event == "refresh_token" {
            "token"
        } else {
            "group_id"
        };
        for args in [
            ",{}",
            ",{\"_placeholder\":true,\"num\":0}",
            ",{\"GROUP_ID\":1}",
            ",{\"\":1}",
        ] {
            probe.invalid(event, args, Some(first)).await;
        }
    }
    assert_eq!(probe.client.closed(), None);
    let admin = target.world.server.mint_admin();
    for (line, key) in BODIES {
        for body in [
            "null",
            "5",
            "\"x\"",
            "true",
            "[]",
            "[{}]",
            "{}{}",
            "{} x",
            "{",
            "",
            " ",
            "\u{feff}{}",
            "[null]",
        ] {
            let answer = http(target, &admin, line, body.as_bytes()).await;
            assert_eq!(
                refusal(&answer),
                (400, "invalid_data".into(), None),
                "{line} {body}"
            );
        }
        let answer = http(target, &admin, line, b"{}").await;
        if line.starts_with("PATCH") {
            // Changes nothing, and may.
            assert_eq!(answer.status, 200, "{}", answer.text());
        } else {
            let expected = (400, "invalid_data".into(), Some(key.to_owned()));
            assert_eq!(refusal(&answer), expected, "{line}");
        }
    }
    assert_eq!(target.world.log(GROUP).await.len(), before);
}

pub(super) async fn pl_2_attachments_and_forged_ones(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let payloads = [
        r#"{"_placeholder":true,"num":0}"#,
        r#"{"group_id":1,"encrypted_content":{"_placeholder":true,"num":0}}"#,
        r#"{"group_id":{"_placeholder":true,"num":0},"encrypted_content":"x"}"#,
        r#"{"group_id":1,"encrypted_content":"x","seq":1,"is_typing":true,"more":{"_placeholder":true,"num":0}}"#,
        r#"{"group_id":1,"encrypted_content":"x","seq":1,"is_typing":true}"#,
        r#"{"_placeholder":true,"num":-1}"#,
        r#"{"_placeholder":true,"num":1}"#,
        r#"{"_placeholder":true,"num":1000000000}"#,
        r#"{"_placeholder":true,"num":1e400}"#,
        r#"{"_placeholder":true,"num":"x"}"#,
        r#"{"_placeholder":true,"num":"length"}"#,
        r#"{"_placeholder":true,"num":null}"#,
        r#"{"_placeholder":true}"#,
        r#"{"_placeholder":"true","num":0}"#,
        r#"{"__proto__":{"_placeholder":true,"num":0}}"#,
    ];
    for event in EVENTS.into_iter().chain(["refresh_token"]) {
        for payload in payloads {
            let ack = probe
                .ask_frames(|client, id| {
                    client.raw(format!("451-{id}[\"{event}\",{payload}]"));
                    client.raw_binary([1, 2, 3]);
                })
                .await;
            assert_eq!(ack["code"], "invalid_data", "{event} {payload}");
            let error = probe
                .tell_frames(|client| {
                    client.raw(format!("451-[\"{event}\",{payload}]"));
                    client.raw_binary([1, 2, 3]);
                })
                .await;
            let expected = json!({"event": event, "code": "invalid_data", "error": "Invalid data"});
            assert_eq!(error, expected);
        }
    }
    // The same text without an attachment.
    for value in [
        r#"{"_placeholder":true,"num":0}"#,
        r#"{"_placeholder":true,"num":-1}"#,
    ] {
        for event in EVENTS {
            probe
                .invalid(event, &with(event, "group_id", value), Some("group_id"))
                .await;
        }
        for event in ["send_message", "edit_message"] {
            let args = with(event, "encrypted_content", value);
            probe.invalid(event, &args, Some("encrypted_content")).await;
        }
    }
    // More, fewer and other attachments than a packet says, and none that it speaks of.
    let text = |text: &str| Frame::text(text);
    let bytes = || Frame::new(BINARY, [1, 2, 3]);
    let event = |head: &str| {
        text(&format!(
            "{head}[\"send_message\",{{\"_placeholder\":true,\"num\":0}}]"
        ))
    };
    let rows = [
        (vec![event("451-7"), bytes()], "437 invalid_data, open"),
        (vec![event("450-7")], "437 invalid_data, open"),
        (vec![event("452-7"), bytes()], "closed"),
        (vec![event("452-7"), bytes(), bytes()], "437 invalid_data, open"),
        (vec![event("451-7")], "closed"),
        (vec![event("451-7"), event("451-8"), bytes()], "closed"),
        (vec![bytes()], "closed"),
        (vec![bytes(), event("451-7"), bytes()], "closed"),
        (vec![event("451-7"), bytes(), bytes()], "closed"),
        (
            vec![event("451-7"), Frame::new(BINARY, [])],
            "437 invalid_data, open",
        ),
        (vec![event("4599999999-7"), bytes()], "closed"),
        (vec![event("4599999999999999999999999-7"), bytes()], "closed"),
        (vec![event("45-1-7"), bytes()], "closed"),
        (vec![event("45x-7"), bytes()], "closed"),
        (vec![event("45")], "closed"),
        (vec![event("461-7"), bytes()], "open"),
    ];
    for (frames, expected) in rows {
        check(target, &frames, expected).await;
    }
    assert_eq!(target.world.log(GROUP).await.len(), before);
}

pub(super) async fn pl_3_depth_without_end(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let arrays = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let depths = [126, 127, 128, 129, 1_000, 10_000];
    for levels in depths {
        for event in EVENTS.into_iter().chain(["refresh_token"]) {
            let first = if event == "refresh_token" {
                "token"
            } else {
                "group_id"
            };
            probe.invalid(event, &format!(",{}", arrays(levels)), None).await;
            probe
                .invalid(event, &format!(",{}", objects(levels)), Some(first))
                .await;
            for value in [arrays(levels), objects(levels)] {
                probe
                    .invalid(event, &with(event, first, &value), Some(first))
                    .await;
            }
        }
    }
    // In a key that counts for nothing it is passed over, however deep.
    for levels in [128, 10_000, 60_000] {
        let ack = probe
            .ask("get_entries", &with("get_entries", "more", &arrays(levels)))
            .await;
        assert_eq!(ack["success"], true, "{levels}: {ack}");
    }
    drop(probe);
    let open = |text: &str| vec![Frame::text(&format!("427[\"get_entries\",{text}"))];
    for frames in [
        open(&"[".repeat(100_000)),
        open(&r#"{"a":"#.repeat(20_000)),
        open(&"]".repeat(100_000)),
        open(&arrays(10_000)),
        vec![Frame::text(&format!("427{}", arrays(50_000)))],
        vec![Frame::text(&format!("43{}", arrays(50_000)))],
    ] {
        check(target, &frames, "closed").await;
    }
    // Before anybody is known.
    let good = target.world.token(MALLORY);
    for levels in depths {
        for value in [arrays(levels), objects(levels)] {
            for (auth, expected) in [
                (value.clone(), "44{\"message\":\"token_missing\"}"),
                (
                    format!("{{\"token\":{value}}}"),
                    "44{\"message\":\"token_invalid\"}",
                ),
                (
                    format!("{{\"more\":{value}}}"),
                    "44{\"message\":\"token_missing\"}",
                ),
                (
                    format!("{{\"token\":\"{good}\",\"more\":{value}}}"),
                    "40{\"sid\":",
                ),
            ] {
                let mut peer = Peer::websocket(target.addr()).await;
                peer.say(&format!("40{auth}")).await;
                let answer = peer.packet().await;
                assert!(answer.starts_with(expected), "{levels} {auth:.40}: {answer}");
            }
        }
    }
    let admin = target.world.server.mint_admin();
    for (line, key) in BODIES {
        for levels in depths {
            for (body, field) in [
                (arrays(levels), None),
                ("[".repeat(levels), None),
                (r#"{"a":"#.repeat(levels), None),
                (objects(levels), None),
                (format!("{{\"{}\":{}}}", key, arrays(levels)), Some(key)),
            ] {
                let answer = http(target, &admin, line, body.as_bytes()).await;
                let expected = (400, "invalid_data".into(), field.map(str::to_owned));
                assert_eq!(refusal(&answer), expected, "{line} {levels} {body:.20}");
            }
        }
    }
    assert_eq!(target.world.log(GROUP).await.len(), before);
}

pub(super) async fn pl_9_keys_that_come_twice(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for event in EVENTS {
        for twice in [
            "1,\"group_id\":1",
            "1,\"group_id\":2",
            "1,\"group_id\":null",
            "null,\"group_id\":1",
            r#"1,"group\u005fid":1"#,
            r#"1,"\u0067roup_id":2"#,
        ] {
            probe.invalid(event, &with(event, "group_id", twice), None).await;
        }
    }
    for (event, key, twice) in [
        (
            "send_message",
            "encrypted_content",
            r#""x","encrypted_content":"y""#,
        ),
        (
            "send_message",
            "client_message_id",
            r#""x","client_message_id":"x""#,
        ),
        ("send_message", "key_epoch", r#"1,"key_epoch":2"#),
        (
            "edit_message",
            "encrypted_content",
            r#""x","encrypted_content":"x""#,
        ),
        ("edit_message", "seq", r#"1,"seq":2"#),
        ("delete_message", "seq", r#"1,"seq":2"#),
        ("mark_read", "seq", r#"1,"seq":2"#),
        ("typing", "is_typing", r#"true,"is_typing":false"#),
        ("join_group", "after_seq", r#"0,"after_seq":1"#),
        ("join_group", "log_id", r#""x","log_id":"y""#),
        ("get_entries", "before_seq", r#"3,"before_seq":3"#),
        ("get_entries", "limit", r#"1,"limit":1"#),
        ("refresh_token", "token", r#""x","token":"y""#),
    ] {
        probe.invalid(event, &with(event, key, twice), None).await;
    }
    let admin = target.world.server.mint_admin();
    for (line, body, field) in [
        ("POST /groups", r#"{"name":"a","name":"b"}"#, "name"),
        (
            "POST /groups",
            r#"{"name":"a","members":[],"members":[1]}"#,
            "members",
        ),
        ("PUT /groups/7", r#"{"name":"a","n\u0061me":"a"}"#, "name"),
        ("PATCH /groups/1", r#"{"name":null,"name":"b"}"#, "name"),
        (
            "PUT /groups/1/members/2",
            r#"{"role":"member","role":"owner"}"#,
            "role",
        ),
        (
            "POST /groups/1/messages",
            r#"{"encrypted_content":"a","encrypted_content":"a"}"#,
            "encrypted_content",
        ),
        (
            "POST /groups/1/messages",
            r#"{"encrypted_content":"a","key_epoch":1,"key_epoch":2}"#,
            "key_epoch",
        ),
        ("PUT /groups/1/read", r#"{"seq":1,"seq":2}"#, "seq"),
        (
            "PUT /users/7",
            r#"{"display_name":"a","display_name":"b"}"#,
            "display_name",
        ),
    ] {
        let answer = http(target, &admin, line, body.as_bytes()).await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some(field.into())),
            "{line} {body}"
        );
    }
    // Two tokens are no token, whichever of them is good.
    let good = target.world.token(MALLORY);
    for auth in [
        format!(r#"{{"token":"{good}","token":"{good}"}}"#),
        format!(r#"{{"token":"x","token":"{good}"}}"#),
        format!(r#"{{"token":"{good}","t\u006fken":null}}"#),
    ] {
        let mut peer = Peer::websocket(target.addr()).await;
        peer.say(&format!("40{auth}")).await;
        assert_eq!(peer.packet().await, "44{\"message\":\"token_invalid\"}");
    }
    assert_eq!(target.world.log(GROUP).await.len(), before);
}
