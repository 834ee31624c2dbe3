//! Pings of Engine.IO that are answered otherwise than in time.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::frames::lives;
use crate::{
    peer::{Came, Frame, PING, PONG, Peer},
    target::{ALICE, MALLORY, Target},
};

/// The ping of Engine.IO has no setting: this takes 50 s.
pub(super) async fn pr_18_heartbeats(target: &mut Target) {
    let begin = Instant::now();
    let silent = [&[][..], &["3"], &["3", "3", "3"]].map(|early| silent(target, early));
    let patient = [
        // A ping is answered once, twice, late, with another text of its kind, or with one more ping.
        (Duration::ZERO, &["3"][..]),
        (Duration::ZERO, &["3", "3"]),
        (Duration::from_secs(14), &["3"]),
        (Duration::ZERO, &["3x"]),
        (Duration::ZERO, &["2"]),
    ]
    .map(|(after, answer)| alive(target, after, answer));
    tokio::join!(join_all(silent), join_all(patient));
    assert!(begin.elapsed() > Duration::from_secs(45), "{:?}", begin.elapsed());
}

/// One that answers no ping, whatever it said before; the pings of WebSocket do not count.
async fn silent(target: &Target, early: &[&str]) {
    for _ in 0..3 {
        if let Some(took) = silent_for(target, early).await {
            println!("{early:?}: closed after {took:.1?}");
            assert!(took < Duration::from_secs(50), "{took:?}");
            assert!(took > Duration::from_secs(15), "{took:?}");
            return;
        }
        target.world.store_was_unavailable();
    }
    panic!("{early:?} is not let in");
}

/// How long it was let stay; `None` where it was not let in.
async fn silent_for(target: &Target, early: &[&str]) -> Option<Duration> {
    let mut peer = Peer::websocket(target.addr()).await;
    let opened = Instant::now();
    let connect = format!("40{}", json!({"token": target.world.token(MALLORY)}));
    for text in early.iter().copied().chain([&*connect]) {
        peer.say(text).await;
    }
    let deadline = opened + Duration::from_secs(55);
    let mut is_in = false;
    loop {
        match timeout_at(deadline, next(&mut peer))
            .await
            .expect("still open after 55 s")
        {
            Came::Close(_) | Came::Gone => break,
            Came::Text(text) if text.starts_with("40") => is_in = true,
            _ => peer.frame(&Frame::new(PING, "x")).await,
        }
    }
    is_in.then(|| opened.elapsed())
}

/// The next frame, however long it takes: a peer itself is not that patient.
async fn next(peer: &mut Peer) -> Came {
    loop {
        if timeout(Duration::from_mins(1), peer.stream().readable())
            .await
            .is_ok()
        {
            return peer.next().await;
        }
    }
}

/// One that answers pings so; it lives on.
async fn alive(target: &Target, after: Duration, answer: &[&str]) {
    for _ in 0..3 {
        if stays(target, after, answer).await {
            return;
        }
        target.world.store_was_unavailable();
    }
    panic!("{answer:?} after {after:?} is not let in");
}

/// Whether it was let in; then it stayed.
async fn stays(target: &Target, after: Duration, answer: &[&str]) -> bool {
    let mut peer = Peer::websocket(target.addr()).await;
    let begin = Instant::now();
    peer.say(&format!("40{}", json!({"token": target.world.token(ALICE)})))
        .await;
    let mut is_in = false;
    while begin.elapsed() < Duration::from_secs(48) {
        // A question of WebSocket's own wakes it up every few seconds.
        sleep(Duration::from_secs(3)).await;
        peer.frame(&Frame::new(PING, "x")).await;
        loop {
            match peer.next().await {
                Came::Text(text) if text == "2" => {
                    sleep(after).await;
                    for text in answer {
                        peer.say(text).await;
                    }
                }
                Came::Text(text) if text.starts_with("40") => is_in = true,
                Came::Other(PONG, _) => break,
                Came::Close(_) | Came::Gone if !is_in => return false,
                other => panic!("{answer:?} after {after:?}: {other:?}"),
            }
        }
    }
    lives(&mut peer).await;
    true
}
