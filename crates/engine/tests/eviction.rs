//! A removal is told to all sockets of the removed member, once, before it is answered.

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use common::{ADMIN, Seen, World, group, user};
use sealroom_domain::{GroupId, RemovalReason};
use sealroom_engine::{ChatOptions, Gone, JoinRequest, Published, Shared, Signal, Subscriber};
use tokio::time::Instant;

/// A socket whose thread is interrupted just before it is told.
#[derive(Debug, Default)]
struct Interrupted {
    told: AtomicBool,
}

impl Subscriber for Interrupted {
    fn deliver(&self, _: &[Arc<Published>]) -> Result<(), Gone> {
        Ok(())
    }

    fn removed_from_group(&self, _: GroupId, _: RemovalReason) {
        thread::sleep(Duration::from_millis(200));
        self.told.store(true, Ordering::SeqCst);
    }

    fn position_lost(&self) {}

    fn signal(&self, _: &Arc<Shared<Signal>>) {}

    fn revoked(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sockets_are_told_before_the_removal_is_answered() {
    let world = World::new(7, ChatOptions::default());
    world.group(5, &[1]).await;
    let session = world.chat.open_session(World::principal(1)).await.unwrap();
    let interrupted = Arc::new(Interrupted::default());
    let subscriber: Arc<dyn Subscriber> = interrupted.clone();
    let request = JoinRequest {
        group_id: group(5),
        after_seq: None,
        log_id: None,
        limit: None,
    };
    let deadline = Instant::now() + Duration::from_secs(4);
    let reply = Box::new(|joined: Result<_, _>| drop(joined.unwrap()));
    world
        .chat
        .join(&session, &subscriber, request, deadline, reply)
        .await;

    world.chat.remove_member(ADMIN, group(5), user(1)).await.unwrap();
    assert!(interrupted.told.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn every_socket_of_the_user_is_told_once() {
    let world = World::new(7, ChatOptions::default());
    world.group(5, &[1, 2]).await;
    let (joined, idle, other) = (
        world.socket(1).await,
        world.socket(1).await,
        world.socket(2).await,
    );
    for socket in [&joined, &idle, &other] {
        let subscriber: Arc<dyn Subscriber> = socket.recorder.clone();
        socket.session.attach(&subscriber);
    }
    joined.join(5, None).await;
    world.chat.remove_member(ADMIN, group(5), user(1)).await.unwrap();
    let told = |socket: &common::Socket| {
        let seen = socket.recorder.all();
        seen.iter()
            .filter(|seen| **seen == Seen::Removed(RemovalReason::Removed))
            .count()
    };
    assert_eq!((told(&joined), told(&idle), told(&other)), (1, 1, 0));
}
