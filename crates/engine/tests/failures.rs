//! What callers hear when the store is slow, gone or lies, when queues are full, tokens end and the server drains.
#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use common::{ADMIN, Seen, World, group, seq, user};
use sealroom_domain::{DisplayName, EncryptedContent, ErrorCode, Extra, Limits, Timestamp};
use sealroom_engine::{ChatOptions, MessageDraft, Subscriber};
use tokio::time::{Instant, sleep};

fn world() -> World {
    World::new(7, ChatOptions::default())
}

/// The code that a send is refused with.
async fn refused(socket: &common::Socket) -> ErrorCode {
    socket.send(5, "x").await.unwrap().unwrap_err().code
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_gone_is_unavailable_and_comes_back_by_itself() {
    let world = world();
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    world.log.down.store(true, Ordering::Relaxed);
    let refusal = socket.send(5, "x").await.unwrap().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::Unavailable);
    assert!(matches!(refusal.extra, Some(Extra::RetryAfter(_))));
    assert!(world.chat.last_append_failed());
    socket.join(5, None).await;
    assert_eq!(socket.recorder.all(), [Seen::JoinRefused]);
    world.log.down.store(false, Ordering::Relaxed);
    assert!(socket.send(5, "x").await.unwrap().is_ok());
    assert!(!world.chat.last_append_failed());
}

