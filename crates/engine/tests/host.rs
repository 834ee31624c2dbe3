//! Where the host application keeps the memberships: its own table decides, whatever the log's store believes; a
//! batch asks it once; and a change through Sealroom is never left half done.
#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use common::{ADMIN, Seen, SlowLog, SlowMemberships, Socket, World, group, user};
use futures_util::poll;
use sealroom_domain::{
    EntryBody, ErrorCode, GroupName, Refusal, RemovalReason, Role, Seq, Timestamp, UserId,
    ports::{GroupLog, Groups, Member, Memberships},
};
use sealroom_engine::{Actor, Chat, ChatOptions, MembershipKeeper, Ports, Sent};
use sealroom_testkit::{
    faults::{Call, Faults, Faulty},
    memory::{FixedClock, MemoryStore},
};
use tokio::task::yield_now;

const GROUP: i64 = 5;
const ALICE: i64 = 1;
const BOB: i64 = 2;
const CAROL: i64 = 3;

/// A chat whose memberships are in another store than its log.
struct Hosted {
    world: World,
    /// The host's own table.
    host: MemoryStore,
    asked: Faults,
    log: Faults,
}

impl Hosted {
    fn new(seed: u64) -> Self {
        let (store, host) = (MemoryStore::new(), MemoryStore::new());
        let (asked, log_faults) = (Faults::new(), Faults::new());
        let log = Arc::new(SlowLog::new(store.clone(), seed));
        let memberships: Arc<dyn Memberships> =
            Arc::new(SlowMemberships(Arc::new(SlowLog::new(host.clone(), seed))));
        let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_700_000_000)));
        let ports = Ports {
            log: Arc::new(Faulty::<dyn GroupLog>::new(log.clone(), &log_faults)),
            memberships: Arc::new(Faulty::<dyn Memberships>::new(memberships, &asked)),
            ..Ports::on(&store, clock.clone())
        };
        let options = ChatOptions {
            membership_keeper: MembershipKeeper::Host,
            ..ChatOptions::default()
        };
        let chat = Chat::start(ports, options);
        Self {
            world: World {
                chat,
                store,
                log,
                clock,
            },
            host,
            asked,
            log: log_faults,
        }
    }

    /// A group that the host knows with these members, Alice its owner, and that has no entry yet.
    async fn with_members(seed: u64, members: &[i64]) -> Self {
        let hosted = Self::new(seed);
        let name = GroupName::new("g").unwrap();
        let store = &hosted.world.store;
        store
            .put(group(GROUP), &name, Timestamp::from_secs(0))
            .await
            .unwrap();
        for id in members {
            let role = if *id == ALICE { Role::Owner } else { Role::Member };
            hosted.host.set(group(GROUP), user(*id), role).await.unwrap();
        }
        hosted
    }

    async fn role(&self, id: i64) -> Option<Role> {
        let roles = self.host.roles(&[(group(GROUP), user(id))]).await.unwrap();
        roles.first().copied().flatten()
    }

    /// What the log tells of members: the user, and the role from there on or the reason why it went.
    async fn changes(&self) -> Vec<(UserId, Result<Role, RemovalReason>)> {
        let entries = self.world.entries(GROUP).await;
        let change = |body: EntryBody| match body {
            EntryBody::MemberAdded { user_id, role, .. } => Some((user_id, Ok(role))),
            EntryBody::MemberRemoved { user_id, reason, .. } => Some((user_id, Err(reason))),
            _ => None,
        };
        entries
            .into_iter()
            .filter_map(|entry| change(entry.body))
            .collect()
    }

    async fn member_removed(&self, id: i64) {
        let chat = &self.world.chat;
        chat.member_removed(user(ALICE), group(GROUP), user(id), RemovalReason::Removed)
            .await
            .unwrap();
    }
}

fn actor(id: i64) -> Actor {
    Actor {
        user_id: user(id),
        admin: false,
    }
}

async fn send(socket: &Socket, text: &str) -> Result<Sent, Refusal> {
    socket.send(GROUP, text).await.unwrap()
}

fn refused(result: Result<Sent, Refusal>) -> ErrorCode {
    result.unwrap_err().code
}

#[tokio::test]
async fn the_host_decides_whatever_the_store_believes() {
    let hosted = Hosted::with_members(1, &[ALICE]).await;
    // A row in the store that keeps the log opens nothing.
    let store = &hosted.world.store;
    store.set(group(GROUP), user(BOB), Role::Owner).await.unwrap();
    let alice = hosted.world.socket(ALICE).await;
    let bob = hosted.world.socket(BOB).await;

    assert_eq!(send(&alice, "a").await.unwrap().message.entry().seq.get(), 1);
    assert_eq!(refused(send(&bob, "b").await), ErrorCode::NotAMember);
    bob.join(GROUP, None).await;
    assert_eq!(bob.recorder.all(), [Seen::JoinRefused]);
    let entries = hosted.world.chat.entries(
        actor(BOB),
        group(GROUP),
        sealroom_domain::ports::Cursor::Newest,
        None,
    );
    assert_eq!(entries.await.unwrap_err().code, ErrorCode::NotAMember);
    assert_eq!(hosted.world.entries(GROUP).await.len(), 1);
}

