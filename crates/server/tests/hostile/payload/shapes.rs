//! JSON of another shape than an event has.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{EVENTS, assert_invalid, ended_by, messages, refusal, sent, with};
use crate::{
    peer::{Frame, Peer},
    probe::Probe,
    target::{GROUP, MALLORY, Target},
};

/// One answer `invalid_data` for each, with and without an ack id, and the socket goes on.
pub(super) async fn pl_1_no_object(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let good = r#"{"group_id":1,"encrypted_content":"x","seq":1,"is_typing":true,"token":"x"}"#;
    let fixed = [
        "",
        ",null",
        ",0",
        ",5",
        ",-1",
        ",5.5",
        ",1e400",
        ",\"\"",
        ",\"x\"",
        ",\"{\\\"group_id\\\":1}\"",
        ",true",
        ",false",
        ",[]",
        ",[1]",
        ",[null]",
        ",[1,\"x\",null,null]",
        ",[[[1]]]",
        ",[[],[]]",
        ",{},{}",
    ];
    let many = [
        format!(",[{good}]"),
        format!(",[[{good}]]"),
        format!(",{good},{good}"),
        format!(",{good},null"),
        format!(",null,{good}"),
        format!(",{good}{}", ",1".repeat(99)),
        format!(",{good}").repeat(100),
        format!(",{}", json!(good)),
    ];
    for event in EVENTS {
        for args in fixed.into_iter().chain(many.iter().map(String::as_str)) {
            probe.invalid(event, args, None).await;
        }
        let field = if event == "refresh_token" {
            "token"
        } else {
            "group_id"
        };
        for args in [
            ",{}",
            ",{\"\":1}",
            ",{\"GROUP_ID\":1,\"Token\":\"x\"}",
            ",{\"group_id \":1}",
        ] {
            probe.invalid(event, args, Some(field)).await;
        }
    }
    assert_eq!(probe.client.closed(), None);
    assert!(messages(target).await.is_empty());
}

/// CVE-2022-2421: a placeholder is no attachment, and an attachment no value.
pub(super) async fn pl_2_attachments_and_forged_ones(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let numbers = [
        "0",
        "1",
        "-1",
        "1000000000",
        "1e400",
        "1.5",
        "\"x\"",
        "null",
        "[0]",
        "{}",
    ];
    for event in EVENTS {
        let (field, good) = match event {
            "refresh_token" => ("token", "\"token\":\"x\""),
            _ => ("group_id", "\"group_id\":1"),
        };
        for number in numbers {
            let forged = format!(r#"{{"_placeholder":true,"num":{number}}}"#);
            // Without an attachment: an object like any other.
            probe.invalid(event, &format!(",{forged}"), Some(field)).await;
            probe
                .invalid(event, &format!(",{{\"{field}\":{forged}}}"), Some(field))
                .await;
            // With one: no event takes any, wherever it stands.
            for payload in [
                forged.clone(),
                format!("{{{good},\"more\":{forged}}}"),
                format!("{{{good}}}"),
            ] {
                let ack = probe
                    .ask_frames(|client, id| {
                        client.raw(format!("451-{id}[\"{event}\",{payload}]"));
                        client.raw_binary([1, 2, 3]);
                    })
                    .await;
                assert_eq!(ack, refusal("invalid_data", "Invalid data"), "{event} {payload}");
            }
        }
        let told = probe
            .tell_frames(|client| {
                client.raw(format!("452-[\"{event}\",{{\"_placeholder\":true,\"num\":7}}]"));
                client.raw_binary([]);
                client.raw_binary([0; 1000]);
            })
            .await;
        assert_eq!(
            told,
            json!({"event": event, "code": "invalid_data", "error": "Invalid data"})
        );
    }
    let content = with(
        "send_message",
        "encrypted_content",
        r#"{"_placeholder":true,"num":0}"#,
    );
    probe
        .invalid("send_message", &content, Some("encrypted_content"))
        .await;
    // An attachment that no event announced, and another packet before one came.
    for frames in [
        vec![Frame::new(crate::peer::BINARY, [1, 2, 3])],
        vec![
            Frame::text("451-[\"typing\",{}]"),
            Frame::text("42[\"typing\",{}]"),
        ],
        vec![Frame::text("4517-[\"typing\",{}]")],
    ] {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        ended_by(target, &bytes).await;
    }
    assert!(messages(target).await.is_empty());
}

/// However deep: an answer or the end of the connection, and never the end of a stack.
pub(super) async fn pl_3_depth(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let nested =
        |depth: usize, open: &str, close: &str| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for depth in [126, 127, 128, 129, 1000, 10_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = nested(depth, open, close);
            let is_object = open != "[";
            let field = is_object.then_some("group_id");
            probe.invalid("get_entries", &format!(",{deep}"), field).await;
            probe
                .invalid(
                    "get_entries",
                    &with("get_entries", "group_id", &deep),
                    Some("group_id"),
                )
                .await;
            probe
                .invalid(
                    "send_message",
                    &with("send_message", "encrypted_content", &deep),
                    Some("encrypted_content"),
                )
                .await;
            probe
                .invalid("get_entries", &with("get_entries", "limit", &deep), Some("limit"))
                .await;
            // What nobody looks at is ignored at any depth.
            let ack = probe
                .ask("get_entries", &with("get_entries", "more", &deep))
                .await;
            assert_eq!(ack["success"], true, "{depth}: {ack}");
            // A name is a text.
            ended_by(target, &Frame::text(&format!("421[{deep}]")).bytes()).await;

            let body = sent(&target.world, "PUT", "/groups/1", format!("{{\"name\":{deep}}}")).await;
            assert_invalid(&body, None, "depth over HTTP");
            let body = sent(
                &target.world,
                "PUT",
                "/groups/1",
                format!("{{\"name\":\"a\",\"more\":{deep}}}"),
            )
            .await;
            assert_invalid(&body, None, "an unknown key over HTTP");
        }
    }
    // As many as a frame takes, never closed.
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let open = open.repeat(120_000 / open.len());
        for text in [
            format!("421[\"get_entries\",{open}"),
            format!("421{open}"),
            format!("40{open}"),
            format!("40{{\"token\":{open}"),
        ] {
            ended_by(target, &Frame::text(&text).bytes()).await;
        }
    }
    target.works().await;
}

