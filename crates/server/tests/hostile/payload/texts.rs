//! Texts that are no UTF-8, halves of characters, numbers that no machine has, ids of messages, and names that play tricks.

use std::time::Duration;

use sealroom_testkit::client::Client;
use serde_json::{Value, json};

use super::{check, http, refusal, with};
use crate::{
    peer::{Frame, Peer, TEXT},
    probe::{EVENTS, Probe},
    signer::Signer,
    target::{ALICE, GROUP, MALLORY, Target},
    world::{ask, send, succeed},
};

/// Bytes that are no UTF-8: RFC 3629, section 3.
const NO_UTF8: [&[u8]; 14] = [
    // Alone, and of no character at all.
    b"\x80",
    b"\xbf",
    b"\xff",
    b"\xfe",
    // Overlong forms of `/`, of U+0000 and of U+00FF.
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xc0\x80",
    b"\xe0\x83\xbf",
    // Halves of surrogates, alone and together (CESU-8).
    b"\xed\xa0\x80",
    b"\xed\xa0\x80\xed\xb0\x80",
    // Above U+10FFFF, and cut off.
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xe2\x82",
];

pub(super) async fn pl_5_no_text_at_all(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let token = target.world.token(MALLORY);
    let around = |bytes: &[u8]| {
        [
            &b"427[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"a"[..],
            bytes,
            b"b\"}]",
        ]
        .concat()
    };
    for bytes in NO_UTF8 {
        for payload in [
            bytes.to_vec(),
            around(bytes),
            [b"4", bytes].concat(),
            [&b"x".repeat(300)[..], bytes].concat(),
        ] {
            let mut peer = Peer::connected(target.addr(), &token).await;
            peer.frame(&Frame::new(TEXT, payload.clone())).await;
            ended(&mut peer, bytes).await;
        }
        // Before anybody is known.
        let mut peer = Peer::websocket(target.addr()).await;
        peer.frame(&Frame::new(TEXT, [b"40{\"token\":\"", bytes, b"\"}"].concat()))
            .await;
        ended(&mut peer, bytes).await;
    }
    // Halves of surrogates as escapes: no text, neither as a value nor as a key.
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for half in [
        r"\ud800",
        r"\udfff",
        r"\udc00\ud800",
        r"\ud800x",
        r"\ud800\u0041",
        r"\ud83e\ud83e\udd80",
        r"\u12",
        r"\uzzzz",
    ] {
        let whole_json = !half.ends_with("12") && !half.ends_with('z');
        for (event, key) in [
            ("send_message", "encrypted_content"),
            ("send_message", "client_message_id"),
            ("edit_message", "encrypted_content"),
            ("join_group", "log_id"),
            ("refresh_token", "token"),
        ] {
            if whole_json {
                probe
                    .invalid(event, &with(event, key, &format!("\"{half}\"")), Some(key))
                    .await;
            } else {
                let frame = format!("427[\"{event}\"{}]", with(event, key, &format!("\"{half}\"")));
                check(target, &[Frame::text(&frame)], "closed").await;
            }
        }
        if whole_json {
            for event in EVENTS {
                let args = with(event, "group_id", &format!("1,\"{half}\":1"));
                probe.invalid(event, &args, None).await;
            }
        }
        let mut peer = Peer::websocket(target.addr()).await;
        peer.say(&format!("40{{\"token\":\"{half}\"}}")).await;
        assert_eq!(peer.packet().await, "44{\"message\":\"token_invalid\"}", "{half}");
    }
    // A pair of them is a character.
    let crab = r#"{"group_id":1,"encrypted_content":"\ud83e\udd80"}"#;
    let ack = probe.client.emit_with_ack("send_message", crab).await.unwrap();
    assert_eq!(ack["message"]["encrypted_content"], "🦀");

    let text = [("Content-Type", "text/plain;charset=UTF-8")];
    for bytes in NO_UTF8 {
        // It ends the session.
        let polling = polling_session(target, &token).await;
        let answer = http(
            target,
            &token,
            "POST /groups/1/messages",
            &[b"{\"encrypted_content\":\"", bytes, b"\"}"].concat(),
        )
        .await;
        assert_eq!(refusal(&answer), (400, "invalid_data".into(), None), "{bytes:x?}");
        let percent: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        let answer = http(
            target,
            &token,
            &format!("GET /groups/1/entries?after_seq={percent}"),
            b"",
        )
        .await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some("after_seq".into())),
            "{percent}"
        );
        let answer = http(target, &token, &format!("GET /groups/{percent}"), b"").await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some("group_id".into())),
            "{percent}"
        );
        let answer = http::request_with(target.addr(), "POST", &polling, &text, &around(bytes))
            .await
            .unwrap();
        assert_eq!(answer.status, 400, "{bytes:x?}");
    }
    assert_eq!(target.world.log(GROUP).await.len(), before + 1);
}

