//! Several servers on one log: each hears of the others' entries, and a socket gets its own entries once, also where
//! they are found in the log before their append is answered.

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::time::Duration;

use common::{ADMIN, Seen, Socket, World, group, seq, user};
use sealroom_engine::ChatOptions;
use tokio::time::sleep;

const LOOK: Duration = Duration::from_millis(50);
/// Long enough for the log to be looked at in between.
const LATE: Duration = Duration::from_millis(500);

fn options() -> ChatOptions {
    ChatOptions {
        looks_for_others: Some(LOOK),
        ..ChatOptions::default()
    }
}

fn entries(socket: &Socket) -> Vec<i64> {
    let seen = socket.recorder.all();
    seen.iter()
        .filter_map(|seen| match seen {
            Seen::Entry(seq) => Some(seq.get()),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn entries_of_another_server_follow() {
    let here = World::new(7, options());
    let there = World::on(here.store.clone(), 9, options());
    here.group(5, &[1, 2]).await;
    let (listener, sender) = (here.socket(1).await, there.socket(2).await);
    listener.join(5, None).await;
    for _ in 0..3 {
        assert!(sender.send(5, "x").await.unwrap().is_ok());
    }
    sleep(LOOK * 2).await;
    assert_eq!(entries(&listener), [3, 4, 5]);
    // A removal by another server evicts here.
    there.chat.remove_member(ADMIN, group(5), user(1)).await.unwrap();
    sleep(LOOK * 2).await;
    assert!(sender.send(5, "x").await.unwrap().is_ok());
    sleep(LOOK * 2).await;
    assert_eq!(entries(&listener), [3, 4, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn an_own_entry_that_came_from_the_log_does_not_come_again() {
    for (leaves, joins_again) in [(false, false), (true, false), (true, true)] {
        let world = World::new(7, options());
        world.group(5, &[1, 2]).await;
        *world.log.appends_answer_late.lock() = LATE;
        let socket = world.socket(1).await;
        socket.join(5, None).await;
        let sent = socket.send(5, "x");
        sleep(LATE / 2).await;
        assert_eq!(entries(&socket), [3]);
        if leaves {
            world.chat.leave(&socket.session, group(5)).unwrap();
        }
        if joins_again {
            socket.join(5, None).await;
        }
        assert_eq!(sent.await.unwrap().unwrap().message.entry().seq, seq(3));
        assert_eq!(entries(&socket), [3], "left: {leaves}, again: {joins_again}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_own_entry_does_not_come_again_after_a_removal() {
    let world = World::new(7, options());
    world.group(5, &[1, 2]).await;
    let there = World::on(world.store.clone(), 9, options());
    *world.log.appends_answer_late.lock() = LATE;
    let socket = world.socket(1).await;
    socket.join(5, None).await;
    let sent = socket.send(5, "x");
    sleep(LOOK).await;
    there.chat.remove_member(ADMIN, group(5), user(1)).await.unwrap();
    sleep(LOOK * 3).await;
    assert_eq!(entries(&socket), [3, 4]);
    assert!(sent.await.unwrap().is_ok());
    assert_eq!(entries(&socket), [3, 4]);
}

/// What a socket saw, without the details.
fn story(socket: &Socket) -> Vec<String> {
    let seen = socket.recorder.all();
    seen.iter()
        .map(|seen| match seen {
            Seen::Entry(seq) => format!("entry {seq}"),
            Seen::Joined { joined, .. } => {
                let seqs = joined.entries.iter().map(|entry| entry.seq.get());
                format!("joined with {:?}", seqs.collect::<Vec<_>>())
            }
            Seen::Sent(seq) => format!("sent {seq}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_send_is_answered_after_the_join_that_tells_of_its_entry() {
    let world = World::new(7, ChatOptions::default());
    world.group(5, &[1, 2]).await;
    *world.log.appends_answer_late.lock() = LATE;
    *world.log.reads_take.lock() = LATE * 2;
    let socket = world.socket(1).await;
    let sent = socket.send(5, "x");
    sleep(LATE / 2).await;
    socket.join(5, Some(seq(2))).await;
    assert!(sent.await.unwrap().is_ok());
    assert_eq!(story(&socket), ["joined with [3]", "sent 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_send_whose_entry_no_join_tells_of_is_answered_after_its_own_copy() {
    let world = World::new(7, ChatOptions::default());
    world.group(5, &[1, 2]).await;
    *world.log.appends_answer_late.lock() = LATE;
    *world.log.heads_answer_late.lock() = LATE * 2;
    let socket = world.socket(1).await;
    let sent = socket.send(5, "x");
    sleep(LATE / 2).await;
    socket.join(5, None).await;
    assert!(sent.await.unwrap().is_ok());
    assert_eq!(story(&socket), ["entry 3", "sent 3", "joined with []"]);
}
