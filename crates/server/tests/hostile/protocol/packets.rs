//! Packets of Engine.IO and Socket.IO that are none.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{Polling, refusal_or_ok};
use crate::{
    peer::{BINARY, Came, Frame, Peer},
    target::{ALICE, GROUP, MALLORY, Target},
};

/// What the server may grow by, whatever anybody does.
const ROOM: u64 = 64 << 20;
/// The answer to a send without a group, under the ack id 1.
const NO_GROUP: &str = "431[{\"success\":false,\"error\":\"Invalid data\",\"code\":\"invalid_data\",\"retryable\":false,\"field\":\"group_id\"}]";
const ANSWER: &str = "4377[{\"success\":true";
const QUESTION: &str = "4277[\"get_entries\",{\"group_id\":1,\"limit\":1}]";

/// What comes of frames on a connected socket, up to the answers of good requests behind them: the packets, or how the
/// connection ended.
async fn outcome(target: &Target, frames: &[Frame]) -> String {
    let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
    for frame in frames {
        peer.frame(frame).await;
    }
    peer.say(QUESTION).await;
    let (mut came, mut answers) = (String::new(), 0);
    loop {
        let Ok(next) = timeout(Duration::from_secs(3), peer.next()).await else {
            return came + "silence";
        };
        match next {
            // What stood right behind the packet that ends a session may have been read with it, so a second one decides.
            Came::Text(text) if text.starts_with(ANSWER) && answers == 0 => {
                answers += 1;
                peer.say(QUESTION).await;
            }
            Came::Text(text) if text.starts_with(ANSWER) => return came,
            // The end is told in a packet of Engine.IO, too.
            Came::Text(text) if text == "2" || text == "1" => {}
            Came::Text(text) => came += &text,
            Came::Close(_) | Came::Gone => return came + "closed",
            Came::Other(..) => came += "another frame",
        }
    }
}

