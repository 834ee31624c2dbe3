//! Upgrades that go wrong, and WebSockets that are not asked for as they should be.

use std::time::Duration;

use sealroom_testkit::client::http::request_with;
use tokio::time::Instant;

use super::{Polling, WEBSOCKET};
use crate::{
    peer::{BINARY, Came, Frame, Peer},
    target::{MALLORY, Target, eventually},
};

const QUESTION: &str = "427[\"get_entries\",{\"group_id\":1}]";
const ANSWER: &str = "437[{\"success\":true";

/// What a request for a WebSocket says.
const GOOD: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];
const CONNECTION: usize = 0;
const UPGRADE: usize = 1;
const VERSION: usize = 2;
const KEY: usize = 3;

async fn begin(target: &Target, session: &Polling) -> Peer {
    let mut peer = Peer::connect(target.addr()).await;
    peer.upgrade(&session.upgrade()).await;
    peer
}

/// Waits 10 s for upgrades that are never finished.
pub(super) async fn pr_7_upgrades(target: &mut Target) {
    // Two at once: the first one wins, and the other one takes nothing along.
    let session = Polling::connected(target, MALLORY).await;
    let mut winner = begin(target, &session).await;
    let mut loser = Peer::connect(target.addr()).await;
    let head = loser.ask_upgrade(&session.upgrade()).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    winner.say("2probe").await;
    assert_eq!(winner.next().await, Came::Text("3probe".into()));
    // What polls meanwhile is told to go on there.
    assert_eq!(session.get().await.text(), "6");
    winner.say("5").await;
    winner.say(QUESTION).await;
    assert!(winner.packet().await.starts_with(ANSWER));
    let mut late = Peer::connect(target.addr()).await;
    let head = late.ask_upgrade(&session.upgrade()).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    winner.say(QUESTION).await;
    assert!(winner.packet().await.starts_with(ANSWER));

    // A poll that waits is let go when an upgrade begins.
    let session = Polling::connected(target, MALLORY).await;
    let (polled, mut peer) = tokio::join!(session.get(), begin(target, &session));
    assert_eq!((polled.status, &*polled.text()), (200, "6"));
    peer.say("2probe").await;
    peer.say("5").await;
    peer.say(QUESTION).await;
    assert_eq!(peer.packet().await, "3probe");
    assert!(peer.packet().await.starts_with(ANSWER));

    // A wrong step ends the session at once.
    let wrong = [
        vec![Frame::text("2")],
        vec![Frame::text("3probe")],
        vec![Frame::text("5")],
        vec![Frame::text("2prob")],
        vec![Frame::text("2probe2")],
        vec![Frame::text("2pr\u{f6}be")],
        vec![Frame::text("")],
        vec![Frame::text(QUESTION)],
        vec![Frame::new(BINARY, "2probe")],
        vec![Frame::text("2probe"), Frame::text("2probe")],
        vec![Frame::text("2probe"), Frame::text("6")],
        vec![Frame::text("2probe"), Frame::text(QUESTION)],
        vec![Frame::text("2probe"), Frame::new(BINARY, "5")],
    ];
    for frames in wrong {
        let session = Polling::connected(target, MALLORY).await;
        let mut peer = begin(target, &session).await;
        for frame in &frames {
            peer.frame(frame).await;
        }
        peer.closed(Duration::from_secs(5)).await;
        // The library lets go of it in a task of its own.
        let begin = Instant::now();
        while !session.is_over().await {
            assert!(begin.elapsed() < Duration::from_secs(3), "{frames:?}");
        }
    }

    // One that is never finished takes up to 10 s, and its session with it.
    tokio::join!(unfinished(target, &[]), unfinished(target, &["2probe"]));
}

/// An upgrade that stops behind these steps.
async fn unfinished(target: &Target, steps: &[&str]) {
    let session = Polling::connected(target, MALLORY).await;
    let mut peer = begin(target, &session).await;
    let begin = Instant::now();
    for step in steps {
        peer.say(step).await;
        assert_eq!(peer.packet().await, "3probe");
    }
    peer.until_end().await;
    let took = begin.elapsed();
    assert!((9..15).contains(&took.as_secs()), "{took:?}");
    assert!(session.is_over().await);
}

pub(super) async fn pr_8_websockets_that_are_none(target: &mut Target) {
    let before = target.connections();
    let mut peers = Vec::new();
    // No session of this id: whatever is answered, the connection ends and nothing is told.
    for _ in 0..20 {
        let mut peer = Peer::connect(target.addr()).await;
        let head = peer
            .ask_upgrade(&format!("{WEBSOCKET}&sid=AAAAAAAAAAAAAAAA"))
            .await;
        if head.starts_with("HTTP/1.1 101 ") {
            assert_eq!(peer.next().await, Came::Gone);
        } else {
            assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        }
        peers.push(peer);
    }
    // Without one of what an upgrade needs, or with another one.
    for missing in 0..GOOD.len() {
        let mut headers = GOOD.to_vec();
        headers.remove(missing);
        let expected = if missing == VERSION { 426 } else { 400 };
        assert_eq!(status(target, &headers).await, Some(expected), "{headers:?}");
    }
    for (place, value, expected) in [
        (CONNECTION, "keep-alive", 400),
        (CONNECTION, "Upgrades", 400),
        (CONNECTION, "close", 400),
        (UPGRADE, "h2c", 400),
        (UPGRADE, "websocke", 400),
        (UPGRADE, "web socket", 400),
        (VERSION, "8", 426),
        (VERSION, "0", 426),
        (VERSION, "13, 8", 426),
        (VERSION, "x", 426),
        (VERSION, "", 426),
        (KEY, "", 400),
        (KEY, "short", 400),
        (KEY, "not base64 at all!!!!!==", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ==x", 400),
        // As RFC 9110 lets lists and names be written.
        (CONNECTION, "keep-alive, uPGRADE", 101),
        (UPGRADE, "WebSocket", 101),
        (UPGRADE, "h2c, websocket", 101),
    ] {
        let mut headers = GOOD.to_vec();
        headers[place].1 = value;
        assert_eq!(status(target, &headers).await, Some(expected), "{headers:?}");
    }
    // Two keys, two versions: nobody may choose.
    for (place, expected) in [(KEY, 400), (VERSION, 426)] {
        let headers = [&GOOD[..], &[GOOD[place]]].concat();
        assert_eq!(status(target, &headers).await, Some(expected), "{headers:?}");
    }
    // HTTP/2 in the clear is not spoken.
    let mut peer = Peer::connect(target.addr()).await;
    peer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    peer.until_end().await;
    // A POST that asks for one.
    let answer = request_with(target.addr(), "POST", WEBSOCKET, &GOOD, b"")
        .await
        .unwrap();
    assert_eq!(answer.status, 400);
    drop((peer, peers));
    eventually(Duration::from_secs(10), "connections end", || {
        target.connections() <= before
    })
    .await;
}

/// The status of a request with these headers. Where it is let in it must be a WebSocket that works.
async fn status(target: &Target, headers: &[(&str, &str)]) -> Option<u16> {
    let mut peer = Peer::connect(target.addr()).await;
    let headers = headers.iter().fold(String::new(), |head, (name, value)| {
        head + name + ": " + value + "\r\n"
    });
    peer.write(format!("GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes())
        .await;
    let (status, _) = peer.answer().await;
    if status == Some(101) {
        assert!(matches!(peer.next().await, Came::Text(open) if open.starts_with("0{")));
    }
    status
}
