//! Ids, and numbers that no machine has.

use std::time::Duration;

use serde_json::json;

use super::{check, http, refusal, with};
use crate::{
    peer::Frame,
    probe::Probe,
    target::{ALICE, GROUP, MALLORY, Target},
    world::{EVENTS, ask, send, succeed},
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

/// The largest id. The one above it would be the same in a client that counts in floats.
const LARGEST: u64 = 9_007_199_254_740_991;

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
    // Other values that have one kind.
    let long = format!("\"{}\"", "x".repeat(65));
    for value in [
        "5",
        "true",
        "[\"x\"]",
        "{\"x\":\"x\"}",
        "\"\"",
        r#""a\tb""#,
        &long,
    ] {
        probe
            .invalid("join_group", &with("join_group", "log_id", value), Some("log_id"))
            .await;
    }
    for value in ["1", "0", "\"true\"", "\"\"", "[true]", "{}", "null"] {
        probe
            .invalid("typing", &with("typing", "is_typing", value), Some("is_typing"))
            .await;
    }
    largest_and_in_paths(target).await;
    // Nothing came of any of them.
    assert_eq!(target.world.log(5).await.len(), 2);
    succeed(&listener, "get_entries", json!({"group_id": 5})).await;
    assert!(listener.events().is_empty(), "{:?}", listener.events());
}

async fn largest_and_in_paths(target: &Target) {
    let client = target.world.socket(MALLORY).await;
    // The largest id is an id, and the one above it would be it in a client that counts in floats.
    assert_eq!(
        ask(&client, "join_group", json!({"group_id": LARGEST})).await["code"],
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
}

pub(super) async fn pl_10_numbers_that_no_machine_has(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let digits = "9".repeat(100_000);
    let zeros = format!("1{}", "0".repeat(100_000));
    let fraction = format!("1.{}", "0".repeat(100_000));
    let exponent = format!("1e{}", "9".repeat(100_000));
    let valid = [
        "1e400",
        "-1e400",
        "1e-400",
        "-0",
        "-0.0",
        "1e99999999999999999999",
        "5e-324",
        "1.7976931348623159e308",
        &digits,
        &zeros,
        &fraction,
        &exponent,
    ];
    let begin = tokio::time::Instant::now();
    for event in EVENTS {
        for value in valid {
            probe
                .invalid(event, &with(event, "group_id", value), Some("group_id"))
                .await;
        }
    }
    for (event, key) in [
        ("join_group", "after_seq"),
        ("get_entries", "before_seq"),
        ("send_message", "key_epoch"),
        ("mark_read", "seq"),
    ] {
        for value in valid {
            probe.invalid(event, &with(event, key, value), Some(key)).await;
        }
    }
    for value in valid {
        // As nobody's key it counts for nothing, and as the payload for nothing good.
        let ack = probe
            .ask("get_entries", &with("get_entries", "more", value))
            .await;
        assert_eq!(ack["success"], true, "{ack}");
        probe.invalid("mark_read", &format!(",{value}"), None).await;
        for event in ["send_message", "edit_message"] {
            probe
                .invalid(
                    event,
                    &with(event, "encrypted_content", value),
                    Some("encrypted_content"),
                )
                .await;
        }
    }
    let took = begin.elapsed();
    // About 300 requests with up to 100 KB each; to convert one of these numbers alone would take longer.
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(probe);
    no_numbers(target, &valid).await;
    assert_eq!(target.world.log(GROUP).await.len(), before);
}

async fn no_numbers(target: &Target, valid: &[&str]) {
    // What JSON does not have ends the connection.
    for value in [
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "-01",
        "00",
        "+1",
        "1.",
        ".1",
        "0x1",
        "1e",
        "1e+",
        "1_000",
        "0b1",
        "1n",
        "--1",
        "-",
        "١",
        "１",
        "undefined",
        "1 1",
    ] {
        for text in [
            format!("427[\"mark_read\",{{\"group_id\":{value},\"seq\":1}}]"),
            format!("427[\"mark_read\",{{\"group_id\":1,\"more\":{value}}}]"),
        ] {
            check(target, &[Frame::text(&text)], "closed").await;
        }
    }
    let huge = format!(
        "427[\"mark_read\",{{\"group_id\":{},\"seq\":1}}]",
        "9".repeat(1_000_000)
    );
    check(target, &[Frame::text(&huge)], "closed").await;
    let admin = target.world.server.mint_admin();
    for value in valid
        .iter()
        .copied()
        .chain(["NaN", "Infinity", "01", "+1", "1.", ".1", "0x1"])
    {
        for (line, key) in [
            ("PUT /groups/1/read", "seq"),
            ("POST /groups/1/messages", "key_epoch"),
            ("PUT /groups/7", "name"),
        ] {
            let body = format!("{{\"encrypted_content\":\"x\",\"{key}\":{value}}}");
            let body = if key == "key_epoch" {
                body
            } else {
                body.replace("\"encrypted_content\":\"x\",", "")
            };
            let answer = http(target, &admin, line, body.as_bytes()).await;
            let field = valid.contains(&value).then(|| key.to_owned());
            assert_eq!(
                refusal(&answer),
                (400, "invalid_data".into(), field),
                "{line} {value:.30}"
            );
        }
    }
    let answer = http(
        target,
        &admin,
        "PUT /groups/1/read",
        format!("{{\"seq\":{}}}", "9".repeat(1_000_000)).as_bytes(),
    )
    .await;
    assert_eq!(refusal(&answer), (413, "payload_too_large".into(), None));
}
