//! Slow, silent and panicking adapters at the worst moment: nothing leaks, nobody waits too long, nobody is closed
//! without need.

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{sync::atomic::Ordering, time::Duration};

use common::{ADMIN, Seen, Socket, World, group, seq, user};
use sealroom_domain::{ErrorCode, Limits};
use sealroom_engine::{ChatOptions, MembershipKeeper};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

const LATEST: Duration = Duration::from_secs(5);

fn many_sends() -> ChatOptions {
    let mut limits = Limits::default();
    limits.unacked_sends = None;
    ChatOptions {
        limits,
        ..ChatOptions::default()
    }
}

/// A join in a task of its own, for something to happen meanwhile.
fn join_aside(socket: &Socket, id: i64, after: Option<i64>) -> tokio::task::JoinHandle<()> {
    let socket = socket.clone();
    TaskTracker::new().spawn(async move { socket.join(id, after.map(seq)).await })
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_goes_away_in_the_middle_of_a_join_leaves_nothing() {
    let world = World::new(7, ChatOptions::default());
    *world.log.heads_take.lock() = millis(50);
    for id in 1..=25 {
        world.group(id, &[1]).await;
        let socket = world.socket(1).await;
        let join = join_aside(&socket, id, None);
        sleep(millis(10)).await;
        socket.close();
        drop(socket);
        join.await.unwrap();
    }
    assert_eq!(world.chat.joined_groups(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_session_gives_its_place_back_at_once() {
    let mut limits = Limits::default();
    limits.sockets_per_user = Some(1);
    let world = World::new(
        7,
        ChatOptions {
            limits,
            ..ChatOptions::default()
        },
    );
    let socket = world.socket(1).await;
    socket.close();
    // Something may still hold the session: the place is free all the same.
    assert!(world.chat.open_session(World::principal(1)).await.is_ok());
    drop(socket);
}

#[tokio::test(start_paused = true)]
async fn each_send_of_a_batch_has_its_own_deadline() {
    let world = World::new(7, ChatOptions::default());
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    *world.log.hang_for.lock() = millis(1000);
    let first = socket.send(5, "x");
    sleep(millis(10)).await;
    let late = socket.send(5, "x");
    sleep(millis(970)).await;
    let fresh = socket.send(5, "x");
    // The next batch has both, and ends between their deadlines.
    *world.log.hang_for.lock() = millis(4000);
    assert!(first.await.unwrap().is_ok());
    assert_eq!(late.await.unwrap().unwrap_err().code, ErrorCode::Unavailable);
    assert_eq!(fresh.await.unwrap().unwrap().message.entry().seq, seq(4));
}

#[tokio::test(start_paused = true)]
async fn overload_answers_what_it_stores() {
    let world = World::new(7, many_sends());
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    *world.log.hang_for.lock() = millis(300);
    let mut answers = Vec::new();
    for _ in 0..1_000 {
        answers.extend((0..30).map(|_| socket.send(5, "x")));
        sleep(millis(10)).await;
    }
    let mut acknowledged = 0;
    for answer in answers {
        acknowledged += usize::from(answer.await.unwrap().is_ok());
    }
    let stored = world.entries(5).await.len() - 1;
    // What cannot be answered in time is refused before it is stored.
    assert!(
        acknowledged * 10 >= stored * 9,
        "{acknowledged} of {stored} stored ones were acknowledged"
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_panics_costs_one_batch() {
    let options = ChatOptions {
        membership_keeper: MembershipKeeper::Host,
        ..ChatOptions::default()
    };
    let world = World::new(7, options);
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    world.log.roles_panic.store(true, Ordering::Relaxed);
    assert_eq!(
        socket.send(5, "x").await.unwrap().unwrap_err().code,
        ErrorCode::Internal
    );
    assert!(socket.send(5, "x").await.unwrap().is_ok());
    world.log.roles_panic.store(true, Ordering::Relaxed);
    socket.join(5, None).await;
    assert_eq!(socket.recorder.all().last(), Some(&Seen::JoinRefused));
    socket.join(5, None).await;
    assert!(matches!(socket.recorder.all().last(), Some(Seen::Joined { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_send_behind_a_gap_that_cannot_be_read_is_answered_in_time() {
    let world = World::new(7, ChatOptions::default());
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    socket.join(5, None).await;
    *world.log.hang_for.lock() = millis(4550);
    let unknown = socket.send(5, "x");
    sleep(millis(2000)).await;
    let behind = socket.send(5, "x");
    let start = Instant::now();
    sleep(millis(2400)).await;
    *world.log.hang_for.lock() = millis(200);
    *world.log.reads_take.lock() = Duration::from_mins(1);
    assert_eq!(unknown.await.unwrap().unwrap_err().code, ErrorCode::Unavailable);
    assert!(behind.await.unwrap().is_ok());
    assert!(start.elapsed() <= LATEST, "{:?}", start.elapsed());
    assert!(
        socket.recorder.all().contains(&Seen::Lost),
        "the socket comes back and recovers"
    );
}

#[tokio::test(start_paused = true)]
async fn a_send_before_a_slow_join_is_answered_in_time() {
    let world = World::new(7, ChatOptions::default());
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    *world.log.hang_for.lock() = millis(3000);
    *world.log.reads_take.lock() = millis(4400);
    let (answer, start) = (socket.send(5, "x"), Instant::now());
    sleep(millis(2900)).await;
    let join = join_aside(&socket, 5, Some(0));
    assert!(answer.await.unwrap().is_ok());
    assert!(start.elapsed() <= LATEST, "{:?}", start.elapsed());
    join.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_small_messages_during_a_join_closes_nothing() {
    let world = World::new(7, many_sends());
    world.group(5, &[1, 2]).await;
    let (reader, writer) = (world.socket(1).await, world.socket(2).await);
    reader.join(5, None).await;
    *world.log.reads_take.lock() = millis(300);
    let join = join_aside(&reader, 5, Some(0));
    sleep(millis(10)).await;
    for answer in (0..3_000).map(|_| writer.send(5, "x")).collect::<Vec<_>>() {
        answer.await.unwrap().unwrap();
    }
    join.await.unwrap();
    let seen = reader.recorder.all();
    assert!(!seen.contains(&Seen::Lost));
    assert_eq!(
        seen.iter().filter(|seen| matches!(seen, Seen::Entry(_))).count(),
        3_000
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_forgotten_of_what_comes_while_a_feed_starts() {
    let world = World::new(7, many_sends());
    world.group(5, &[1, 2]).await;
    let (reader, writer) = (world.socket(1).await, world.socket(2).await);
    *world.log.heads_answer_late.lock() = millis(200);
    let join = join_aside(&reader, 5, None);
    sleep(millis(50)).await;
    for answer in (0..1_500).map(|_| writer.send(5, "x")).collect::<Vec<_>>() {
        answer.await.unwrap().unwrap();
    }
    join.await.unwrap();
    sleep(Duration::from_mins(1)).await;
    let head = world.entries(5).await.last().unwrap().seq;
    assert_eq!(reader.recorder.all().last(), Some(&Seen::Entry(head)));
}

#[tokio::test(start_paused = true)]
async fn a_feed_goes_with_its_last_subscriber() {
    let world = World::new(7, ChatOptions::default());
    for id in 1..=20 {
        world.group(id, &[1]).await;
        let socket = world.socket(1).await;
        socket.join(id, None).await;
        world.chat.remove_member(ADMIN, group(id), user(1)).await.unwrap();
        socket.close();
    }
    assert_eq!(world.chat.joined_groups(), 0);
}
