//! Everything that a socket can say, good and bad, over both transports.

use std::{collections::BTreeSet, net::SocketAddr};

use sealroom_testkit::client::http;
use serde_json::{Value, json};

use super::{
    canary::{JUNK, REFUSED, TOKEN, content},
    refusals::Refusals,
};
use crate::{
    peer::{BINARY, Came, Frame, Peer},
    target::GROUP,
    world::EVENTS,
};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// A session, over one of the transports.
pub(super) enum Session {
    WebSocket(Peer),
    Polling(SocketAddr, String),
}

impl Session {
    /// Opens one, and tells its id.
    pub(super) async fn websocket(server: SocketAddr, headers: &[(&str, &str)]) -> (Self, String) {
        let mut peer = Peer::connect(server).await;
        let head = peer
            .ask_upgrade_with("/socket.io/?EIO=4&transport=websocket", headers)
            .await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let Came::Text(open) = peer.next().await else {
            panic!("no open packet")
        };
        (Self::WebSocket(peer), sid(&open))
    }

    pub(super) async fn polling(server: SocketAddr, headers: &[(&str, &str)]) -> (Self, String) {
        let open = http::request_with(server, "GET", POLLING, headers, b"")
            .await
            .unwrap();
        let sid = sid(&open.text());
        (Self::Polling(server, format!("{POLLING}&sid={sid}")), sid)
    }

    /// Sends packets.
    pub(super) async fn send(&mut self, packets: &[String]) {
        match self {
            Self::WebSocket(peer) => {
                for packet in packets {
                    peer.say(packet).await;
                }
            }
            Self::Polling(server, path) => {
                // As many at a time as a body may have.
                for packets in packets.chunks(40) {
                    let body = packets.join("\u{1e}");
                    let sent = http::request_with(*server, "POST", path, &[], body.as_bytes())
                        .await
                        .unwrap();
                    assert_eq!((sent.status, &*sent.text()), (200, "ok"));
                }
            }
        }
    }

    /// What comes next.
    async fn next(&mut self) -> Vec<String> {
        match self {
            Self::WebSocket(peer) => vec![peer.packet().await],
            Self::Polling(server, path) => {
                let polled = http::request_with(*server, "GET", path, &[], b"").await.unwrap();
                assert_eq!(polled.status, 200, "{}", polled.text());
                polled.text().split('\u{1e}').map(ToOwned::to_owned).collect()
            }
        }
    }

    /// Connects with a token; gives the session id of the answer.
    pub(super) async fn connect(&mut self, token: &str) -> String {
        self.send(&[format!("40{}", json!({"token": token}))]).await;
        loop {
            for packet in self.next().await {
                if let Some(answer) = packet.strip_prefix("40") {
                    return sid(answer);
                }
                assert!(packet == "2", "{packet}");
            }
        }
    }

    /// Sends events, numbered from 0, and gives their acks; `None` is one that is sent without an ack.
    async fn ask(&mut self, events: &[(bool, Value)], refusals: &mut Refusals) -> Vec<Value> {
        let mut packets = Vec::new();
        let mut open = BTreeSet::new();
        for (number, (acked, event)) in events.iter().enumerate() {
            if *acked {
                packets.push(format!("42{number}{event}"));
                open.insert(number);
            } else {
                packets.push(format!("42{event}"));
            }
        }
        self.send(&packets).await;
        let mut acks = vec![Value::Null; events.len()];
        while !open.is_empty() {
            for packet in self.next().await {
                if let Some(ack) = packet.strip_prefix("43") {
                    let (number, ack) = ack.split_at(ack.find('[').unwrap());
                    let number = number.parse().unwrap();
                    assert!(open.remove(&number), "{packet}");
                    let [ack] = serde_json::from_str::<[Value; 1]>(ack).unwrap();
                    acks[number] = ack;
                } else if let Some(event) = packet.strip_prefix("42") {
                    let (name, body): (String, Value) = serde_json::from_str(event).unwrap();
                    if name == "request_error" {
                        refusals.request_error(&body);
                    }
                } else {
                    assert!(["2", "3"].contains(&&*packet), "{packet}");
                }
            }
        }
        acks
    }

    /// Sends one event that is good.
    pub(super) async fn succeed(&mut self, event: Value, refusals: &mut Refusals) -> Value {
        let ack = self.ask(&[(true, event.clone())], refusals).await.remove(0);
        assert_eq!(ack["success"], true, "{event}: {ack}");
        ack
    }
}

/// The `sid` of a packet that ends in an object.
fn sid(packet: &str) -> String {
    let object = packet.find('{').map(|begin| &packet[begin..]);
    let object: Value = serde_json::from_str(object.unwrap_or_else(|| panic!("no sid: {packet}"))).unwrap();
    object["sid"].as_str().unwrap().to_owned()
}