#[tokio::test]
async fn a_batch_asks_the_host_once_and_an_outsider_spoils_nothing() {
    let hosted = Hosted::with_members(2, &[ALICE, BOB]).await;
    let alice = hosted.world.socket(ALICE).await;
    let bob = hosted.world.socket(BOB).await;
    let carol = hosted.world.socket(CAROL).await;
    hosted.asked.only(&[Call::Roles]);
    hosted.log.only(&[Call::Append]);

    hosted.log.pause();
    let first = alice.send(GROUP, "first");
    hosted.log.until_waiting(1).await;
    assert_eq!(hosted.asked.calls(), 1);
    // What queues up behind the commit that hangs is one batch, and one question.
    let second: Vec<_> = (0..10)
        .flat_map(|_| [&alice, &carol, &bob])
        .map(|socket| (socket.session.user_id(), socket.send(GROUP, "x")))
        .collect();
    hosted.log.resume();

    first.await.unwrap().unwrap();
    for (sender, answer) in second {
        let answer = answer.await.unwrap();
        if sender == user(CAROL) {
            assert_eq!(refused(answer), ErrorCode::NotAMember);
        } else {
            answer.unwrap();
        }
    }
    assert_eq!(hosted.asked.calls(), 2);
    let entries = hosted.world.entries(GROUP).await;
    assert_eq!(entries.len(), 21);
    assert!(
        entries
            .iter()
            .all(|entry| entry.message().unwrap().sender_id != user(CAROL))
    );
}

#[tokio::test]
async fn a_host_that_does_not_answer_lets_nobody_send() {
    let hosted = Hosted::with_members(3, &[ALICE]).await;
    let alice = hosted.world.socket(ALICE).await;
    hosted.asked.fail_next(1);
    assert_eq!(refused(send(&alice, "a").await), ErrorCode::Unavailable);
    send(&alice, "b").await.unwrap();
    assert_eq!(hosted.world.entries(GROUP).await.len(), 1);
}

#[tokio::test]
async fn after_member_removed_nothing_is_sent_and_nothing_is_received() {
    let hosted = Hosted::with_members(4, &[ALICE, BOB]).await;
    let alice = hosted.world.socket(ALICE).await;
    let bob = hosted.world.socket(BOB).await;
    bob.join(GROUP, Some(Seq::ZERO)).await;
    send(&alice, "before").await.unwrap();

    hosted.host.remove(group(GROUP), user(BOB)).await.unwrap();
    hosted.member_removed(BOB).await;
    // It returned, so this is already so.
    let seen = bob.recorder.all();
    assert_eq!(seen.last(), Some(&Seen::Removed(RemovalReason::Removed)));
    assert_eq!(refused(send(&bob, "late").await), ErrorCode::NotAMember);
    send(&alice, "after").await.unwrap();
    bob.join(GROUP, Some(Seq::ZERO)).await;

    assert_eq!(bob.recorder.all()[seen.len()..], [Seen::JoinRefused]);
    // The host may say it twice: each time is an entry, and nothing else happens.
    hosted.member_removed(BOB).await;
    let gone = (user(BOB), Err(RemovalReason::Removed));
    assert_eq!(hosted.changes().await, [gone, gone]);
}

#[tokio::test]
async fn changes_through_the_chat_reach_the_host_and_the_log() {
    let hosted = Hosted::with_members(5, &[ALICE]).await;
    let chat = &hosted.world.chat;
    chat.put_member(actor(ALICE), group(GROUP), user(BOB), Some(Role::Admin))
        .await
        .unwrap();
    assert_eq!(hosted.role(BOB).await, Some(Role::Admin));
    chat.remove_member(actor(BOB), group(GROUP), user(BOB))
        .await
        .unwrap();
    assert_eq!(hosted.role(BOB).await, None);
    let expected = [
        (user(BOB), Ok(Role::Admin)),
        (user(BOB), Err(RemovalReason::Left)),
    ];
    assert_eq!(hosted.changes().await, expected);
    // The store that keeps the log keeps no memberships.
    assert_eq!(hosted.world.store.members_of(group(GROUP)).await.unwrap(), []);

    let team = chat
        .create_group(actor(ALICE), GroupName::new("t").unwrap(), &[user(BOB)])
        .await
        .unwrap();
    let founders = [(ALICE, Role::Owner), (BOB, Role::Member)].map(|(id, role)| Member {
        user_id: user(id),
        role,
    });
    assert_eq!(
        hosted.host.members_of(team.group.group_id).await.unwrap(),
        founders
    );
}

