//! A receiver that refuses: how often it is asked again, and when that ends. In simulated time.

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::time::Duration;

use common::{Reply, World, pass};
use sealroom_hooks::HookOptions;

const MESSAGE: &str = "message.created";

/// Gives up after six hours; days take their time even in simulation.
fn six_hours() -> HookOptions {
    assert_eq!(World::options().give_up_after, Duration::from_hours(72));
    HookOptions {
        give_up_after: Duration::from_hours(6),
        ..World::options()
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_was_down_for_hours_gets_everything_and_was_not_hammered() {
    let world = World::new();
    for number in 1..=20 {
        world.with_group(number, [1]).await;
    }
    world.receiver.replies(|_| Reply::Status(503));
    let hooks = world.start();
    let hours = 5;
    for _ in 0..hours * 60 {
        for number in 1..=20 {
            world.send(number, 1).await;
        }
        pass(60).await;
    }
    let while_down = world.receiver.count();
    assert!(world.receiver.taken().is_empty());
    // A probe every 15 to 30 seconds, and what was tried before it was clear.
    assert!(while_down < hours * 3600 / 15 + 20, "{while_down} requests");
    assert!(while_down > hours * 3600 / 31, "{while_down} requests");
    world.receiver.replies(|_| Reply::Accept);
    world.until_empty(Duration::from_mins(2)).await;
    hooks.close().await;
    for number in 1..=20 {
        let expected: Vec<i64> = (1..=300).collect();
        assert_eq!(
            world.receiver.taken_of(MESSAGE, number),
            expected,
            "group {number}"
        );
    }
    // Each was accepted once.
    let accepted = world.receiver.arrived().len() - while_down;
    assert_eq!(
        accepted,
        20 * 300
            + world.receiver.arrived()[while_down..]
                .iter()
                .filter(|a| a.reply != Reply::Accept)
                .count()
    );
}

#[tokio::test(start_paused = true)]
async fn attempts_for_one_group_come_less_and_less_often() {
    let world = World::new();
    world.with_group(5, [1]).await;
    world.receiver.replies(|_| Reply::Status(500));
    let hooks = world.start();
    world.send(5, 3).await;
    pass(3600).await;
    hooks.close().await;
    let arrived = world.receiver.arrived();
    assert!(arrived.iter().all(|a| a.seq == 1));
    for (number, pair) in arrived.windows(2).enumerate() {
        let full = Duration::from_secs(1 << number.min(9)).min(Duration::from_mins(5));
        let gap = pair[1].at - pair[0].at;
        assert!(
            gap >= full / 2 && gap <= full + Duration::from_secs(1),
            "{number}: {gap:?}"
        );
    }
    assert!(arrived.len() > 15, "{}", arrived.len());
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept_to() {
    let world = World::new();
    for number in 1..=2 {
        world.with_group(number, [1]).await;
    }
    // 503 speaks for its group; 429 for everything.
    for (status, others_wait) in [(503, false), (429, true)] {
        world.receiver.replies(move |a| {
            if a.group == 1 {
                Reply::After(status, 200)
            } else {
                Reply::Accept
            }
        });
        let hooks = world.start();
        world.send(1, 1).await;
        pass(2).await;
        let refused = world.receiver.last_of(1);
        world.send(2, 1).await;
        pass(20).await;
        let last = world.receiver.arrived().pop().unwrap();
        assert_eq!(last.group == 1, others_wait, "{status}");
        world.receiver.replies(|_| Reply::Accept);
        world.until_empty(Duration::from_mins(5)).await;
        let again = world.receiver.last_of(1);
        assert!(again.at - refused.at >= Duration::from_secs(200), "{status}");
        hooks.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_for_too_long_is_given_up_and_the_group_goes_on() {
    let world = World::new();
    for number in 1..=2 {
        world.with_group(number, [1]).await;
    }
    world.receiver.replies(|a| {
        if a.group == 1 {
            Reply::Status(400)
        } else {
            Reply::Accept
        }
    });
    let hooks = world.start_with(six_hours());
    for _ in 0..3 {
        world.send(1, 400).await;
        world.send(2, 1).await;
        pass(110 * 60).await;
    }
    // Not yet.
    assert_eq!(world.left().await, 1200);
    pass(50 * 60).await;
    assert_eq!(world.left().await, 800);
    world.receiver.replies(|_| Reply::Accept);
    world.until_empty(Duration::from_mins(10)).await;
    hooks.close().await;
    assert_eq!(
        world.receiver.taken_of(MESSAGE, 1),
        (401..=1200).collect::<Vec<i64>>()
    );
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_taken_the_outbox_does_not_grow_for_ever() {
    let world = World::new();
    for number in 1..=50 {
        world.with_group(number, [1]).await;
    }
    world.receiver.replies(|_| Reply::Status(502));
    let hooks = world.start_with(six_hours());
    for _ in 0..24 {
        for number in 1..=50 {
            world.send(number, 2).await;
        }
        pass(3600).await;
    }
    let left = world.left().await;
    // What is younger than six hours.
    assert!((600..=750).contains(&left), "{left} left");
    hooks.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_failure_gives_nothing_up_however_old_it_is() {
    let world = World::new();
    world.with_group(5, [1]).await;
    world.send(5, 3).await;
    // The server was away.
    pass(7 * 24 * 3600).await;
    world.receiver.replies(|_| Reply::Status(500));
    let hooks = world.start();
    pass(50 * 60).await;
    world.receiver.replies(|_| Reply::Accept);
    world.until_empty(Duration::from_mins(10)).await;
    hooks.close().await;
    assert_eq!(world.receiver.taken_of(MESSAGE, 5), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_is_left_alone_until_the_next_start() {
    let world = World::new();
    for number in 1..=5 {
        world.with_group(number, [1]).await;
    }
    world.receiver.replies(|_| Reply::Status(410));
    let hooks = world.start_with(HookOptions {
        in_flight: 1,
        ..six_hours()
    });
    for number in 1..=5 {
        world.send(number, 2).await;
    }
    pass(5 * 3600).await;
    assert_eq!(world.receiver.count(), 1);
    assert_eq!(world.left().await, 10);
    pass(2 * 3600).await;
    assert_eq!(world.left().await, 0, "what is too old goes");
    hooks.close().await;
    world.receiver.replies(|_| Reply::Accept);
    world.send(1, 1).await;
    let hooks = world.start();
    world.until_empty(Duration::from_secs(5)).await;
    hooks.close().await;
    assert_eq!(world.receiver.taken_of(MESSAGE, 1), [3]);
}
