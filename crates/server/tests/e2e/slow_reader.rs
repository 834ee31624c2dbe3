//! A client that stops reading, in a group where much is said.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use sealroom_testkit::client::Client;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    common::Store,
    reader::Reader,
    world::{World, succeed},
};

const GROUP: u64 = 1;
const SLOW: u64 = 9;

on_each_store!(
    a_slow_reader_is_sent_away_recovers_and_disturbs_nobody,
    worker_threads = 2
);
async fn a_slow_reader_is_sent_away_recovers_and_disturbs_nobody(store: Store) {
    let world = World::start_on(store).await;
    world.group(GROUP, [1, 2, 3, SLOW]).await;
    let mut slow = Reader::new(&world, SLOW, GROUP);
    slow.connect().await.unwrap();
    slow.join(100).await.unwrap();
    let senders = [world.joined(1, GROUP).await, world.joined(2, GROUP).await];
    let mut listener = Reader::new(&world, 3, GROUP);
    listener.connect().await.unwrap();
    listener.join(100).await.unwrap();

    slow.client().pause_reading();
    // Twice of what may wait for a socket, and what the kernels take.
    let (mut sent, mut slowest) = (0, Duration::ZERO);
    for _ in 0..300 {
        slowest = slowest.max(talk(&senders).await);
        sent += 4;
    }
    // Whoever reads again after that finds the end, not the rest.
    slow.client().resume_reading();
    let begin = Instant::now();
    while slow.client().closed().is_none() {
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "the slow reader is still connected"
        );
        sleep(Duration::from_millis(20)).await;
    }
    slow.absorb();
    let before = slow.copy.len();
    println!("{sent} messages of 16 KiB; the slow reader had {before} entries; slowest answer {slowest:.1?}");
    assert!(before < 4 + sent, "it was never slow");
    assert!(slowest < Duration::from_secs(5));

    slow.connect().await.unwrap();
    slow.join(500).await.unwrap();
    talk(&senders).await;
    let log = world.log(GROUP).await;
    assert_eq!(u64::try_from(log.len()).unwrap(), 4 + sent + 4);
    for reader in [&mut slow, &mut listener] {
        // In front of this answer is all that was sent to it.
        succeed(
            reader.client(),
            "get_entries",
            json!({"group_id": GROUP, "limit": 1}),
        )
        .await;
        assert_eq!(reader.client().closed(), None);
        reader.absorb();
        assert!(reader.copy.entries == log);
    }
    for sender in &senders {
        assert_eq!(sender.closed(), None);
    }
}

/// Two messages of each sender at once; gives how long the slowest answer took.
async fn talk(senders: &[Client]) -> Duration {
    let begin = Instant::now();
    let message = json!({"group_id": GROUP, "encrypted_content": "x".repeat(16 * 1024)});
    let sends = senders
        .iter()
        .chain(senders)
        .map(|sender| sender.request("send_message", &message));
    for send in sends.collect::<VecDeque<_>>() {
        assert_eq!(send.answer().await.unwrap()["success"], true);
    }
    begin.elapsed()
}
