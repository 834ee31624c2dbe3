//! Readers that do not read, or not fast enough, or are gone.

use std::time::Duration;

use sealroom_testkit::{
    client::{Client, PendingAck},
    network::{FaultProxy, Link},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{MIB, ROOM};
use crate::{
    reader::Reader,
    target::{ALICE, GROUP, MALLORY, Target, eventually},
    world::{send, succeed},
};

/// A client that joined, and whose kernel takes little before it holds the server back.
async fn joined(target: &Target) -> Client {
    let client = Client::builder(target.addr())
        .token(&target.world.token(ALICE))
        .receive_buffer(4096)
        .connect()
        .await
        .unwrap();
    succeed(&client, "join_group", json!({"group_id": GROUP})).await;
    client
}

/// Messages of 50 KB each, sixteen under way; gives how long the slowest answer took.
async fn talk(writer: &Client, messages: usize) -> Duration {
    let message = json!({"group_id": GROUP, "encrypted_content": "x".repeat(50_000)}).to_string();
    let mut slowest = Duration::ZERO;
    for _ in 0..messages.div_ceil(16) {
        let begin = Instant::now();
        let sends: Vec<PendingAck> = (0..16)
            .map(|_| writer.request("send_message", &message))
            .collect();
        for send in sends {
            assert_eq!(send.answer().await.unwrap()["success"], true);
        }
        slowest = slowest.max(begin.elapsed());
    }
    slowest
}

pub(super) async fn rs_3_readers_that_take_nothing(target: &mut Target) {
    const STUCK: usize = 10;
    let writer = target.world.socket(MALLORY).await;
    let mut healthy = Reader::new(&target.world, MALLORY, GROUP);
    healthy.connect().await.unwrap();
    healthy.join(500).await.unwrap();
    talk(&writer, 160).await;
    let (memory, connections) = (target.memory(), target.connections());
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        stuck.push(joined(target).await);
    }
    stuck.iter().for_each(Client::pause_reading);
    talk(&writer, 320).await;
    let grown = target.memory().saturating_sub(memory);
    assert!(grown < ROOM, "{} MiB more", grown / MIB);
    // Neither side closes: the server gives them up.
    let within = Duration::from_secs(30);
    eventually(within, "the stuck readers are gone", || {
        target.connections() == connections
    })
    .await;
    drop(stuck);
    succeed(
        healthy.client(),
        "get_entries",
        json!({"group_id": GROUP, "limit": 1}),
    )
    .await;
    healthy.absorb();
    assert!(healthy.copy.entries == target.world.log(GROUP).await);
}

pub(super) async fn rs_4_a_reader_at_1_kb_a_second(target: &mut Target) {
    let proxy = FaultProxy::start(target.addr()).await.unwrap();
    let writer = target.world.socket(MALLORY).await;
    let mut slow = Reader::through(&target.world, proxy.addr(), ALICE, GROUP);
    slow.connect().await.unwrap();
    slow.join(500).await.unwrap();
    proxy.set(Link {
        bytes_per_second: Some(1024),
        ..Link::default()
    });
    talk(&writer, 64).await;
    // It may be told later than it was closed.
    let begin = Instant::now();
    while target.connections() > 1 {
        assert!(begin.elapsed() < Duration::from_secs(20), "never closed");
        talk(&writer, 16).await;
        sleep(Duration::from_millis(50)).await;
    }
    proxy.set(Link::default());
    slow.client().wait_closed().await.unwrap();
    slow.absorb();
    let before = slow.copy.entries.len();
    slow.connect().await.unwrap();
    slow.join(500).await.unwrap();
    let log = target.world.log(GROUP).await;
    slow.absorb();
    assert!(
        before < log.len() && slow.copy.entries == log,
        "{before} before, a gap after"
    );
}

pub(super) async fn rs_5_peers_that_vanish(target: &mut Target) {
    let proxy = FaultProxy::start(target.addr()).await.unwrap();
    let writer = target.world.socket(MALLORY).await;
    let connections = target.connections();
    let mut gone = Vec::new();
    for _ in 0..10 {
        let client = Client::connect(proxy.addr(), &target.world.token(ALICE))
            .await
            .unwrap();
        succeed(&client, "join_group", json!({"group_id": GROUP})).await;
        gone.push(client);
    }
    assert_eq!(target.connections(), connections + 10);
    proxy.abandon_all();
    for _ in 0..20 {
        talk(&writer, 32).await;
    }
    let what = "the vanished peers are cleared away";
    eventually(Duration::from_secs(30), what, || {
        target.connections() == connections
    })
    .await;
    send(&writer, GROUP, "after").await;
}

pub(super) async fn rs_10_large_messages_for_many(target: &mut Target) {
    const READERS: usize = 150;
    const MESSAGES: usize = 30;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let (tell, told) = tokio::sync::watch::channel(0);
        let client = Client::builder(target.addr())
            .token(&target.world.token(ALICE))
            .observer(move |received| {
                if received.is_event("new_message") {
                    tell.send_modify(|count| *count += 1);
                }
            })
            .connect()
            .await
            .unwrap();
        succeed(&client, "join_group", json!({"group_id": GROUP})).await;
        readers.push((client, told));
    }
    let writer = target.world.socket(MALLORY).await;
    let before = target.memory();
    let content = "x".repeat(65_536);
    let sends: Vec<_> = (0..MESSAGES)
        .map(|_| {
            writer.request(
                "send_message",
                json!({"group_id": GROUP, "encrypted_content": content}),
            )
        })
        .collect();
    let mut most = 0;
    for send in sends {
        assert_eq!(send.answer().await.unwrap()["success"], true);
        most = most.max(target.memory().saturating_sub(before));
    }
    for (_client, told) in &mut readers {
        tokio::time::timeout(Duration::from_secs(30), told.wait_for(|count| *count == MESSAGES))
            .await
            .expect("a delivery is missing")
            .unwrap();
    }
    // Each of them has all of it waiting at some moment: 300 MB, if each had copies of its own.
    println!(
        "{READERS} readers of {MESSAGES} messages of 64 KiB: {} MiB more",
        most / MIB
    );
    assert!(most < ROOM, "{} MiB more", most / MIB);
}