/// The server closes over what is no text, at once, and says nothing but that (1007) if it says anything.
async fn ended(peer: &mut Peer, bytes: &[u8]) {
    let (_, code) = peer.closed(Duration::from_secs(5)).await;
    assert!(matches!(code, None | Some(1007)), "{bytes:x?}: {code:?}");
}

/// The path of a session over polling, past CONNECT.
async fn polling_session(target: &Target, token: &str) -> String {
    let path = "/socket.io/?EIO=4&transport=polling";
    let open = http::request(target.addr(), "GET", path, None, None)
        .await
        .unwrap();
    let open: Value = serde_json::from_str(open.text().strip_prefix('0').unwrap()).unwrap();
    let session = format!("{path}&sid={}", open["sid"].as_str().unwrap());
    let connect = format!("40{}", json!({"token": token}));
    let text = [("Content-Type", "text/plain;charset=UTF-8")];
    let answer = http::request_with(target.addr(), "POST", &session, &text, connect.as_bytes())
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    loop {
        let answer = http::request(target.addr(), "GET", &session, None, None)
            .await
            .unwrap();
        if answer.text().contains("40{") {
            return session;
        }
        assert_eq!(answer.text(), "2", "a ping at most");
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
        .into_iter()
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
    assert_eq!(target.world.log(GROUP).await.len(), before);
}

pub(super) async fn pl_11_ids_of_messages(target: &mut Target) {
    target.world.group(2, [MALLORY, ALICE]).await;
    let before = target.world.log(GROUP).await.len();
    let sender = target.world.socket(MALLORY).await;
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    let token = target.world.token(MALLORY);
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
    let path = "/api/v1/groups/1/messages";
    let post = async |keys: &[&str], content: &str| {
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
    };
    for keys in [
        &[""][..],
        &[&long],
        &[&kilobyte],
        &["é"],
        &["a\tb"],
        &["a", "a"],
        &["a", "b"],
    ] {
        let answer = post(keys, "x").await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some("Idempotency-Key".into())),
            "{keys:.30?}"
        );
    }
    assert_eq!(target.world.log(GROUP).await.len(), before);

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
        let answer = post(&[id], "y").await;
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
    assert_eq!(target.world.log(GROUP).await.len(), before + 2 + 5);
    assert_eq!(target.world.log(2).await.len(), 2 + 5);
}