#[tokio::test]
async fn where_the_host_refuses_there_is_no_entry() {
    let hosted = Hosted::with_members(6, &[ALICE, BOB]).await;
    let chat = &hosted.world.chat;
    hosted.asked.only(&[Call::SetMember, Call::RemoveMember]);
    hosted.asked.fail_next(2);
    let added = chat
        .put_member(actor(ALICE), group(GROUP), user(CAROL), None)
        .await;
    assert_eq!(added.unwrap_err().code, ErrorCode::Unavailable);
    let removed = chat.remove_member(actor(ALICE), group(GROUP), user(BOB)).await;
    assert_eq!(removed.unwrap_err().code, ErrorCode::Unavailable);
    assert_eq!(hosted.changes().await, []);
}

/// Polls of a change after which it is dropped; most changes have reached their end by the last of them.
const POLLS: std::ops::RangeInclusive<usize> = 1..=30;

/// Polls `change` so often, with everything else going on in between, and drops it.
async fn abandon<T>(change: impl Future<Output = T>, polls: usize) {
    let mut change = pin!(change);
    for _ in 0..polls {
        if poll!(change.as_mut()).is_ready() {
            return;
        }
        yield_now().await;
    }
}

/// Lets everything go on until nothing is left to do; the clock stands still while there is.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// What became of changes that were dropped.
#[derive(Debug, Default)]
struct Abandoned {
    untouched: usize,
    done: usize,
}

impl Abandoned {
    fn count(&mut self, done: bool) {
        if done { self.done += 1 } else { self.untouched += 1 }
    }

    /// Otherwise nothing was tried.
    fn check(&self) {
        assert!(self.untouched > 0 && self.done > 0, "{self:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_removal_is_whole() {
    let mut outcomes = Abandoned::default();
    for polls in POLLS {
        let hosted = Hosted::with_members(7, &[ALICE, BOB]).await;
        let bob = hosted.world.socket(BOB).await;
        bob.join(GROUP, None).await;
        let removal = hosted
            .world
            .chat
            .remove_member(actor(ALICE), group(GROUP), user(BOB));
        abandon(removal, polls).await;
        settle().await;
        let removed = hosted.role(BOB).await.is_none();
        let entry = hosted.changes().await == [(user(BOB), Err(RemovalReason::Removed))];
        let told = bob
            .recorder
            .all()
            .contains(&Seen::Removed(RemovalReason::Removed));
        assert_eq!((entry, told), (removed, removed), "after {polls} polls");
        outcomes.count(removed);
    }
    outcomes.check();
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_addition_is_whole() {
    let mut outcomes = Abandoned::default();
    for polls in POLLS {
        let hosted = Hosted::with_members(8, &[ALICE]).await;
        let addition = hosted
            .world
            .chat
            .put_member(actor(ALICE), group(GROUP), user(BOB), None);
        abandon(addition, polls).await;
        settle().await;
        let added = hosted.role(BOB).await == Some(Role::Member);
        let entry = hosted.changes().await == [(user(BOB), Ok(Role::Member))];
        assert_eq!(entry, added, "after {polls} polls");
        outcomes.count(added);
    }
    outcomes.check();
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_group_has_its_founders() {
    let others = [user(BOB), user(CAROL)];
    let mut done = 0;
    for polls in POLLS {
        let hosted = Hosted::new(9);
        let name = GroupName::new("g").unwrap();
        let creation = hosted.world.chat.create_group(actor(ALICE), name, &others);
        abandon(creation, polls).await;
        settle().await;
        let exists = !hosted.world.store.get(&[group(1)]).await.unwrap().is_empty();
        let founders = hosted.host.members_of(group(1)).await.unwrap().len();
        assert_eq!(founders, if exists { 3 } else { 0 }, "after {polls} polls");
        done += usize::from(exists);
    }
    assert!(done > 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_a_change_that_the_host_is_making() {
    let hosted = Hosted::with_members(10, &[ALICE, BOB]).await;
    let chat = hosted.world.chat.clone();
    hosted.asked.only(&[Call::RemoveMember]);
    hosted.asked.pause();
    let mut removal = pin!(chat.remove_member(ADMIN, group(GROUP), user(BOB)));
    while hosted.asked.waiting() == 0 {
        assert!(poll!(removal.as_mut()).is_pending());
        yield_now().await;
    }
    let mut drain = pin!(chat.drain());
    assert!(poll!(drain.as_mut()).is_pending());
    settle().await;
    assert!(poll!(drain.as_mut()).is_pending());

    hosted.asked.resume();
    drain.await;
    removal.await.unwrap();
    assert_eq!(hosted.changes().await, [(user(BOB), Err(RemovalReason::Removed))]);
    let late = chat.put_member(ADMIN, group(GROUP), user(BOB), None).await;
    assert_eq!(late.unwrap_err().code, ErrorCode::ShuttingDown);
    assert_eq!(hosted.role(BOB).await, None);
}