/// Plays a table of texts and what must come of each.
async fn play(target: &Target, table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (text, expected) in table {
        let came = outcome(target, &[Frame::text(text)]).await;
        if came != *expected {
            wrong.push(format!("{text:?} gives {came:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub(super) async fn pr_9_packets_of_engine_io(target: &mut Target) {
    let ending = [
        "",
        "9",
        "0",
        "0{}",
        "0{\"sid\":\"x\"}",
        "1",
        "1x",
        "5",
        "6",
        "7",
        "a",
        "b",
        "b!!!",
        "bAAAA",
        "bAA",
        "B",
        "x",
        "\u{f6}",
        "\u{1e}",
        "\u{1e}4",
        "\u{0}",
        " ",
        "2probe",
        "3probe",
        "{}",
        "[]",
        "\u{1F600}",
        "-1",
        "\u{feff}4",
    ];
    let table: Vec<_> = ending.iter().map(|text| (*text, "closed")).collect();
    play(target, &table).await;
    // Pings and pongs carry what they like, and are no upgrade.
    let harmless = [
        "2",
        "3",
        "2pr\u{f6}be",
        "2prob",
        "2probes",
        "3x",
        "2\u{0}",
        "3\u{1F600}",
    ];
    play(target, &harmless.map(|text| (text, ""))).await;
    // The same by polling: refused, and nothing but the own session ends.
    for text in ["", "9", "0{}", "5", "6", "b!!!", "2pr\u{f6}be\u{1e}\u{f6}", "x"] {
        let session = Polling::connected(target, MALLORY).await;
        let answer = session.post(text).await;
        let expected = if text.is_empty() { 200 } else { 400 };
        assert_eq!(answer.status, expected, "{text:?} {}", answer.text());
    }
}

pub(super) async fn pr_10_bodies_of_polling(target: &mut Target) {
    let event = |id: usize| format!("42{id}[\"get_entries\",{{\"group_id\":1,\"limit\":1}}]");
    let padded = |bytes: usize| {
        let (head, tail) = ("427[\"get_entries\",{\"group_id\":1,\"pad\":\"", "\"}]");
        format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()))
    };
    let mut came = Vec::new();
    for (name, body) in [
        ("nothing", Vec::new()),
        ("a separator", vec![0x1e]),
        ("separators", vec![0x1e; 1_000]),
        ("empty messages", b"4\x1e".repeat(50_000)),
        (
            "a separator at the end",
            format!("{}\u{1e}", event(7)).into_bytes(),
        ),
        ("no UTF-8", b"42[\"\xff\xfe\"]".to_vec()),
        ("half a character", b"4\xc3\x1e4\xb6".to_vec()),
        ("the limit", padded(131_072).into_bytes()),
        ("one more", padded(131_073).into_bytes()),
        ("much more", padded(4 << 20).into_bytes()),
    ] {
        let session = Polling::connected(target, MALLORY).await;
        let posted = session.post(&body).await;
        let over = session.is_over().await;
        came.push((name, posted.status, over));
    }
    assert_eq!(
        came,
        [
            ("nothing", 200, false),
            ("a separator", 400, true),
            ("separators", 400, true),
            ("empty messages", 200, true),
            ("a separator at the end", 200, false),
            ("no UTF-8", 400, true),
            ("half a character", 400, true),
            ("the limit", 200, false),
            ("one more", 413, true),
            ("much more", 413, true),
        ]
    );
}

pub(super) async fn pr_11_packets_of_socket_io(target: &mut Target) {
    let deep = format!("42{}", "[".repeat(60_000));
    let connect = format!("40{}", "{\"a\":".repeat(20_000));
    play(
        target,
        &[
            ("4", "closed"),
            ("47", "closed"),
            ("48", "closed"),
            ("49", "closed"),
            ("4x", "closed"),
            ("4\u{f6}", "closed"),
            ("43", "closed"),
            ("43[]", "closed"),
            ("44", "closed"),
            ("44{}", "closed"),
            ("45", "closed"),
            ("45-", "closed"),
            ("45-[]", "closed"),
            ("45x-[]", "closed"),
            ("46", "closed"),
            ("461-[]", "closed"),
            ("42", "closed"),
            ("42{}", "closed"),
            ("42[]", "closed"),
            ("42[5]", "closed"),
            ("42[null]", "closed"),
            ("42[[\"x\"]]", "closed"),
            ("42\"x\"", "closed"),
            ("42[\"x\"", "closed"),
            ("42,", "closed"),
            (&deep, "closed"),
            (&connect, ""),
            ("42/unknown,[\"send_message\",{}]", ""),
            ("42/unknown,1[\"send_message\",{}]", ""),
            ("42/,1[\"send_message\",{}]", NO_GROUP),
            ("41/unknown,", ""),
            ("43/unknown,1[]", ""),
            ("40/unknown,", "44/unknown,{\"message\":\"Invalid namespace\"}"),
            ("40/unknown", "44/unknown,{\"message\":\"Invalid namespace\"}"),
            (
                "40/unknown,{\"token\":1}",
                "44/unknown,{\"message\":\"Invalid namespace\"}",
            ),
            ("40/", ""),
            ("40", ""),
            ("40{}", ""),
        ],
    )
    .await;
    // The namespace is left; RS-7 waits for the end of the session. An event behind it is for a socket that is leaving,
    // or, once that is forgotten, for none, which ends the session at once: never an answer.
    let came = outcome(target, &[Frame::text("41")]).await;
    assert!(["silence", "closed"].contains(&came.as_str()), "{came}");
    // Names of namespaces are kept by nobody.
    let before = target.memory();
    let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
    for number in 0..3_000 {
        let name = format!("/{number}{}", "x".repeat(8_000));
        peer.say(&format!("40{name},")).await;
        assert_eq!(
            peer.packet().await,
            format!("44{name},{{\"message\":\"Invalid namespace\"}}")
        );
    }
    assert!(target.memory().saturating_sub(before) < ROOM / 4);
}

pub(super) async fn pr_12_events_and_connect(target: &mut Target) {
    let connect = format!("40{}", json!({"token": target.world.token(MALLORY)}));
    // Before CONNECT there is nobody to serve an event.
    let send = "421[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"early\"}]";
    let mut peer = Peer::websocket(target.addr()).await;
    peer.say(send).await;
    peer.closed(Duration::from_secs(5)).await;
    // Behind a refused CONNECT neither.
    let mut peer = Peer::websocket(target.addr()).await;
    peer.say("40{\"token\":\"x\"}").await;
    assert_eq!(peer.packet().await, "44{\"message\":\"token_invalid\"}");
    peer.say(send).await;
    peer.closed(Duration::from_secs(5)).await;
    // While CONNECT is looked at: an ack or the end, and nothing in between.
    for _ in 0..50 {
        let mut peer = Peer::websocket(target.addr()).await;
        peer.say(&connect).await;
        peer.say(QUESTION).await;
        loop {
            match peer.next().await {
                Came::Text(text) if text.starts_with("4377[{\"success\":true") => break,
                Came::Text(text) => assert!(text == "2" || text == "1" || text.starts_with("40"), "{text}"),
                Came::Close(_) | Came::Gone => break,
                other @ Came::Other(..) => panic!("{other:?}"),
            }
        }
    }
    // Right behind the answer to CONNECT none is lost.
    for _ in 0..300 {
        let mut peer = Peer::connected(target.addr(), &target.world.token(ALICE)).await;
        peer.say(QUESTION).await;
        assert!(peer.packet().await.starts_with("4377[{\"success\":true"));
    }
    assert_eq!(target.world.log(GROUP).await.len(), 4);
}

pub(super) async fn pr_13_ack_ids(target: &mut Target) {
    let event = "[\"get_entries\",{\"group_id\":1,\"limit\":1}]";
    let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
    for id in [
        "0",
        "1",
        "00",
        "4294967296",
        "9007199254740993",
        "9223372036854775807",
    ] {
        peer.say(&format!("42{id}{event}")).await;
        let number: u64 = id.parse().unwrap();
        let ack = peer.packet().await;
        assert!(
            ack.starts_with(&format!("43{number}[{{\"success\":true")),
            "{id}: {ack}"
        );
    }
    // What no number can be is no id, and the event without an ack id does the same work.
    for id in [
        "9223372036854775808",
        "99999999999999999999999999",
        &"9".repeat(1_000),
    ] {
        peer.say(&format!("42{id}{event}")).await;
    }
    // In flight twice: both are answered.
    for _ in 0..10 {
        peer.say(&format!("425{event}")).await;
    }
    for _ in 0..10 {
        assert!(peer.packet().await.starts_with("435[{\"success\":true"));
    }
    for id in ["-1", "abc", "1.5", "+1", " 1", "1e3", "0x1"] {
        let came = outcome(target, &[Frame::text(&format!("42{id}{event}"))]).await;
        assert_eq!(came, "closed", "{id}");
    }
    let before = target.memory();
    for round in 0..20 {
        let frames: Vec<u8> = (0..200)
            .flat_map(|number| Frame::text(&format!("42{}{event}", 1_000_000 + round * 200 + number)).bytes())
            .collect();
        peer.write(&frames).await;
        for _ in 0..200 {
            assert!(peer.packet().await.starts_with("431"));
        }
    }
    assert!(target.memory().saturating_sub(before) < ROOM);
}

pub(super) async fn pr_14_acks_for_nothing(target: &mut Target) {
    let before = target.memory();
    let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
    for round in 0..50 {
        let frames: Vec<u8> = (0..1_000)
            .flat_map(|number| Frame::text(&format!("43{}[\"x\"]", round * 1_000 + number)).bytes())
            .collect();
        peer.write(&frames).await;
    }
    for ack in [
        "439223372036854775807[]",
        "430[{}]",
        "430{}",
        "461-1[{\"_placeholder\":true,\"num\":0}]",
    ] {
        peer.say(ack).await;
    }
    peer.frame(&Frame::new(BINARY, "x")).await;
    peer.say(QUESTION).await;
    assert!(peer.packet().await.starts_with("4377[{\"success\":true"));
    assert!(target.memory().saturating_sub(before) < ROOM);
}

/// Waits 6 s for an attachment that comes too late.
pub(super) async fn pr_15_attachments(target: &mut Target) {
    let one = "451-1[\"send_message\",{\"_placeholder\":true,\"num\":0}]";
    let binary = |bytes: usize| Frame::new(BINARY, vec![7; bytes]);
    let refused =
        "431[{\"success\":false,\"error\":\"Invalid data\",\"code\":\"invalid_data\",\"retryable\":false}]";
    let many = |count: usize| Frame::text(&format!("45{count}-1[\"send_message\",{{}}]"));
    let heavy = [vec![many(16)], vec![binary(20_000); 16]].concat();
    let full = [vec![many(16)], vec![binary(1_000); 16]].concat();
    for (frames, expected) in [
        (vec![many(0)], NO_GROUP),
        (vec![Frame::text(one), binary(1)], refused),
        (vec![Frame::text(one), binary(0)], refused),
        (full, refused),
        (vec![binary(1)], "closed"),
        (vec![Frame::text(one), binary(1), binary(1)], "closed"),
        (vec![Frame::text(one), Frame::text(one)], "closed"),
        (vec![Frame::text(one), Frame::text("43")], "closed"),
        (vec![many(17)], "closed"),
        (vec![many(1_000_000)], "closed"),
        (vec![many(usize::MAX)], "closed"),
        (vec![Frame::text("4599999999999999999999999-[\"x\"]")], "closed"),
        (heavy, "closed"),
        (vec![Frame::text(one), binary(131_073)], "closed"),
    ] {
        let came = outcome(target, &frames).await;
        // Before the end an event that was whole may have been refused.
        let came = came.strip_suffix("closed").map_or(&*came, |_| "closed");
        let first = String::from_utf8_lossy(&frames[0].payload);
        assert_eq!(came, expected, "{first} and {} more", frames.len() - 1);
    }
    // Those that never come hold what came so far and no more.
    let before = target.memory();
    let mut waiting = Vec::new();
    for _ in 0..15 {
        let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
        peer.frame(&many(16)).await;
        for _ in 0..15 {
            peer.frame(&binary(8_000)).await;
        }
        waiting.push(peer);
    }
    sleep(Duration::from_secs(6)).await;
    assert!(target.memory().saturating_sub(before) < ROOM);
    for peer in &mut waiting {
        peer.frame(&binary(1)).await;
        let closed = timeout(Duration::from_secs(5), peer.until_end()).await;
        assert!(closed.is_ok(), "an attachment that is too late is taken");
    }
    // By polling, where attachments are texts.
    let session = Polling::connected(target, MALLORY).await;
    let posted = session.post(format!("{one}\u{1e}bAQID")).await;
    assert_eq!(refusal_or_ok(&posted), (200, "ok".into()));
    assert!(session.packet("431").await.contains(&refused.to_owned()));
}
