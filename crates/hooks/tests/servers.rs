//! Several servers on one store, ends, crashes, and a store that fails. In simulated time.

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use common::{Receiver, Reply, World, pass};
use parking_lot::Mutex;
use sealroom_domain::{
    Timestamp,
    ports::{Memberships, Outbox, OutboxId, OutboxItem, StoreError},
};
use sealroom_hooks::{EventType, HookOptions, HookParts, Hooks};
use sealroom_testkit::faults::{Call, Faults, Faulty};
use tokio::time::Instant;

const MESSAGE: &str = "message.created";

/// A second server on the store, with a receiver's end of its own, so that it shows who sent.
fn second(world: &World) -> (Receiver, HookParts) {
    let receiver = Receiver::new(Duration::from_millis(5));
    let parts = HookParts {
        post: Arc::new(receiver.clone()),
        wake: Arc::default(),
        ..world.parts()
    };
    (receiver, parts)
}

fn seqs(range: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    range.collect()
}

#[tokio::test(start_paused = true)]
async fn of_two_servers_one_sends_and_the_other_goes_on_after_it() {
    let world = World::new();
    world.with_group(5, [1]).await;
    let (other, parts) = second(&world);
    let first = world.start();
    pass(1).await;
    let second = Hooks::start(parts, World::options()).unwrap();
    for _ in 0..100 {
        world.send(5, 2).await;
        pass(1).await;
    }
    assert_eq!(world.receiver.taken_of(MESSAGE, 5), seqs(1..=200));
    assert_eq!(other.count(), 0);
    // Given back, so that the other one need not wait for its end.
    first.close().await;
    world.send(5, 5).await;
    let closed = Instant::now();
    world.until_empty(Duration::from_secs(12)).await;
    assert!(closed.elapsed() <= Duration::from_secs(11));
    assert_eq!(world.receiver.count(), 200);
    assert_eq!(other.taken_of(MESSAGE, 5), seqs(201..=205));
    second.close().await;
}

