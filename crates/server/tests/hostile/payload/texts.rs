//! Texts that are no UTF-8, halves of characters, numbers that no machine has, ids of messages, and names that play tricks.

use std::time::Duration;

use sealroom_testkit::client::Client;
use serde_json::{Value, json};

use super::{check, http, refusal, with};
use crate::{
    peer::{Frame, Peer, TEXT},
    probe::Probe,
    signer::Signer,
    target::{ALICE, GROUP, MALLORY, Target},
    world::EVENTS,
    world::send,
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
    halves(target).await;
    over_http(target, &token).await;
    assert_eq!(target.world.log(GROUP).await.len(), before + 1);
}

/// An event with these bytes in its content.
fn around(bytes: &[u8]) -> Vec<u8> {
    [
        &b"427[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"a"[..],
        bytes,
        b"b\"}]",
    ]
    .concat()
}

/// In bodies, queries, paths and polls.
async fn over_http(target: &Target, token: &str) {
    let text = [("Content-Type", "text/plain;charset=UTF-8")];
    for bytes in NO_UTF8 {
        // It ends the session.
        let polling = polling_session(target, token).await;
        let answer = http(
            target,
            token,
            "POST /groups/1/messages",
            &[b"{\"encrypted_content\":\"", bytes, b"\"}"].concat(),
        )
        .await;
        assert_eq!(refusal(&answer), (400, "invalid_data".into(), None), "{bytes:x?}");
        let percent = bytes
            .iter()
            .fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
        let answer = http(
            target,
            token,
            &format!("GET /groups/1/entries?after_seq={percent}"),
            b"",
        )
        .await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some("after_seq".into())),
            "{percent}"
        );
        let answer = http(target, token, &format!("GET /groups/{percent}"), b"").await;
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
}

async fn halves(target: &Target) {
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

/// Labels that are kept as they are.
fn good() -> Vec<String> {
    let combining = "e".to_owned() + &"\u{301}".repeat(127);
    vec![
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
    ]
}

/// Labels that are none: too long, or nothing to see, or what moves a cursor.
fn bad() -> [String; 14] {
    let ten_thousand = "e".to_owned() + &"\u{301}".repeat(10_000);
    [
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
    ]
    .map(str::to_owned)
}

pub(super) async fn pl_13_names_that_play_tricks(target: &mut Target) {
    let good = good();
    let bad = bad();
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
    for label in &bad {
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
    for (user_id, label) in (300_u64..).zip(good.iter().chain(&bad)) {
        target.world.add(GROUP, user_id).await;
        let claims = json!({"user_id": user_id, "exp": 4_000_000_000_u64, "name": label});
        let connect = Client::connect(target.addr(), &signer.token(&claims)).await;
        match connect {
            Ok(client) => {
                // One that shows nothing is none.
                let expected = if label.trim().is_empty() {
                    "Unknown"
                } else {
                    &**label
                };
                assert!(
                    good.iter().any(|good| good == label) || expected == "Unknown",
                    "{label:.20?}"
                );
                assert_eq!(send(&client, GROUP, "x").await["sender_name"], expected);
            }
            Err(error) => {
                assert!(bad.contains(label) && error.refused, "{label:.20?}: {error}");
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
