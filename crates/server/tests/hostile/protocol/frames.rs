//! Frames of RFC 6455 that are none, frames without end, and ends of connections.

use std::time::Duration;

use serde_json::json;
use socket2::SockRef;
use tokio::time::{Instant, timeout};

use crate::{
    peer::{BINARY, CLOSE, CONTINUATION, Came, Frame, PING, PONG, Peer, TEXT},
    target::{ALICE, GROUP, MALLORY, Target, eventually},
};

const ROOM: u64 = 64 << 20;
const LIMIT: usize = 131_072;
const QUESTION: &str = "427[\"get_entries\",{\"group_id\":1,\"limit\":1}]";
const ANSWER: &str = "437[{\"success\":true";

async fn connected(target: &Target) -> Peer {
    Peer::connected(target.addr(), &target.world.token(MALLORY)).await
}

/// Asks, and must be answered.
pub(super) async fn lives(peer: &mut Peer) {
    peer.say(QUESTION).await;
    loop {
        match peer.next().await {
            Came::Text(text) if text.starts_with(ANSWER) => return,
            Came::Text(text) if text == "2" => {}
            Came::Other(PONG, _) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The next frame that is no ping of Engine.IO.
async fn next_but_ping(peer: &mut Peer) -> Came {
    loop {
        match peer.next().await {
            Came::Text(text) if text == "2" => {}
            other => return other,
        }
    }
}

/// Parts of one text.
fn parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Vec<Frame> {
    let mut frames: Vec<_> = parts
        .into_iter()
        .enumerate()
        .map(|(place, part)| Frame {
            fin: false,
            ..Frame::new(if place == 0 { TEXT } else { CONTINUATION }, part)
        })
        .collect();
    frames.last_mut().unwrap().fin = true;
    frames
}

pub(super) async fn pr_16_frames_that_are_none(target: &mut Target) {
    let text = Frame::text(QUESTION);
    let first = Frame {
        fin: false,
        ..text.clone()
    };
    let mut bad = vec![
        vec![Frame {
            masked: false,
            ..text.clone()
        }],
        // Nothing to go on with, and nothing that went on.
        vec![Frame::new(CONTINUATION, "x")],
        vec![Frame {
            fin: false,
            ..Frame::new(CONTINUATION, "x")
        }],
        vec![first.clone(), text.clone()],
        vec![first.clone(), Frame::new(BINARY, "x")],
        // Lengths that lie: too long for anything.
        vec![Frame {
            length: Some(u64::MAX),
            ..text.clone()
        }],
        vec![Frame {
            length: Some(1 << 63),
            ..text.clone()
        }],
        vec![Frame {
            length: Some(u64::try_from(LIMIT).unwrap() + 1),
            ..text.clone()
        }],
        // No UTF-8, whole and in the middle of a character.
        vec![Frame::new(TEXT, [b'4', b'2', 0xff])],
        vec![Frame::new(TEXT, [b'4', 0xc3])],
        vec![Frame::new(TEXT, [0xed, 0xa0, 0x80])],
        vec![
            Frame {
                fin: false,
                ..Frame::new(TEXT, [b'4', 0xc3])
            },
            Frame::new(CONTINUATION, "x"),
        ],
    ];
    bad.extend((1..8).map(|reserved| {
        vec![Frame {
            reserved,
            ..text.clone()
        }]
    }));
    bad.extend((3..8).chain(11..16).map(|opcode| vec![Frame::new(opcode, "x")]));
    for opcode in [CLOSE, PING, PONG] {
        bad.push(vec![Frame {
            fin: false,
            ..Frame::new(opcode, "")
        }]);
        bad.push(vec![Frame::new(opcode, vec![b'x'; 126])]);
        bad.push(vec![Frame {
            reserved: 4,
            ..Frame::new(opcode, "")
        }]);
        bad.push(vec![Frame {
            masked: false,
            ..Frame::new(opcode, "x")
        }]);
    }
    for frames in &bad {
        let mut peer = connected(target).await;
        for frame in frames {
            peer.frame(frame).await;
        }
        let (_, code) = peer.closed(Duration::from_secs(5)).await;
        // With the code of a protocol error or, as the library has it, with none.
        assert!(matches!(code, None | Some(1002)), "{frames:?}: {code:?}");
    }

    // What is unusual and right is taken.
    let mut peer = connected(target).await;
    let mut frames = parts(QUESTION.split_inclusive(','));
    frames.insert(1, Frame::new(PING, "in between"));
    frames.insert(2, Frame::new(PONG, "nobody asked"));
    for frame in frames {
        peer.frame(&frame).await;
    }
    assert_eq!(
        next_but_ping(&mut peer).await,
        Came::Other(PONG, b"in between".to_vec())
    );
    assert!(peer.packet().await.starts_with(ANSWER));
    peer.frame(&Frame::new(PING, vec![b'x'; 125])).await;
    assert_eq!(next_but_ping(&mut peer).await, Came::Other(PONG, vec![b'x'; 125]));
    lives(&mut peer).await;
    // One byte at a time.
    for byte in text.bytes() {
        peer.write(&[byte]).await;
    }
    assert!(peer.packet().await.starts_with(ANSWER));
}

/// A good request of this many bytes.
fn padded(bytes: usize) -> String {
    let (head, tail) = (
        "427[\"get_entries\",{\"group_id\":1,\"limit\":1,\"pad\":\"",
        "\"}]",
    );
    format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()))
}

pub(super) async fn pr_17_frames_without_end(target: &mut Target) {
    let before = target.memory();
    // At the limit and past it, in one frame and in many.
    for size in [1_000, 40_000, LIMIT] {
        let in_parts = |bytes: usize| {
            let text = padded(bytes);
            let pieces: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .map(|part| std::str::from_utf8(part).unwrap())
                .collect();
            parts(pieces).iter().flat_map(Frame::bytes).collect::<Vec<u8>>()
        };
        let mut peer = connected(target).await;
        peer.write(&in_parts(LIMIT)).await;
        assert!(peer.packet().await.starts_with(ANSWER), "{size}");
        peer.write(&in_parts(LIMIT + 1)).await;
        peer.closed(Duration::from_secs(5)).await;
    }
    // A message that never ends, of one byte and of none at a time.
    for (piece, count) in [("x", 150_000), ("", 100_000)] {
        let mut peer = connected(target).await;
        let begin = Frame {
            fin: false,
            ..Frame::text("4")
        };
        let more = Frame {
            fin: false,
            ..Frame::new(CONTINUATION, piece)
        };
        peer.frame(&begin).await;
        let many = more.bytes().repeat(1_000);
        for _ in 0..count / 1_000 {
            peer.write(&many).await;
        }
        assert!(target.memory().saturating_sub(before) < ROOM, "{piece:?}");
        if !piece.is_empty() {
            peer.closed(Duration::from_secs(5)).await;
        }
        target.works().await;
    }
    // A flood of pings that nobody hears the answers of: far more than both ends of a connection take, so that the server
    // has to stop reading.
    let mut deaf = connected(target).await;
    let many = Frame::new(PING, vec![b'x'; 125]).bytes().repeat(1_000);
    let is_taken = async |deaf: &mut Peer| timeout(Duration::from_secs(2), deaf.write(&many)).await.is_ok();
    let mut taken = 0;
    while taken < 1_000 && is_taken(&mut deaf).await {
        taken += 1;
    }
    assert!(taken < 1_000, "pings are taken without an end");
    assert!(target.memory().saturating_sub(before) < ROOM / 4);
    target.works().await;
    // And one that hears them; each may be answered, and the last one is.
    let mut peer = connected(target).await;
    for round in 0..20 {
        peer.write(&Frame::new(PING, "x").bytes().repeat(500)).await;
        let last = format!("last {round}").into_bytes();
        peer.frame(&Frame::new(PING, last.clone())).await;
        loop {
            match peer.next().await {
                Came::Other(PONG, payload) if payload == last => break,
                Came::Other(PONG, payload) => assert_eq!(payload, b"x"),
                Came::Text(text) => assert_eq!(text, "2"),
                other => panic!("{other:?}"),
            }
        }
    }
    lives(&mut peer).await;
    assert!(target.memory().saturating_sub(before) < ROOM);
}

pub(super) async fn pr_19_ends(target: &mut Target) {
    let before = target.connections();
    let close = |payload: &[u8]| Some(Frame::new(CLOSE, payload).bytes());
    let question = Frame::text(QUESTION).bytes();
    // Bytes, and how the connection ends behind them; no bytes: only that.
    let ends = [
        (close(&[]), End::Read),
        (close(&[3, 232]), End::Read),
        (close(&[3, 233, b'x']), End::Read),
        (close(&[3]), End::Read),
        (close(&[0, 0]), End::Read),
        (close(&[3, 237]), End::Read),
        (close(&[0xff, 0xff]), End::Read),
        (close(&[3, 232, 0xff, 0xfe]), End::Read),
        (close(&[b'x'; 125]), End::Read),
        (
            close(&[]).map(|bytes| [bytes, question.clone()].concat()),
            End::Read,
        ),
        (Some(Frame::text("1").bytes()), End::Read),
        (Some(Frame::text("41").bytes()), End::Drop),
        (None, End::Drop),
        (None, End::Half),
        (None, End::Reset),
        (Some(question[..1].to_vec()), End::Drop),
        (Some(question[..5].to_vec()), End::Half),
        (Some(question[..20].to_vec()), End::Half),
        (Some(question[..20].to_vec()), End::Reset),
        (Some(question.clone()), End::Reset),
    ];
    for (bytes, end) in &ends {
        let mut peer = connected(target).await;
        peer.say("42[\"join_group\",{\"group_id\":1}]").await;
        lives(&mut peer).await;
        if let Some(bytes) = bytes {
            peer.write(bytes).await;
        }
        match end {
            End::Read => {
                peer.closed(Duration::from_secs(5)).await;
            }
            End::Drop => {}
            End::Half => {
                SockRef::from(peer.stream())
                    .shutdown(std::net::Shutdown::Write)
                    .unwrap();
                timeout(Duration::from_secs(5), peer.until_end()).await.unwrap();
            }
            End::Reset => SockRef::from(peer.stream())
                .set_linger(Some(Duration::ZERO))
                .unwrap(),
        }
        drop(peer);
        eventually(Duration::from_secs(5), "the connection ends", || {
            target.connections() <= before
        })
        .await;
    }
    // Each end was counted, and counted once: there is room for three, and not for a fourth.
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut three = Vec::new();
    while three.len() < 3 {
        assert!(Instant::now() < deadline, "only {} get in", three.len());
        if let Some(peer) = admitted(target).await {
            three.push(peer);
        }
    }
    assert!(admitted(target).await.is_none(), "one end was counted twice");
    // Nobody is left in the group who would hear this.
    let mut listener = Peer::connected(target.addr(), &target.world.token(ALICE)).await;
    listener
        .say(&format!("420[\"join_group\",{{\"group_id\":{GROUP}}}]"))
        .await;
    assert!(listener.packet().await.starts_with("430[{\"success\":true"));
    for peer in &mut three {
        lives(peer).await;
    }
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// Reads until the server closes.
    Read,
    /// Closes.
    Drop,
    /// Says no more, and reads until the server closes.
    Half,
    /// Resets.
    Reset,
}

/// A socket, unless there are too many.
async fn admitted(target: &Target) -> Option<Peer> {
    let mut peer = Peer::websocket(target.addr()).await;
    peer.say(&format!("40{}", json!({"token": target.world.token(MALLORY)})))
        .await;
    match peer.packet().await {
        answer if answer.starts_with("40") => Some(peer),
        answer => {
            assert_eq!(answer, "44{\"message\":\"too_many_connections\"}");
            None
        }
    }
}