pub(super) async fn pl_13_names_that_play_tricks(target: &mut Target) {
    let combining = "e".to_owned() + &"\u{301}".repeat(127);
    let good = [
        "\u{202e}nimda\u{202c}".to_owned(),
        "a\u{200d}b\u{200b}\u{2060}".into(),
        "👨‍👩‍👧‍👦🏳️‍🌈".into(),
        "e\u{301}\u{e9}".into(),
        "Ａｄｍｉｎ аdmin".into(),
        "\u{feff}a\u{fffd}\u{fffe}\u{10ffff}".into(),
        "a\u{2028}b\u{2029}c".into(),
        "İıſß\u{1f1}".into(),
        "ﷺ".repeat(85),
        "é".repeat(128),
        "🦀".repeat(64),
        combining.get(..255).unwrap_or(&combining).to_owned(),
        "'; DROP TABLE groups; --".into(),
        "%s%n{}${jndi:ldap://x}".into(),
        "group:1".into(),
        "a\u{e000}\u{e0001}".into(),
    ];
    let ten_thousand = "e".to_owned() + &"\u{301}".repeat(10_000);
    let bad = [
        "",
        " ",
        "\u{2003}\u{3000}",
        "a\u{7}",
        "a\nb",
        "a\r\nb",
        "\u{1b}[2J",
        "a\u{85}b",
        "\u{9b}31m",
        "\u{7f}",
        &"é".repeat(129),
        &"x".repeat(257),
        &"🦀".repeat(65),
        &ten_thousand,
    ];
    let admin = target.world.server.mint_admin();
    let before = target.world.server.log().len();
    let listener = target.world.joined(ALICE, GROUP).await;
    for (number, label) in good.iter().enumerate() {
        assert!(label.len() <= 256, "{label}");
        let answer = target
            .world
            .user(MALLORY, "POST", "/groups", json!({"name": label}))
            .await;
        assert_eq!(
            (answer.status, &answer.json()["name"]),
            (201, &json!(label)),
            "{label:?}"
        );
        let mine = answer.json()["group_id"].as_u64().unwrap();
        for (line, body) in [
            (format!("PATCH /groups/{mine}"), json!({"name": label})),
            ("PUT /groups/77".to_owned(), json!({"name": label})),
        ] {
            let answer = http(target, &admin, &line, body.to_string().as_bytes()).await;
            assert!(
                matches!(answer.status, 200 | 201),
                "{line} {label:?}: {}",
                answer.text()
            );
            let path = line.split_once(' ').unwrap().1;
            let answer = http(target, &admin, &format!("GET {path}"), b"").await;
            assert_eq!(answer.json()["name"], *label);
        }
        let path = format!("/users/{MALLORY}");
        let answer = target
            .world
            .admin("PUT", &path, json!({"display_name": label}))
            .await;
        assert!(answer.status < 300, "{label:?}: {}", answer.text());
        let client = target.world.socket(MALLORY).await;
        let message = send(&client, GROUP, &number.to_string()).await;
        assert_eq!(message["sender_name"], *label);
        assert_eq!(listener.next_event("new_message").await.unwrap(), message);
        client.disconnect().await.unwrap();
    }
    for label in bad {
        for (line, key) in [
            ("POST /groups", "name"),
            ("PATCH /groups/1", "name"),
            ("PUT /groups/78", "name"),
            ("PUT /users/1", "display_name"),
        ] {
            let answer = http(target, &admin, line, json!({(key): label}).to_string().as_bytes()).await;
            assert_eq!(
                refusal(&answer),
                (400, "invalid_data".into(), Some(key.into())),
                "{line} {label:.20?}"
            );
        }
    }
    // The name in a token is a label as well: what is none is not taken over.
    let signer = Signer::Hs256(target.world.server.secret.clone());
    for (user_id, label) in (300_u64..).zip(good.iter().map(String::as_str).chain(bad)) {
        target.world.add(GROUP, user_id).await;
        let claims = json!({"user_id": user_id, "exp": 4_000_000_000_u64, "name": label});
        let connect = Client::connect(target.addr(), &signer.token(&claims)).await;
        match connect {
            Ok(client) => {
                // One that shows nothing is none.
                let expected = if label.trim().is_empty() { "Unknown" } else { label };
                assert!(
                    good.iter().any(|good| good == label) || expected == "Unknown",
                    "{label:.20?}"
                );
                assert_eq!(send(&client, GROUP, "x").await["sender_name"], expected);
            }
            Err(error) => {
                assert!(bad.contains(&label) && error.refused, "{label:.20?}: {error}");
                assert_eq!(error.message, "token_invalid", "{label:.20?}");
            }
        }
    }
    let log = target.world.server.log();
    for trick in ["nimda", "DROP TABLE", "jndi", "\u{202e}", "\u{1b}[2J", "\u{2028}"] {
        assert!(
            !log[before..].contains(trick),
            "{trick:?} is in the log: {}",
            &log[before..]
        );
    }
}