/// Every event once as it should be, by a member of the group; gives the contents that are stored then.
pub(super) async fn good(session: &mut Session, token: &str, refusals: &mut Refusals) -> Vec<String> {
    let joined = session
        .succeed(
            json!(["join_group", {"group_id": GROUP, "after_seq": 0, "limit": 500}]),
            refusals,
        )
        .await;
    let first = joined["head_seq"].as_u64().unwrap();
    let contents: Vec<_> = (0..4)
        .map(|number| content(usize::try_from(first).unwrap() * 10 + number))
        .collect();
    let mut seqs = Vec::new();
    for (number, content) in contents[..3].iter().enumerate() {
        let message = json!({"group_id": GROUP, "encrypted_content": content, "key_epoch": 0,
            "client_message_id": format!("id-{first}-{number}")});
        let ack = session.succeed(json!(["send_message", message]), refusals).await;
        assert_eq!(ack["message"]["encrypted_content"], json!(content));
        seqs.push(ack["message"]["seq"].clone());
    }
    for (event, payload) in [
        (
            "edit_message",
            json!({"group_id": GROUP, "seq": seqs[1], "encrypted_content": contents[3]}),
        ),
        ("delete_message", json!({"group_id": GROUP, "seq": seqs[2]})),
        ("get_entries", json!({"group_id": GROUP, "after_seq": 0})),
        ("mark_read", json!({"group_id": GROUP, "seq": seqs[0]})),
        ("typing", json!({"group_id": GROUP, "is_typing": true})),
        ("refresh_token", json!({"token": token})),
    ] {
        session.succeed(json!([event, payload]), refusals).await;
    }
    // The same id for another message.
    let again = json!({"group_id": GROUP, "encrypted_content": REFUSED, "client_message_id": format!("id-{first}-0")});
    let ack = session
        .ask(&[(true, json!(["send_message", again]))], refusals)
        .await
        .remove(0);
    assert_eq!(ack["code"], "idempotency_conflict", "{ack}");
    refusals.ack(&ack);
    contents
}

/// Every event in every wrong shape, with and without an ack.
pub(super) async fn bad(session: &mut Session, refusals: &mut Refusals) {
    let full = json!({"group_id": 77, "encrypted_content": REFUSED, "seq": 1, "is_typing": true, "token": TOKEN,
        "client_message_id": "id", "user_id": JUNK, JUNK: JUNK});
    let with = |key: &str, value: Value| {
        let mut full = full.clone();
        full["group_id"] = json!(GROUP);
        full[key] = value;
        full
    };
    let mut payloads = vec![
        json!([]),
        json!([null]),
        json!([JUNK]),
        json!([[JUNK, REFUSED]]),
        json!([{}]),
        json!([full, full]),
        json!([full]),
    ];
    for key in [
        "group_id",
        "seq",
        "key_epoch",
        "after_seq",
        "before_seq",
        "limit",
        "is_typing",
    ] {
        payloads.push(json!([with(key, json!(JUNK))]));
        payloads.push(json!([with(key, json!({JUNK: [JUNK]}))]));
    }
    for (key, value) in [
        ("encrypted_content", json!([REFUSED])),
        ("encrypted_content", json!({REFUSED: REFUSED})),
        ("encrypted_content", json!(format!("{REFUSED}\0"))),
        ("client_message_id", json!(format!("{JUNK}\n"))),
        ("client_message_id", json!(JUNK.repeat(9))),
        ("seq", json!(9_000_000)),
        ("token", json!([TOKEN])),
        ("log_id", json!([JUNK])),
    ] {
        payloads.push(json!([with(key, value)]));
    }
    let mut events = Vec::new();
    for event in EVENTS.into_iter().chain(["refresh_token", JUNK, "__proto__", ""]) {
        for payload in &payloads {
            let mut arguments = vec![json!(event)];
            arguments.extend(payload.as_array().unwrap().iter().cloned());
            // What the wrong key does not belong to is left alone, so some of these succeed: not those of a message.
            if event == "send_message" && is_good_message(&arguments) {
                continue;
            }
            let event = Value::Array(arguments);
            events.extend([(false, event.clone()), (true, event)]);
        }
    }
    let long = json!({"group_id": GROUP, "encrypted_content": REFUSED.repeat(4000)});
    events.push((true, json!(["send_message", long])));
    for events in events.chunks(80) {
        for (ack, (_, event)) in session.ask(events, refusals).await.iter().zip(events) {
            if ack["success"] == false {
                refusals.ack(ack);
            } else {
                let told = ack.to_string();
                assert!(
                    [JUNK, REFUSED, TOKEN].iter().all(|mark| !told.contains(mark)),
                    "{event}: {ack}"
                );
            }
        }
    }
}

