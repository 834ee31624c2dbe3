//! Events that there are not, and names in other spellings.

use serde_json::json;

use super::check;
use crate::{
    peer::{Frame, Peer},
    probe::Probe,
    target::{GROUP, MALLORY, Target},
};

/// Names of no event that a client may send.
const NAMES: [&str; 43] = [
    "echo",
    "JOIN_GROUP",
    "Send_Message",
    "join_group ",
    " join_group",
    "join_group\u{200b}",
    "ѕend_message",
    "",
    " ",
    "*",
    "connect",
    "connecting",
    "connect_error",
    "disconnect",
    "disconnecting",
    "error",
    "message",
    "ping",
    "reconnect",
    "newListener",
    "removeListener",
    "new_message",
    "message_deleted",
    "member_added",
    "request_error",
    "removed_from_group",
    "server_draining",
    "token_expiring",
    "read",
    "constructor",
    "__proto__",
    "prototype",
    "toString",
    "hasOwnProperty",
    "42",
    "null",
    "tên sự kiện",
    "\u{202e}x",
    "/admin",
    "[]",
    "a,b",
    "a]b",
    "{}",
];

/// What stands in the place of an event and its arguments: names that are no strings, and arrays that are none.
const NO_EVENTS: [&str; 27] = [
    "[5,{}]",
    "[null,{}]",
    "[true]",
    "[[\"send_message\"],{}]",
    "[{\"event\":\"send_message\"},{}]",
    "[]",
    "[ ]",
    "{}",
    "[\"send_message\"",
    "[\"send_message",
    "[\"send_message\",{]",
    "[\"send_message\",}",
    "[\"send_message\",]",
    "[\"send_message\" {}]",
    "[,\"send_message\"]",
    "['send_message',{}]",
    "\"send_message\"",
    "send_message",
    "null",
    "5",
    "true",
    "",
    "[\"send_message\",{\"group_id\":1]",
    "[\"send_message\",undefined]",
    "[\"send_message\",{group_id:1}]",
    "[\"send_message\",{\"group_id\":1,}]",
    "[\"send_message\",{\"a\":1}{\"b\":2}]",
];

pub(super) async fn pl_12_events_that_there_are_not(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let huge = "x".repeat(100_000);
    let wide = "語".repeat(30_000);
    for name in NAMES.into_iter().chain([&*huge, &wide]) {
        let args = [
            ",{\"group_id\":1,\"encrypted_content\":\"x\"}",
            "",
            ",null",
            ",1,2,3",
        ];
        // A long name once is enough.
        for args in &args[..if name.len() > 1000 { 1 } else { args.len() }] {
            let ack = probe.ask(name, args).await;
            let expected = json!({
                "success": false, "error": "Unknown event", "code": "unknown_event", "retryable": false,
            });
            assert_eq!(ack, expected, "{name:.80}{args}");
            let error = probe.tell(name, args).await;
            let told_back: String = name.chars().take(64).collect();
            let expected = json!({"event": told_back, "code": "unknown_event", "error": "Unknown event"});
            assert_eq!(error, expected, "{args}");
        }
    }
    // With an attachment as well.
    let ack = probe
        .ask_frames(|client, id| {
            client.raw(format!("451-{id}[\"echo\",{{\"_placeholder\":true,\"num\":0}}]"));
            client.raw_binary([1, 2, 3]);
        })
        .await;
    assert_eq!(ack["code"], "unknown_event");
    assert_eq!(probe.client.closed(), None);
    drop(probe);

    no_events(target).await;
    assert_eq!(target.world.log(GROUP).await.len(), before);
}

/// Packets that are no events end the connection.
async fn no_events(target: &Target) {
    // Escapes make no other event, whether they would be undone or not.
    let good = "{\"group_id\":1,\"encrypted_content\":\"x\"}";
    for name in [
        r"\u0073end_message",
        r"send\u005fmessage",
        r"send_message\u0000",
        r#"a\"b"#,
        r"\ud800",
        r"\n",
        r"\/",
        r"\\",
        r"\u00e9",
    ] {
        check(
            target,
            &[Frame::text(&format!("427[\"{name}\",{good}]"))],
            "closed",
        )
        .await;
    }
    for array in NO_EVENTS {
        for head in ["42", "427"] {
            let text = format!("{head}{array}");
            check(target, &[Frame::text(&text)], "closed").await;
        }
    }
    // With anything behind the array it is no event, but that an ack is asked for can be read.
    let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
    for tail in [
        "\0",
        "x",
        "]",
        " ",
        "[]",
        "\n",
        "{}",
        "42[\"x\"]",
        "[\"delete_message\",{}]",
    ] {
        peer.say(&format!("427[\"leave_group\",{{\"group_id\":1}}]{tail}"))
            .await;
        let is_space = tail.trim_matches([' ', '\n']).is_empty();
        let answer = peer.packet().await;
        if is_space {
            assert_eq!(answer, "437[{\"success\":true,\"group_id\":1}]", "{tail:?}");
        } else {
            assert!(
                answer.contains("\"code\":\"unknown_event\""),
                "{tail:?}: {answer}"
            );
        }
    }
    peer.say("428[\"leave_group\",{\"group_id\":2}]").await;
    assert_eq!(peer.packet().await, "438[{\"success\":true,\"group_id\":2}]");
    let megabyte = "x".repeat(1_000_000);
    check(
        target,
        &[Frame::text(&format!("427[\"{megabyte}\",{good}]"))],
        "closed",
    )
    .await;
    check(target, &[Frame::text(&format!("427[\"{megabyte}"))], "closed").await;
}
