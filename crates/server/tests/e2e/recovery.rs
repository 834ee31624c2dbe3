//! The recovery promise, for a client that is cut off again and again while others send.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    common::Store,
    random::Random,
    reader::Reader,
    world::{World, succeed},
};

const CUTS: usize = 200;
const GROUP: u64 = 1;
const SENDERS: [u64; 3] = [1, 2, 3];
const READER: u64 = 10;
/// Comes and goes as a member, so that the log holds more than messages.
const GUEST: u64 = 20;

/// Where in its life a connection is cut.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// The join was just sent: its subscription is muted, or not even begun.
    AfterSendingJoin,
    /// The answer to the join was just read.
    AfterJoin,
    /// Between pages, or while one is under way.
    BetweenPages,
    /// While entries come live.
    Live,
    /// A second join was just sent: a live subscription is muted.
    AfterSendingAnotherJoin,
}

const ALL: [Cut; 5] = [
    Cut::AfterSendingJoin,
    Cut::AfterJoin,
    Cut::BetweenPages,
    Cut::Live,
    Cut::AfterSendingAnotherJoin,
];

on_each_store!(
    a_client_that_is_cut_off_200_times_misses_nothing,
    worker_threads = 2
);
async fn a_client_that_is_cut_off_200_times_misses_nothing(store: Store) {
    let world = Arc::new(World::start_on(store).await);
    world.group(GROUP, SENDERS.into_iter().chain([READER])).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut others = JoinSet::new();
    for user_id in SENDERS {
        others.spawn(send_all_the_time(world.clone(), user_id, stop.clone()));
    }
    others.spawn(come_and_go(world.clone(), stop.clone()));

    let begin = Instant::now();
    let mut random = Random::new();
    let mut reader = Reader::new(&world, READER, GROUP);
    for number in 0..CUTS {
        reader.connect().await.unwrap();
        live_until(&mut reader, ALL[number % ALL.len()], &mut random).await;
        reader.cut().await;
        sleep(random.moment(Duration::from_millis(40))).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(other) = others.join_next().await {
        other.unwrap();
    }

    reader.connect().await.unwrap();
    reader.join(100).await.unwrap();
    let log = world.log(GROUP).await;
    assert_eq!(reader.copy.entries.len(), log.len());
    for (copy, entry) in reader.copy.entries.iter().zip(&log) {
        assert_eq!(copy, entry);
    }
    let counts = &reader.copy.counts;
    println!(
        "{CUTS} cuts, {} entries in {:.1?}: {counts:?}",
        log.len(),
        begin.elapsed()
    );
    assert!(
        counts.with_join > 100 && counts.in_pages > 100 && counts.live > 100,
        "each way was taken: {counts:?}"
    );
}

async fn live_until(reader: &mut Reader, cut: Cut, random: &mut Random) {
    // Joins and pages take about this long.
    let soon = Duration::from_millis(4);
    let limit = random.pick(&[1, 7, 100, 500]);
    match cut {
        Cut::AfterSendingJoin => {
            drop(reader.request_join(limit));
            sleep(random.moment(soon)).await;
        }
        Cut::AfterJoin => {
            reader.request_join(limit).received().await.unwrap();
        }
        Cut::BetweenPages => {
            reader.request_join(limit).received().await.unwrap();
            for _ in 0..random.below(4) {
                reader.absorb();
                reader.request_page(limit).received().await.unwrap();
            }
            reader.absorb();
            drop(reader.request_page(limit));
            sleep(random.moment(soon)).await;
        }
        Cut::Live => {
            reader.join(limit.max(100)).await.unwrap();
            sleep(random.moment(Duration::from_millis(80))).await;
        }
        Cut::AfterSendingAnotherJoin => {
            reader.join(limit.max(100)).await.unwrap();
            let join = json!({"group_id": GROUP});
            let answered = reader.client().request("join_group", &join);
            answered.received().await.unwrap();
            drop(reader.client().request("join_group", &join));
            sleep(random.moment(soon)).await;
        }
    }
}

/// Sends with several messages in flight; each is acknowledged.
async fn send_all_the_time(world: Arc<World>, user_id: u64, stop: Arc<AtomicBool>) {
    let client = world.joined(user_id, GROUP).await;
    let mut in_flight = VecDeque::new();
    for counter in 0_u64.. {
        let stops = stop.load(Ordering::Relaxed);
        if !stops {
            let message = json!({"group_id": GROUP, "encrypted_content": format!("{user_id}:{counter}")});
            in_flight.push_back(client.request("send_message", message));
        }
        while in_flight.len() >= 4 || stops && !in_flight.is_empty() {
            let ack = in_flight.pop_front().unwrap().answer().await.unwrap();
            assert_eq!(ack["success"], true, "{ack}");
        }
        if stops {
            break;
        }
    }
    // Still there, and not disturbed.
    succeed(&client, "get_entries", json!({"group_id": GROUP, "limit": 1})).await;
}

async fn come_and_go(world: Arc<World>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        world.add(GROUP, GUEST).await;
        sleep(Duration::from_millis(10)).await;
        world.remove(GROUP, GUEST).await;
        sleep(Duration::from_millis(10)).await;
    }
}