/// Which of two would count is not a question that is asked.
pub(super) async fn pl_9_keys_that_come_twice(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for event in EVENTS {
        let (key, value) = if event == "refresh_token" {
            ("token", "\"x\"")
        } else {
            ("group_id", "1")
        };
        for twice in [
            format!("{value},\"{key}\":{value}"),
            format!("{value},\"{key}\":null"),
            format!("null,\"{key}\":{value}"),
            format!("{value},\"{key}\":[]"),
            format!("{value},\"more\":1,\"{key}\":{value}"),
            format!("{value},\"{}\":{value}", key.replace('o', "\\u006f")),
        ] {
            probe.invalid(event, &with(event, key, &twice), None).await;
        }
    }
    for (event, key, value) in [
        ("send_message", "encrypted_content", "\"x\""),
        ("send_message", "client_message_id", "\"m\""),
        ("send_message", "key_epoch", "1"),
        ("join_group", "after_seq", "0"),
        ("get_entries", "limit", "1"),
        ("mark_read", "seq", "1"),
        ("typing", "is_typing", "true"),
    ] {
        probe
            .invalid(
                event,
                &with(event, key, &format!("{value},\"{key}\":{value}")),
                None,
            )
            .await;
    }
    // Keys that mean nothing may come as often as they want.
    let ack = probe
        .ask("get_entries", &with("get_entries", "more", "1,\"more\":2"))
        .await;
    assert_eq!(ack["success"], true, "{ack}");
    for body in [
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"a","name":"a"}"#,
        r#"{"name":"a","n\u0061me":"b"}"#,
    ] {
        assert_invalid(
            &sent(&target.world, "PUT", "/groups/1", body).await,
            Some("name"),
            body,
        );
    }
    let auth = format!(
        "40{{\"token\":{0},\"token\":{0}}}",
        json!(target.world.token(MALLORY))
    );
    let mut peer = Peer::websocket(target.addr()).await;
    peer.say(&auth).await;
    assert_eq!(peer.packet().await, "44{\"message\":\"token_invalid\"}");
    assert!(messages(target).await.is_empty());
}

