//! What a message carries, and the ids that clients give it.

use sealroom_testkit::client::{Client, http::HttpResponse};
use serde_json::{Value, json};

use super::{check, http, refusal, with};
use crate::{
    peer::Frame,
    probe::Probe,
    target::{ALICE, GROUP, MALLORY, Target},
    world::{ask, log_over_socket, send, succeed},
};

const LIMIT: usize = 65_536;

pub(super) async fn pl_7_contents(target: &mut Target) {
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

    refused(target, &sender, &first).await;
    assert!(target.world.log(GROUP).await == stored);
}

/// Contents that are none, or too large, for a new message and for an edit of the first.
async fn refused(target: &Target, sender: &Client, first: &Value) {
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
            assert_eq!(ask(sender, event, message.clone()).await, too_large);
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
    for (event, absent) in [
        ("send_message", ",{\"group_id\":1}"),
        ("edit_message", ",{\"group_id\":1,\"seq\":1}"),
    ] {
        probe.invalid(event, absent, Some("encrypted_content")).await;
    }
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
}

pub(super) async fn pl_11_ids_of_messages(target: &mut Target) {
    target.world.group(2, [MALLORY, ALICE]).await;
    let before = target.world.log(GROUP).await.len();
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let long = "x".repeat(65);
    let kilobyte = "x".repeat(1024);
    for id in [
        "",
        &long,
        &kilobyte,
        "é",
        "語",
        "a\u{7f}",
        "a\tb",
        "a\nb",
        "a\u{1b}[31m",
        "\u{202e}a",
        "a\u{200d}b",
        "a\u{0}",
    ] {
        probe
            .invalid(
                "send_message",
                &with("send_message", "client_message_id", &json!(id).to_string()),
                Some("client_message_id"),
            )
            .await;
    }
    for value in ["5", "0", "true", "false", "[]", "[\"a\"]", "{}", "1e400"] {
        probe
            .invalid(
                "send_message",
                &with("send_message", "client_message_id", value),
                Some("client_message_id"),
            )
            .await;
    }
    for keys in [
        &[""][..],
        &[&long],
        &[&kilobyte],
        &["é"],
        &["a\tb"],
        &["a", "a"],
        &["a", "b"],
    ] {
        let answer = post(target, keys, "x").await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some("Idempotency-Key".into())),
            "{keys:.30?}"
        );
    }
    assert_eq!(target.world.log(GROUP).await.len(), before);

    repeated(target).await;
    assert_eq!(target.world.log(GROUP).await.len(), before + 2 + 5);
    assert_eq!(target.world.log(2).await.len(), 2 + 5);
}

async fn repeated(target: &Target) {
    let sender = target.world.socket(MALLORY).await;
    // None at all: two messages.
    for message in [
        json!({"group_id": GROUP, "encrypted_content": "x"}),
        json!({"group_id": GROUP, "encrypted_content": "x", "client_message_id": null}),
    ] {
        let ack = succeed(&sender, "send_message", message).await;
        assert_eq!(
            (&ack["duplicate"], &ack["message"]["client_message_id"]),
            (&json!(false), &Value::Null)
        );
    }
    let longest = format!("~!\"\\ {}", "x".repeat(59));
    for id in ["1", "null", "' OR 1=1 --", "../../x", &longest] {
        let message =
            json!({"group_id": GROUP, "encrypted_content": "x", "client_message_id": id, "key_epoch": 3});
        let first = succeed(&sender, "send_message", message.clone()).await;
        assert_eq!(
            (&first["duplicate"], &first["message"]["client_message_id"]),
            (&json!(false), &json!(id))
        );
        let again = succeed(&sender, "send_message", message.clone()).await;
        assert_eq!(
            (&again["duplicate"], &again["message"]),
            (&json!(true), &first["message"])
        );
        for (key, value) in [
            ("encrypted_content", json!("y")),
            ("key_epoch", json!(4)),
            ("key_epoch", Value::Null),
        ] {
            let mut other = message.clone();
            other[key] = value;
            let expected = json!({
                "success": false, "error": "client_message_id was used for another message",
                "code": "idempotency_conflict", "retryable": false,
            });
            assert_eq!(ask(&sender, "send_message", other).await, expected);
        }
        // The same id over HTTP is the same id.
        let answer = post(target, &[id], "y").await;
        assert_eq!(
            refusal(&answer),
            (409, "idempotency_conflict".into(), None),
            "{id}"
        );
        // In another group it is another message.
        let mut elsewhere = message.clone();
        elsewhere["group_id"] = json!(2);
        elsewhere["encrypted_content"] = json!("z");
        assert_eq!(
            succeed(&sender, "send_message", elsewhere).await["duplicate"],
            false
        );
    }
}

/// Posts a message with these headers for its id.
async fn post(target: &Target, keys: &[&str], content: &str) -> HttpResponse {
    let path = "/api/v1/groups/1/messages";
    let token = target.world.token(MALLORY);
    let authorization = format!("Bearer {token}");
    let mut headers = vec![
        ("Authorization", &*authorization),
        ("Content-Type", "application/json"),
    ];
    headers.extend(keys.iter().map(|key| ("Idempotency-Key", *key)));
    let body = json!({"encrypted_content": content}).to_string();
    http::request_with(target.addr(), "POST", path, &headers, body.as_bytes())
        .await
        .unwrap()
}
