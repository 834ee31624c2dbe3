//! The recovery promise, over random interleavings of joins, sends, disconnects, slow readers and removals: what a
//! join answers and what is delivered live after it give each entry exactly once, in order, without a gap; and
//! nothing after a removal reaches the removed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{collections::HashMap, sync::atomic::Ordering};

use common::{ADMIN, Seen, Socket, World, group, seq, user};
use proptest::prelude::*;
use sealroom_domain::{Entry, EntryBody, Seq, UserId};
use sealroom_engine::{ChatOptions, Joined};
use tokio_util::task::TaskTracker;

const USERS: i64 = 3;
const GROUP: i64 = 5;

#[derive(Debug, Clone)]
enum Step {
    Connect(usize),
    /// With the place that the client has, or without any.
    Join(usize, bool),
    Leave(usize),
    Send(usize),
    Disconnect(usize),
    Stall(usize),
    Remove(i64),
    Add(i64),
    Yield(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..5_usize;
    prop_oneof![
        2 => client.clone().prop_map(Step::Connect),
        5 => (client.clone(), any::<bool>()).prop_map(|(client, after)| Step::Join(client, after)),
        1 => client.clone().prop_map(Step::Leave),
        10 => client.clone().prop_map(Step::Send),
        1 => client.clone().prop_map(Step::Disconnect),
        1 => client.prop_map(Step::Stall),
        1 => (1..=USERS).prop_map(Step::Remove),
        2 => (1..=USERS).prop_map(Step::Add),
        5 => (0..20_u8).prop_map(Step::Yield),
    ]
}

/// A client slot: the socket that it has now, and those that it had.
#[derive(Default)]
struct Client {
    sockets: Vec<Socket>,
    closed: Vec<bool>,
    left: Vec<bool>,
}

impl Client {
    fn current(&self) -> Option<&Socket> {
        let last = self.sockets.last()?;
        (!*self.closed.last()?).then_some(last)
    }
}

async fn play(seed: u64, lose_one_of: u64, steps: Vec<Step>) {
    let world = World::new(seed, ChatOptions::default());
    world.group(GROUP, &[1, 2, 3]).await;
    world.log.lose_one_of.store(lose_one_of, Ordering::Relaxed);
    let mut clients: Vec<Client> = (0..5).map(|_| Client::default()).collect();
    let tracker = TaskTracker::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut joins: HashMap<usize, tokio::task::JoinHandle<()>> = HashMap::new();
    for step in steps {
        match step {
            Step::Connect(index) => {
                let client = &mut clients[index];
                if client.current().is_none() {
                    let id = i64::try_from(index).unwrap() % USERS + 1;
                    client.sockets.push(world.socket(id).await);
                    client.closed.push(false);
                    client.left.push(false);
                }
            }
            Step::Join(index, with_place) => {
                // Joins of one socket follow each other, as the transport sees to.
                if let Some(earlier) = joins.remove(&index) {
                    earlier.await.unwrap();
                }
                if let Some(socket) = clients[index].current().cloned() {
                    let after = with_place.then(|| place(&socket));
                    if let Some(left) = clients[index].left.last_mut() {
                        *left = false;
                    }
                    joins.insert(
                        index,
                        tracker.spawn(async move { socket.join(GROUP, after).await }),
                    );
                }
            }
            Step::Leave(index) => {
                if let Some(earlier) = joins.remove(&index) {
                    earlier.await.unwrap();
                }
                if let Some(socket) = clients[index].current() {
                    world.chat.leave(&socket.session, group(GROUP)).unwrap();
                    socket.recorder.note(Seen::Left);
                    *clients[index].left.last_mut().unwrap() = true;
                }
            }
            Step::Send(index) => {
                if let Some(socket) = clients[index].current() {
                    let answer = socket.send(GROUP, "x");
                    tasks.spawn(async move { drop(answer.await) });
                }
            }
            Step::Disconnect(index) => {
                if let Some(socket) = clients[index].current() {
                    socket.recorder.stalled.store(true, Ordering::Relaxed);
                    socket.close();
                    *clients[index].closed.last_mut().unwrap() = true;
                }
            }
            Step::Stall(index) => {
                if let Some(socket) = clients[index].current() {
                    socket.recorder.stalled.store(true, Ordering::Relaxed);
                }
            }
            Step::Remove(id) => {
                let chat = world.chat.clone();
                tasks.spawn(async move { drop(chat.remove_member(ADMIN, group(GROUP), user(id)).await) });
            }
            Step::Add(id) => {
                let chat = world.chat.clone();
                tasks.spawn(async move { drop(chat.put_member(ADMIN, group(GROUP), user(id), None).await) });
            }
            Step::Yield(times) => {
                for _ in 0..times {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    for (_, join) in joins {
        join.await.unwrap();
    }
    while tasks.join_next().await.is_some() {}
    settle(&world).await;
    let log = world.entries(GROUP).await;
    check_dense(&log);
    for client in &clients {
        for (index, socket) in client.sockets.iter().enumerate() {
            check_socket(socket, &log, client.closed[index] || client.left[index]);
        }
    }
}

/// The last place that a client with these events would ask from.
fn place(socket: &Socket) -> Seq {
    let mut place = Seq::ZERO;
    for seen in socket.recorder.all() {
        match seen {
            Seen::Joined { joined, .. } if joined.recovered => place = joined.head,
            Seen::Entry(seq) if seq == place.next() => place = seq,
            _ => {}
        }
    }
    place
}

/// Lets the feeds find what lost answers hid from them.
async fn settle(world: &World) {
    world.log.lose_one_of.store(0, Ordering::Relaxed);
    // Virtual time: paused clocks go on by themselves when nothing else is to be done.
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    world.chat.drain().await;
}

fn check_dense(log: &[Entry]) {
    for (index, entry) in log.iter().enumerate() {
        assert_eq!(entry.seq, seq(i64::try_from(index + 1).unwrap()), "dense");
    }
}

/// Whether a user may see an entry: a member before it, or the one whom it adds or removes; or a member again when
/// it joined, for members read the whole log.
fn may_see(log: &[Entry], user_id: UserId, seq: Seq, joined_at: Option<Seq>) -> bool {
    let mut member = false;
    for entry in log {
        let before = member;
        match entry.body {
            EntryBody::MemberAdded { user_id: added, .. } if added == user_id => member = true,
            EntryBody::MemberRemoved { user_id: removed, .. } if removed == user_id => member = false,
            _ => {}
        }
        let at_it = entry.seq == seq && (before || member);
        let again = entry.seq > seq && member && joined_at.is_some_and(|joined_at| entry.seq <= joined_at);
        if at_it || again {
            return true;
        }
    }
    false
}

fn sender(log: &[Entry], place: Seq) -> Option<UserId> {
    let index = usize::try_from(place.get() - 1).unwrap();
    log[index].message().map(|message| message.sender_id)
}

fn check_socket(socket: &Socket, log: &[Entry], ended: bool) {
    let user_id = socket.session.user_id();
    let head = log.last().unwrap().seq;
    // The next live entry, while joined; and whether the answer covered what came before.
    let mut next: Option<Seq> = None;
    let mut covered_from: Option<Seq> = None;
    let mut joined_at: Option<Seq> = None;
    let mut own_before: Vec<Seq> = Vec::new();
    for seen in socket.recorder.all() {
        match seen {
            Seen::Entry(seq) => {
                assert!(
                    may_see(log, user_id, seq, joined_at),
                    "{user_id} must not see {seq}"
                );
                if next == Some(seq) {
                    next = Some(seq.next());
                } else {
                    // The sender gets its own message, joined or not; never twice.
                    assert_eq!(
                        sender(log, seq),
                        Some(user_id),
                        "out of place: {seq}, expected {next:?}"
                    );
                    assert!(!own_before.contains(&seq), "{seq} twice");
                    let joined_and_covered = next.is_some() && covered_from.is_some_and(|after| seq > after);
                    assert!(!joined_and_covered, "{seq} is part of the answer and came live");
                    own_before.push(seq);
                }
            }
            Seen::Joined {
                after,
                joined,
                committed,
            } => {
                joined_at = Some(committed);
                check_answer(&joined, after, log);
                covered_from = after.filter(|_| joined.recovered);
                next = Some(joined.head.next());
            }
            Seen::Sent(seq) => assert_eq!(sender(log, seq), Some(user_id)),
            Seen::Removed(_) | Seen::Left => next = None,
            Seen::JoinRefused | Seen::Signal(_) => {}
            Seen::Lost | Seen::Revoked => return,
        }
    }
    let stalled = socket.recorder.stalled.load(Ordering::Relaxed);
    if let Some(next) = next
        && !ended
        && !stalled
    {
        assert_eq!(
            next,
            head.next(),
            "the live stream stopped before the end of the log"
        );
    }
}

/// The entries of the answer are the log from the place asked for; the rest of it is a page away.
fn check_answer(joined: &Joined, after: Option<Seq>, log: &[Entry]) {
    let Some(after) = after.filter(|after| *after <= joined.head) else {
        assert!(joined.entries.is_empty() && !joined.recovered && !joined.has_more);
        return;
    };
    assert!(joined.recovered);
    let from = usize::try_from(after.get()).unwrap();
    assert_eq!(joined.entries[..], log[from..from + joined.entries.len()]);
    let last = seq(after.get() + i64::try_from(joined.entries.len()).unwrap());
    assert_eq!(joined.has_more, last < joined.head);
    assert!(last <= joined.head);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_entry_comes_exactly_once(
        seed in any::<u64>(),
        lose_one_of in prop_oneof![4 => Just(0_u64), 1 => 2..6_u64],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(seed, lose_one_of, steps));
    }
}