/// Numbers that no integer holds are `invalid_data`; what is no JSON at all ends the connection or is no event.
pub(super) async fn pl_10_numbers_that_are_none(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let [digits, fraction, exponent] = [
        "9".repeat(100_000),
        format!("1.{}", "0".repeat(100_000)),
        format!("1e{}", "9".repeat(100_000)),
    ];
    let begin = Instant::now();
    let rows = [
        "1e400",
        "-1e400",
        "1e-400",
        "1E+2",
        "-0",
        "-0.0",
        "0.0",
        "1.0",
        "1.00000000000000000000000001",
        "-1",
        "9007199254740993",
        "18446744073709551616",
        &digits,
        &fraction,
        &exponent,
    ];
    for value in rows {
        for (event, key) in [
            ("get_entries", "group_id"),
            ("get_entries", "after_seq"),
            ("get_entries", "limit"),
            ("mark_read", "seq"),
            ("send_message", "key_epoch"),
        ] {
            let args = with(event, key, value);
            let ack = probe.ask(event, &args).await;
            let is_capped = key == "limit" && value == "9007199254740993";
            let found = (
                ack["success"].as_bool(),
                ack["code"].as_str(),
                ack["field"].as_str(),
            );
            let expected = if is_capped {
                (Some(true), None, None)
            } else {
                (Some(false), Some("invalid_data"), Some(key))
            };
            assert_eq!(found, expected, "{event} {key} {}", &value[..value.len().min(30)]);
        }
    }
    // 60 numbers of 100 000 digits.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    let no_json = [
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "01",
        "-01",
        "+1",
        ".5",
        "5.",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "1,000",
        "--1",
        "１",
        "1f",
        "1n",
        "undefined",
        "'1'",
        "1//",
        "/**/1",
        "",
        "1 2",
    ];
    for value in no_json {
        let args = with("get_entries", "group_id", value);
        ended_by(
            target,
            &Frame::text(&format!("421[\"get_entries\"{args}]")).bytes(),
        )
        .await;
        let body = sent(
            &target.world,
            "POST",
            "/groups",
            format!("{{\"name\":\"a\",\"members\":[{value}]}}"),
        )
        .await;
        if !value.is_empty() {
            assert_invalid(&body, None, value);
        }
    }
}

/// Names are compared with those that there are; what is no name is no event.
pub(super) async fn pl_12_names_of_events(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let huge = "x".repeat(120_000);
    let names = [
        "",
        " ",
        "connect",
        "connect_error",
        "connecting",
        "disconnect",
        "disconnecting",
        "error",
        "message",
        "ping",
        "newListener",
        "removeListener",
        "new_message",
        "removed_from_group",
        "request_error",
        "__proto__",
        "constructor",
        "toString",
        "join_group ",
        " join_group",
        "JOIN_GROUP",
        "join_groups",
        "join-group",
        "joın_group",
        "join_group\u{200b}",
        "ｊｏｉｎ_group",
        "../join_group",
        "tên sự kiện",
        "\u{202e}puorg_nioj",
        &huge,
    ];
    for name in names {
        for args in [",{\"group_id\":1}", "", ",null", ",[],[]"] {
            assert_eq!(
                probe.ask(name, args).await,
                refusal("unknown_event", "Unknown event")
            );
            let told_back: String = name.chars().take(64).collect();
            let told = probe.tell(name, args).await;
            assert_eq!(
                told,
                json!({"event": told_back, "code": "unknown_event", "error": "Unknown event"})
            );
        }
    }
    let good = "{\"group_id\":1,\"encrypted_content\":\"x\"}";
    let no_names = [
        r#"["\u0073end_message",GOOD]"#,
        r#"["send\u005fmessage",GOOD]"#,
        r#"["send_message\u0000",GOOD]"#,
        r#"["\ud800",GOOD]"#,
        r#"["\n",GOOD]"#,
        r#"["a\"b",GOOD]"#,
        "[5,GOOD]",
        "[null,GOOD]",
        "[true,GOOD]",
        "[[\"send_message\"],GOOD]",
        "[{\"send_message\":1},GOOD]",
        "[GOOD]",
        "[]",
        "",
        "{}",
        "\"send_message\"",
        "[\"send_message",
        "['send_message',GOOD]",
    ];
    for text in no_names {
        let packet = format!("421{}", text.replace("GOOD", good));
        ended_by(target, &Frame::text(&packet).bytes()).await;
    }
    assert!(messages(target).await.is_empty());
}
