//! Connections that do little, or nothing, or are too many.

use std::{process::Command, time::Duration};

use futures_util::future::join_all;
use sealroom_testkit::client::{Client, http};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::ROOM;
use crate::{
    peer::Peer,
    target::{ALICE, GROUP, MALLORY, Target, eventually},
    world::succeed,
};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";

/// Writes one byte a second of a head or a body that never ends, or nothing at all, and gives how long it was let.
async fn drip(target: &Target, head: &str, byte: &[u8]) -> Duration {
    let mut peer = Peer::connect(target.addr()).await;
    peer.write(head.as_bytes()).await;
    let begin = Instant::now();
    loop {
        if !byte.is_empty() {
            peer.write(byte).await;
        }
        if let Ok(_end) = timeout(Duration::from_secs(1), peer.until_end()).await {
            return begin.elapsed();
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "still open: {head:?}");
    }
}

pub(super) async fn rs_1_slow_headers_slow_bodies_and_silence(target: &mut Target) {
    let token = target.world.token(MALLORY);
    let api = format!(
        "POST /api/v1/groups/1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    let open = http::request(target.addr(), "GET", POLL, None, None)
        .await
        .unwrap();
    let open: serde_json::Value = serde_json::from_str(&open.text()[1..]).unwrap();
    let poll = format!(
        "POST {POLL}&sid={} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n4",
        open["sid"].as_str().unwrap()
    );
    let chunked = api.replace("Content-Length: 1000", "Transfer-Encoding: chunked");
    let (head, idle) = (9..13, 9..13);
    let cases = [
        ("", &b""[..], idle.clone()),
        ("GET", b"", head.clone()),
        ("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a", head.clone()),
        ("GET / HTTP/1.1\r\n", b"a: b\r\n", head),
        // Answered, and then silent.
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"", idle),
        (&api, b" ", 14..19),
        (&chunked.replace('{', "1\r\n{\r\n"), b"1\r\n \r\n", 14..19),
        (&poll, b" ", 9..19),
    ];
    let many = cases.iter().flat_map(|case| std::iter::repeat_n(case, 8));
    let dripping = join_all(many.map(async |(head, byte, seconds)| {
        let took = drip(target, head, byte).await;
        assert!(seconds.contains(&took.as_secs()), "{took:?}: {head:?}");
    }));
    let meanwhile = async {
        for _ in 0..10 {
            target.works().await;
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(dripping, meanwhile);
    eventually(Duration::from_secs(2), "all of them are gone", || {
        target.connections() == 0
    })
    .await;
}

pub(super) async fn rs_2_a_flood_of_connections(target: &mut Target) {
    let before = target.descriptors();
    for _ in 0..3 {
        let mut peers = Vec::new();
        for _ in 0..500 {
            peers.push(Peer::connect(target.addr()).await);
        }
        let within = Duration::from_secs(5);
        eventually(within, "the rest is closed", || {
            target.descriptors() <= before + 50
        })
        .await;
        drop(peers);
        eventually(Duration::from_secs(5), "all are gone", || {
            target.connections() == 0
        })
        .await;
        target.works().await;
    }
    // No descriptors left at all: whoever is there stays, and whoever comes waits until there are some.
    let client = target.world.joined(ALICE, GROUP).await;
    limit_files(target, &(target.descriptors() + 2).to_string());
    let mut peers = Vec::new();
    for _ in 0..30 {
        peers.push(Peer::connect(target.addr()).await);
    }
    sleep(Duration::from_millis(300)).await;
    let message = json!({"group_id": GROUP, "encrypted_content": "without descriptors"});
    succeed(&client, "send_message", message).await;
    limit_files(target, "4096");
    target.works().await;
}

fn limit_files(target: &Target, number: &str) {
    let limit = [
        format!("--pid={}", target.world.server.pid()),
        format!("--nofile={number}:"),
    ];
    let done = Command::new("prlimit").args(limit).status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "this test needs prlimit, of util-linux"
    );
}

pub(super) async fn rs_6_sessions_that_never_connect(target: &mut Target) {
    const SESSIONS: usize = 300;
    let before = (target.memory(), target.descriptors());
    let begin = Instant::now();
    let mut websockets = Vec::new();
    for number in 0..SESSIONS {
        if number % 3 > 0 {
            websockets.push(Peer::websocket(target.addr()).await);
        } else {
            let open = http::request(target.addr(), "GET", POLL, None, None)
                .await
                .unwrap();
            assert_eq!(open.status, 200);
        }
    }
    let grown = target.memory().saturating_sub(before.0);
    let each = grown / u64::try_from(SESSIONS).unwrap();
    assert!(each < 64 * 1024, "{each} bytes for each");
    // Who says something else than CONNECT is not spared, nor who goes to where there is nothing.
    for (number, peer) in websockets.iter_mut().enumerate() {
        if number % 2 == 0 {
            peer.say("40/nowhere,").await;
        }
    }
    target.works().await;
    let ends = join_all(
        websockets
            .iter_mut()
            .map(|peer| peer.closed(Duration::from_secs(15))),
    )
    .await;
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert_eq!(ends.len(), websockets.len());
    drop(websockets);
    let descriptors = "the descriptors are free again";
    eventually(Duration::from_secs(5), descriptors, || {
        target.descriptors() <= before.1 + 2
    })
    .await;
}

pub(super) async fn rs_7_sessions_that_left(target: &mut Target) {
    let token = target.world.token(MALLORY);
    let mut peers = Vec::new();
    for _ in 0..10 {
        let mut peer = Peer::connected(target.addr(), &token).await;
        peer.say("41").await;
        peers.push(peer);
    }
    // One that comes back to the namespace is like any other.
    let mut back = Peer::connected(target.addr(), &token).await;
    back.say("41").await;
    // The library forgets the old one by its id, which the new one has as well.
    sleep(Duration::from_millis(300)).await;
    back.say(&format!("40{{\"token\":\"{token}\"}}")).await;
    assert!(back.packet().await.starts_with("40"));
    let begin = Instant::now();
    let ends = join_all(peers.iter_mut().map(|peer| peer.closed(Duration::from_secs(14)))).await;
    assert_eq!(ends.len(), 10);
    assert!(
        begin.elapsed() > Duration::from_secs(8),
        "{:?}: too early",
        begin.elapsed()
    );
    back.say("421[\"get_entries\",{\"group_id\":1}]").await;
    assert!(back.packet().await.starts_with("431[{\"success\":true"));
}

pub(super) async fn rs_13_everybody_comes_back_at_once(target: &mut Target) {
    const SOCKETS: u64 = 300;
    let mut clients = Vec::new();
    for _ in 0..SOCKETS {
        clients.push(target.world.joined(ALICE, GROUP).await);
    }
    let writer = target.world.socket(MALLORY).await;
    for number in 0..100 {
        let message = json!({"group_id": GROUP, "encrypted_content": number.to_string()});
        succeed(&writer, "send_message", message).await;
    }
    target.restart();
    drop(clients);
    let begin = Instant::now();
    let token = target.world.token(ALICE);
    let recovering = (0..SOCKETS).map(async |_| {
        // Whoever is sent away for now comes again, as clients do.
        let client = loop {
            match Client::connect(target.addr(), &token).await {
                Ok(client) => break client,
                Err(error) => assert!(
                    !error.refused && begin.elapsed() < Duration::from_secs(10),
                    "{error}"
                ),
            }
            sleep(Duration::from_millis(100)).await;
        };
        let join = json!({"group_id": GROUP, "after_seq": 4, "limit": 500});
        let ack = succeed(&client, "join_group", join).await;
        assert_eq!(
            (&ack["recovered"], ack["entries"].as_array().unwrap().len()),
            (&json!(true), 100)
        );
    });
    join_all(recovering).await;
    println!(
        "{SOCKETS} sockets recovered 100 entries each in {:.1?}",
        begin.elapsed()
    );
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

/// More than its burst is refused before any signature is looked at.
pub(super) async fn rs_14_a_flood_of_bad_tokens(target: &mut Target) {
    let before = target.memory();
    let good = target.world.token(MALLORY);
    let bad = format!("{}x", &good[..good.len() - 1]);
    let (mut refused, mut limited) = (0, 0);
    let attempts = (0..1_200).map(|_| Client::connect(target.addr(), &bad));
    for attempt in join_all(attempts).await {
        let error = attempt.unwrap_err();
        match error.status {
            Some(429) => limited += 1,
            None if error.refused => {
                assert_eq!(error.message, "token_invalid");
                refused += 1;
            }
            // More than 500 connections of one address at once.
            None => {}
            Some(status) => panic!("{status}"),
        }
    }
    println!("{refused} refused, {limited} were too many");
    assert!((1..=1_000).contains(&refused), "{refused}");
    assert!(target.memory().saturating_sub(before) < ROOM);
    sleep(Duration::from_secs(1)).await;
}