/// Whether the server would store it: keys that do not belong to an event are ignored.
fn is_good_message(arguments: &[Value]) -> bool {
    let [_, payload] = arguments else { return false };
    let is_other =
        |key: &str| !["group_id", "encrypted_content", "client_message_id", "key_epoch"].contains(&key);
    let plain = json!({"group_id": GROUP, "encrypted_content": REFUSED, "client_message_id": "id"});
    let Some(payload) = payload.as_object() else {
        return false;
    };
    let relevant: serde_json::Map<_, _> = payload
        .iter()
        .filter(|(key, _)| !is_other(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Value::Object(relevant) == plain
}

/// Packets that end a session, or that are refused before there is one.
pub(super) async fn broken(server: SocketAddr, token: &str, refusals: &mut Refusals) -> Vec<String> {
    let mut sids = Vec::new();
    for packet in [
        format!("42[\"{JUNK}"),
        format!("42[\"{JUNK}\",{{\"a\":{}", "[".repeat(200)),
        format!("42{}[\"{JUNK}\"]", "9".repeat(40)),
        format!("4{JUNK}"),
        format!("4/{JUNK},[\"{JUNK}\"]"),
        format!("40/{JUNK},{{\"token\":\"{TOKEN}\"}}"),
        format!("451-[\"{JUNK}\",{{\"_placeholder\":true,\"num\":9}}]"),
        format!("46-[\"{JUNK}\"]"),
        format!("43999[\"{JUNK}\"]"),
        format!("b{JUNK}"),
        format!("2{JUNK}"),
        format!("5{JUNK}"),
        JUNK.to_owned(),
    ] {
        let (mut session, sid) = Session::websocket(server, &[]).await;
        sids.extend([sid, session.connect(token).await]);
        session.send(std::slice::from_ref(&packet)).await;
        let Session::WebSocket(mut peer) = session else {
            unreachable!("it is a WebSocket")
        };
        peer.frame(&Frame::new(BINARY, JUNK)).await;
        peer.frame(&Frame::new(1, [JUNK.as_bytes(), b"\xff"].concat()))
            .await;
        let (polling, sid) = Session::polling(server, &[]).await;
        let Session::Polling(_, path) = polling else {
            unreachable!("it polls")
        };
        let answer = http::request_with(server, "POST", &path, &[], packet.as_bytes())
            .await
            .unwrap();
        refusals.plain(&packet, &answer);
        sids.push(sid);
    }
    sids
}

/// Handshakes that are refused, by Engine.IO and by the token; gives the ids of the sessions.
pub(super) async fn refused_handshakes(
    server: SocketAddr,
    expired: &str,
    revoked: &str,
    refusals: &mut Refusals,
) -> Vec<String> {
    for query in [
        format!("EIO=3&transport=polling&token={TOKEN}"),
        format!("EIO={JUNK}&transport=polling"),
        format!("EIO=4&transport={JUNK}"),
        format!("EIO=4&transport=polling&sid={JUNK}"),
        format!("EIO=4&transport=websocket&sid={JUNK}"),
        JUNK.to_owned(),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "BREW"] {
            let path = format!("/socket.io/?{query}");
            let headers = [
                ("Cookie", JUNK),
                ("User-Agent", JUNK),
                ("Authorization", &*format!("Bearer {TOKEN}")),
            ];
            let answer = http::request_with(server, method, &path, &headers, JUNK.as_bytes())
                .await
                .unwrap();
            assert_eq!(answer.status, 400, "{method} {path}");
            refusals.plain(&format!("{method} {path}"), &answer);
        }
    }
    let page = [("Origin", "https://canary-junk.example")];
    let answer = http::request_with(server, "GET", POLLING, &page, b"")
        .await
        .unwrap();
    assert_eq!(answer.status, 403);
    refusals.plain(POLLING, &answer);
    let bearer = format!("Bearer {TOKEN}");
    let header = [("Authorization", &*bearer)];
    let mut sids = Vec::new();
    for (headers, connect, code) in [
        (&[][..], "40".to_owned(), "token_missing"),
        (
            &[("Cookie", JUNK)],
            format!("40{{\"{JUNK}\":\"{TOKEN}\"}}"),
            "token_missing",
        ),
        (&header, "40".to_owned(), "token_invalid"),
        (&[], format!("40{{\"token\":\"{TOKEN}\"}}"), "token_invalid"),
        (&[], format!("40{{\"token\":[\"{TOKEN}\"]}}"), "token_invalid"),
        (
            &[],
            format!("40{{\"token\":\"{}\"}}", TOKEN.repeat(400)),
            "token_invalid",
        ),
        (&[], format!("40{}", json!({"token": expired})), "token_expired"),
        (&[], format!("40{}", json!({"token": revoked})), "token_revoked"),
    ] {
        for is_polling in [false, true] {
            let (mut session, id) = if is_polling {
                Session::polling(server, headers).await
            } else {
                Session::websocket(server, headers).await
            };
            sids.push(id);
            session.send(std::slice::from_ref(&connect)).await;
            let packet = loop {
                let packets = session.next().await;
                if let Some(packet) = packets.into_iter().find(|packet| packet != "2") {
                    break packet;
                }
            };
            let error = packet
                .strip_prefix("44")
                .unwrap_or_else(|| panic!("{connect}: {packet}"));
            let error: Value = serde_json::from_str(error).unwrap();
            assert_eq!(error, json!({"message": code}), "{connect}");
            refusals.connect_error(code);
        }
    }
    sids
}