#[tokio::test]
async fn a_task_that_a_defect_ended_shows() {
    let world = world();
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    assert!(socket.send(5, "x").await.unwrap().is_ok());
    assert!(world.chat.is_whole());
    let subscriber: Arc<dyn Subscriber> = socket.recorder.clone();
    let draft = MessageDraft {
        group_id: group(5),
        content: EncryptedContent::new("x", 100).unwrap(),
        client_message_id: None,
        key_epoch: None,
    };
    let defect = Box::new(|_| panic!("a defect of the transport"));
    world.chat.send(&socket.session, &subscriber, draft, defect);
    let is_broken = async {
        while world.chat.is_whole() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_broken)
        .await
        .unwrap();
    // What comes later is answered all the same.
    assert_eq!(refused(&socket).await, ErrorCode::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_unavailable_in_time_and_what_it_did_late_is_delivered() {
    let world = world();
    world.group(5, &[1, 2]).await;
    let (sender, reader) = (world.socket(1).await, world.socket(2).await);
    reader.join(5, None).await;
    *world.log.hang_for.lock() = Duration::from_secs(20);
    let start = Instant::now();
    let answers: Vec<_> = (0..3).map(|_| sender.send(5, "x")).collect();
    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap_err().code, ErrorCode::Unavailable);
        assert!(start.elapsed() <= Duration::from_secs(5), "{:?}", start.elapsed());
    }
    *world.log.hang_for.lock() = Duration::ZERO;
    sleep(Duration::from_secs(30)).await;
    // Nobody was told that they are stored; they are, and everybody who joined has them.
    let log = world.entries(5).await;
    let live: Vec<_> = reader
        .recorder
        .all()
        .into_iter()
        .filter(|seen| matches!(seen, Seen::Entry(_)))
        .collect();
    let stored: Vec<_> = log
        .iter()
        .filter(|entry| entry.message().is_some())
        .map(|e| Seen::Entry(e.seq))
        .collect();
    assert!(!stored.is_empty());
    assert_eq!(live, stored);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_cannot_be_filled_sends_its_sockets_away() {
    let world = world();
    world.group(5, &[1, 2]).await;
    let (sender, reader) = (world.socket(1).await, world.socket(2).await);
    reader.join(5, None).await;
    // Stored, but the answer was lost; and then nothing can be read.
    world.log.lose_one_of.store(1, Ordering::Relaxed);
    assert_eq!(refused(&sender).await, ErrorCode::Unavailable);
    world.log.lose_one_of.store(0, Ordering::Relaxed);
    world.log.unreadable.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(reader.recorder.all().last(), Some(&Seen::Lost));
    assert_eq!(world.chat.joined_groups(), 0);
    // It comes back and recovers.
    world.log.unreadable.store(false, Ordering::Relaxed);
    let again = world.socket(2).await;
    again.join(5, Some(seq(2))).await;
    let Some(Seen::Joined { joined, .. }) = again.recorder.all().pop() else {
        panic!("not joined")
    };
    assert!(joined.recovered && !joined.has_more);
    assert_eq!(joined.entries.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn queues_are_bounded() {
    let options = ChatOptions {
        queue: 4,
        limits: unlimited_sends(),
        ..ChatOptions::default()
    };
    let world = World::new(7, options);
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    *world.log.hang_for.lock() = Duration::from_secs(1);
    let answers: Vec<_> = (0..100).map(|_| socket.send(5, "x")).collect();
    let mut stored = 0;
    for answer in answers {
        match answer.await.unwrap() {
            Ok(_) => stored += 1,
            Err(refusal) => assert_eq!(refusal.code, ErrorCode::Unavailable),
        }
    }
    assert_eq!(
        stored, 4,
        "what fits into the queue is stored, the rest refused at once"
    );

    let options = ChatOptions {
        queue_bytes: 3 * 600,
        limits: unlimited_sends(),
        ..ChatOptions::default()
    };
    let world = World::new(7, options);
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    let answers: Vec<_> = (0..10).map(|_| socket.send(5, &"x".repeat(80))).collect();
    let mut stored = 0;
    for answer in answers {
        stored += usize::from(answer.await.unwrap().is_ok());
    }
    assert_eq!(stored, 3, "bytes are bounded too, and given back");
    assert!(socket.send(5, "x").await.unwrap().is_ok());
}

fn unlimited_sends() -> Limits {
    let mut limits = Limits::default();
    limits.unacked_sends = None;
    limits
}

#[tokio::test(start_paused = true)]
async fn a_socket_has_so_many_sends_under_way() {
    let world = world();
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    let mut answers: Vec<_> = (0..65).map(|_| socket.send(5, "x")).collect();
    let last = answers.pop().unwrap().await.unwrap().unwrap_err();
    assert_eq!(last.code, ErrorCode::RateLimited);
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
    assert!(socket.send(5, "x").await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_at_exp() {
    let world = world();
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    let exp = socket.session.expires_at();
    world.clock.set(Timestamp::from_micros(exp.as_micros() - 1));
    assert!(socket.send(5, "x").await.unwrap().is_ok());
    world.clock.set(exp);
    assert_eq!(refused(&socket).await, ErrorCode::TokenExpired);
    assert_eq!(
        world.chat.leave(&socket.session, group(5)).unwrap_err().code,
        ErrorCode::TokenExpired
    );
    socket.join(5, None).await;
    assert_eq!(socket.recorder.all().last(), Some(&Seen::JoinRefused));
}

#[tokio::test(start_paused = true)]
async fn a_draining_chat_finishes_what_was_begun_and_takes_nothing_new() {
    let world = world();
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    let begun: Vec<_> = (0..20).map(|_| socket.send(5, "x")).collect();
    world.chat.drain().await;
    for answer in begun {
        assert!(answer.await.unwrap().is_ok());
    }
    assert_eq!(refused(&socket).await, ErrorCode::ShuttingDown);
    let session = world.chat.open_session(World::principal(1)).await;
    assert_eq!(session.unwrap_err().code, ErrorCode::ShuttingDown);
}

#[tokio::test(start_paused = true)]
async fn the_name_of_the_host_stands_before_that_of_the_token_from_the_moment_it_is_set() {
    let world = world();
    world.group(5, &[1]).await;
    let socket = world.socket(1).await;
    let name = async || {
        let sent = socket.send(5, "x").await.unwrap().unwrap();
        sent.message.entry().message().unwrap().sender_name.to_string()
    };
    assert_eq!(name().await, "user 1");
    let host_name = DisplayName::new("Nguyễn Văn A").unwrap();
    world
        .chat
        .put_user(ADMIN, user(1), host_name, None)
        .await
        .unwrap();
    assert_eq!(name().await, "Nguyễn Văn A");
}

#[tokio::test(start_paused = true)]
async fn groups_and_sockets_are_limited() {
    let mut limits = Limits::default();
    limits.groups_per_socket = Some(2);
    limits.sockets_per_user = Some(1);
    let world = World::new(
        7,
        ChatOptions {
            limits,
            ..ChatOptions::default()
        },
    );
    for id in [5, 6, 7] {
        world.group(id, &[1]).await;
    }
    let socket = world.socket(1).await;
    for id in [5, 6, 5, 7] {
        socket.join(id, None).await;
    }
    let refused = socket
        .recorder
        .all()
        .iter()
        .filter(|seen| **seen == Seen::JoinRefused)
        .count();
    assert_eq!(
        refused, 1,
        "a group joined twice counts once, the third group is refused"
    );
    let second = world.chat.open_session(World::principal(1)).await;
    assert_eq!(second.unwrap_err().code, ErrorCode::TooManyConnections);
    socket.close();
    drop(socket);
    assert!(world.chat.open_session(World::principal(1)).await.is_ok());
    assert_eq!(world.chat.joined_groups(), 0);
}