#[tokio::test]
async fn after_a_crash_another_server_takes_over_when_the_lease_has_ended() {
    // The first server has a runtime of its own, which dies with everything in it.
    let world = Arc::new(Mutex::new(None));
    let made = Arc::clone(&world);
    let dying = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let world = World::new();
            world.with_group(5, [1]).await;
            world
                .receiver
                .replies(|a| if a.seq < 4 { Reply::Accept } else { Reply::Hang });
            let hooks = world.start();
            world.send(5, 6).await;
            pass(3).await;
            std::mem::forget(hooks);
            *made.lock() = Some((world.store.clone(), world.receiver.taken_of(MESSAGE, 5)));
        });
    });
    dying.join().unwrap();
    let (store, taken) = world.lock().take().unwrap();
    assert_eq!(taken, seqs(1..=4));

    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            // Its clock begins where the other's began.
            let world = World {
                store: store.clone(),
                ..World::new()
            };
            let parts = HookParts {
                outbox: Arc::new(store),
                ..world.parts()
            };
            let hooks = Hooks::start(parts, World::options()).unwrap();
            pass(29).await;
            assert_eq!(world.receiver.count(), 0, "the lease of the dead one goes on");
            pass(12).await;
            // The one whose answer was never heard comes again.
            assert_eq!(world.receiver.taken_of(MESSAGE, 5), seqs(4..=6));
            hooks.close().await;
            assert_eq!(world.left().await, 0);
        });
    })
    .join()
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_lease_cannot_be_renewed_sends_nothing_beside_the_next_one() {
    let world = World::new();
    for number in 1..=4 {
        world.with_group(number, [1]).await;
    }
    let faults = Faults::new();
    faults.only(&[Call::LeaseOutbox]);
    let outbox: Arc<dyn Outbox> = Arc::new(world.store.clone());
    let cut_off = HookParts {
        outbox: Arc::new(Faulty::new(outbox, &faults)),
        ..world.parts()
    };
    // Answers take their time, so that requests are under way all the time.
    let slow = Receiver::new(Duration::from_secs(14));
    let first = Hooks::start(
        HookParts {
            post: Arc::new(slow.clone()),
            ..cut_off
        },
        World::options(),
    )
    .unwrap();
    pass(1).await;
    let (other, parts) = second(&world);
    let second = Hooks::start(parts, World::options()).unwrap();
    for number in 1..=4 {
        world.send(number, 50).await;
    }
    pass(60).await;
    faults.set_failing(true);
    pass(120).await;
    let last_of_first = slow.arrived().last().unwrap().at;
    let first_of_other = other.arrived().first().unwrap().at;
    assert!(last_of_first < first_of_other);
    for number in 1..=4 {
        let mut all = slow.taken_of(MESSAGE, number);
        all.extend(other.taken_of(MESSAGE, number));
        assert_eq!(all, seqs(1..=50), "each once, in order");
    }
    first.close().await;
    second.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_waits_for_what_is_under_way_and_for_no_more() {
    for (reply, longest, left) in [
        (Reply::Accept, Duration::from_millis(200), 9),
        (Reply::Hang, Duration::from_secs(6), 10),
    ] {
        let mut world = World::new();
        world.receiver = Receiver::new(Duration::from_millis(100));
        world.with_group(5, [1]).await;
        world.receiver.replies(move |_| reply);
        let hooks = world.start();
        world.send(5, 10).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let asked = Instant::now();
        hooks.close().await;
        assert!(asked.elapsed() <= longest, "{reply:?}: {:?}", asked.elapsed());
        assert_eq!(world.left().await, left, "{reply:?}");
        pass(100).await;
        assert_eq!(world.receiver.count(), 1, "{reply:?}");
        // Closing again is harmless.
        hooks.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_is_bounded_also_where_the_store_hangs() {
    let world = World::new();
    world.with_group(5, [1]).await;
    let faults = Faults::new();
    let outbox: Arc<dyn Outbox> = Arc::new(world.store.clone());
    let parts = HookParts {
        outbox: Arc::new(Faulty::new(outbox, &faults)),
        ..world.parts()
    };
    let hooks = Hooks::start(parts, World::options()).unwrap();
    pass(1).await;
    faults.only(&[Call::PendingOutbox, Call::DeliveredOutbox, Call::LeaseOutbox]);
    faults.set_delay(Duration::from_hours(1));
    pass(5).await;
    let asked = Instant::now();
    hooks.close().await;
    assert!(asked.elapsed() <= Duration::from_secs(8), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_and_loses_nothing() {
    for call in [
        Call::LeaseOutbox,
        Call::PendingOutbox,
        Call::DeliveredOutbox,
        Call::MembersOf,
    ] {
        let world = World::new();
        world.with_group(5, [1, 2]).await;
        let faults = Faults::new();
        faults.only(&[call]);
        let outbox: Arc<dyn Outbox> = Arc::new(world.store.clone());
        let memberships: Arc<dyn Memberships> = Arc::new(world.store.clone());
        let parts = HookParts {
            outbox: Arc::new(Faulty::new(outbox, &faults)),
            memberships: Arc::new(Faulty::new(memberships, &faults)),
            ..world.parts()
        };
        let options = HookOptions {
            events: EventType::ALL.to_vec(),
            ..World::options()
        };
        let hooks = Hooks::start(parts, options).unwrap();
        pass(1).await;
        faults.set_failing(true);
        // A lease that cannot be renewed lasts until its end.
        pass(40).await;
        world.send(5, 200).await;
        pass(7200).await;
        assert_eq!(world.left().await, 200, "{call:?}");
        faults.set_failing(false);
        world.until_empty(Duration::from_secs(30)).await;
        hooks.close().await;
        for kind in [MESSAGE, "user.offline_message"] {
            assert_eq!(world.receiver.taken_of(kind, 5), seqs(1..=200), "{call:?}");
        }
        // Nothing was told twice: what could not be removed is remembered.
        assert_eq!(world.receiver.count(), 400, "{call:?}");
    }
}

/// Shows one item only later, as a store does whose transactions end in another order than they began.
#[derive(Debug)]
struct Straggling {
    inner: Arc<dyn Outbox>,
    hidden: Mutex<Option<OutboxId>>,
}

#[async_trait]
impl Outbox for Straggling {
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.inner.lease(holder, now, until).await
    }

    async fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, StoreError> {
        let mut page = self.inner.pending(after, limit).await?;
        let hidden = *self.hidden.lock();
        page.retain(|item| Some(item.id) != hidden);
        Ok(page)
    }

    async fn delivered(&self, ids: &[OutboxId]) -> Result<(), StoreError> {
        self.inner.delivered(ids).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_becomes_visible_after_later_ones_is_told() {
    let world = World::new();
    for number in 1..=3 {
        world.with_group(number, [1]).await;
    }
    let outbox = Arc::new(Straggling {
        inner: Arc::new(world.store.clone()),
        hidden: Mutex::new(None),
    });
    let parts = HookParts {
        outbox: outbox.clone(),
        ..world.parts()
    };
    let hooks = Hooks::start(parts, World::options()).unwrap();
    // Also long after the start, when most of the outbox has settled.
    for round in 1..=5 {
        let id = (round - 1) * 3 + 2;
        *outbox.hidden.lock() = Some(OutboxId(id));
        for number in 1..=3 {
            world.send(number, 1).await;
        }
        pass(4).await;
        assert_eq!(
            world.receiver.taken_of(MESSAGE, 2).len(),
            usize::try_from(round - 1).unwrap()
        );
        *outbox.hidden.lock() = None;
        pass(6).await;
        assert_eq!(world.receiver.taken_of(MESSAGE, 2), seqs(1..=round));
        pass(90).await;
    }
    hooks.close().await;
    assert_eq!(world.receiver.count(), 15);
}
