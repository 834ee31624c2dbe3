//! What ends for good, ends: also where the caller goes away, the store's answer is lost, or another server looks away.
#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use common::{ADMIN, Seen, SlowLog, SlowMemberships, World, group, user};
use sealroom_domain::{
    DisplayName, EntryBody, ErrorCode, GroupName, RemovalReason, Role, Timestamp,
    ports::{Groups, Memberships, Upkeep, Users},
};
use sealroom_engine::{Actor, Chat, ChatOptions, MembershipKeeper, Ports};
use sealroom_testkit::{
    faults::{Call, Faults, Faulty},
    memory::{FixedClock, MemoryStore},
};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

const GROUP: i64 = 5;
const ALICE: i64 = 1;
const BOB: i64 = 2;
const CAROL: i64 = 3;

fn actor(id: i64) -> Actor {
    Actor {
        user_id: user(id),
        admin: false,
    }
}

/// A store whose groups and users fail as told.
fn world(store: MemoryStore, faults: &Faults, options: ChatOptions) -> World {
    let log = Arc::new(SlowLog::new(store.clone(), 7));
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_700_000_000)));
    let ports = Ports {
        log: log.clone(),
        memberships: Arc::new(SlowMemberships(log.clone())),
        groups: Arc::new(Faulty::<dyn Groups>::new(Arc::new(store.clone()), faults)),
        users: Arc::new(Faulty::<dyn Users>::new(Arc::new(store.clone()), faults)),
        upkeep: Arc::new(Faulty::<dyn Upkeep>::new(Arc::new(store.clone()), faults)),
        ..Ports::on(&store, clock.clone())
    };
    World {
        chat: Chat::start(ports, options),
        store,
        log,
        clock,
    }
}

/// Begins a request, and drops it while the store's answer is under way.
async fn abandon(faults: &Faults, request: impl Future) {
    faults.pause_answers();
    {
        let mut request = pin!(request);
        tokio::select! {
            _ = &mut request => panic!("the store has not answered"),
            () = faults.until_waiting(1) => {}
        }
    }
    faults.resume();
}

/// The group is there again, with another member, who says something.
async fn put_again(world: &World) {
    let name = GroupName::new("second").unwrap();
    assert!(world.chat.put_group(ADMIN, group(GROUP), name).await.unwrap());
    let owner = world
        .chat
        .put_member(ADMIN, group(GROUP), user(CAROL), Some(Role::Owner));
    owner.await.unwrap();
    let carol = world.socket(CAROL).await;
    carol.join(GROUP, None).await;
    for _ in 0..5 {
        carol.send(GROUP, "of the second group").await.unwrap().unwrap();
        sleep(Duration::from_millis(200)).await;
    }
}

/// What was delivered of the group, after the additions of its first members.
fn delivered(seen: &[Seen]) -> Vec<&Seen> {
    let is_later = |seen: &&Seen| matches!(seen, Seen::Entry(seq) if seq.get() > 2);
    seen.iter().filter(is_later).collect()
}

fn told_of_the_end(seen: &[Seen]) -> bool {
    seen.contains(&Seen::Removed(RemovalReason::GroupDeleted))
}

#[tokio::test]
async fn a_deletion_whose_caller_went_away_ends_the_sockets() {
    let faults = Faults::new();
    faults.only(&[Call::DeleteGroup]);
    let world = world(MemoryStore::new(), &faults, ChatOptions::default());
    world.group(GROUP, &[ALICE, BOB]).await;
    let bob = world.socket(BOB).await;
    bob.join(GROUP, None).await;
    abandon(&faults, world.chat.delete_group(ADMIN, group(GROUP))).await;
    put_again(&world).await;
    let seen = bob.recorder.all();
    assert!(told_of_the_end(&seen), "{seen:?}");
    assert!(delivered(&seen).is_empty(), "{seen:?}");
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_ends_the_sockets() {
    let faults = Faults::new();
    faults.only(&[Call::DeleteGroup]);
    let world = world(MemoryStore::new(), &faults, ChatOptions::default());
    world.group(GROUP, &[ALICE, BOB]).await;
    let bob = world.socket(BOB).await;
    bob.join(GROUP, None).await;
    faults.lose_next_answers(1);
    let lost = world.chat.delete_group(ADMIN, group(GROUP)).await;
    assert_eq!(lost.unwrap_err().code, ErrorCode::Unavailable);
    put_again(&world).await;
    let seen = bob.recorder.all();
    assert!(delivered(&seen).is_empty(), "{seen:?}");
}

#[tokio::test]
async fn a_revocation_whose_caller_went_away_or_whose_answer_was_lost_ends_the_sockets() {
    for loses_the_answer in [false, true] {
        let faults = Faults::new();
        faults.only(&[Call::RevokeUser]);
        let world = world(MemoryStore::new(), &faults, ChatOptions::default());
        world.group(GROUP, &[ALICE, BOB]).await;
        let bob = world.socket(BOB).await;
        if loses_the_answer {
            faults.lose_next_answers(1);
            let lost = world.chat.revoke_user(ADMIN, user(BOB)).await;
            assert_eq!(lost.unwrap_err().code, ErrorCode::Unavailable);
        } else {
            abandon(&faults, world.chat.revoke_user(ADMIN, user(BOB))).await;
            sleep(Duration::from_millis(100)).await;
        }
        assert!(bob.session.is_revoked());
    }
}

#[tokio::test]
async fn another_server_delivers_nothing_of_the_next_group_to_the_members_of_the_former() {
    let store = MemoryStore::new();
    let options = || ChatOptions {
        looks_for_others: Some(Duration::from_millis(600)),
        ..ChatOptions::default()
    };
    let (here, there) = (
        World::on(store.clone(), 1, options()),
        World::on(store.clone(), 2, options()),
    );
    here.group(GROUP, &[ALICE, BOB]).await;
    let bob = there.socket(BOB).await;
    bob.join(GROUP, None).await;
    here.chat.delete_group(ADMIN, group(GROUP)).await.unwrap();
    put_again(&here).await;
    sleep(Duration::from_secs(6)).await;
    let seen = bob.recorder.all();
    assert!(delivered(&seen).is_empty(), "{seen:?}");
    assert!(told_of_the_end(&seen) || seen.contains(&Seen::Lost), "{seen:?}");
}

#[tokio::test]
async fn what_an_erased_user_wrote_meanwhile_is_erased_too() {
    let faults = Faults::new();
    let store = MemoryStore::new();
    let often = ChatOptions {
        upkeep_every: Duration::from_millis(20),
        ..ChatOptions::default()
    };
    let (here, there) = (
        world(store.clone(), &faults, ChatOptions::default()),
        World::on(store.clone(), 3, often),
    );
    here.group(GROUP, &[ALICE, BOB]).await;
    let bob = there.socket(BOB).await;
    faults.only(&[Call::EraseUser]);
    faults.pause_answers();
    let chat = here.chat.clone();
    let erasing = TaskTracker::new().spawn(async move { chat.erase_user(ADMIN, user(BOB)).await });
    faults.until_waiting(1).await;
    // The other server's upkeep finishes the erasure, before the user is out of the group.
    while !store.unfinished_erasures().await.unwrap().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    bob.send(GROUP, "meanwhile").await.unwrap().unwrap();
    faults.resume();
    erasing.await.unwrap().unwrap();
    let entries = here.entries(GROUP).await;
    let messages: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.body {
            EntryBody::Message(message) => Some(message),
            _ => None,
        })
        .collect();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].content.is_none(), "{messages:?}");
}

/// A chat whose host keeps the memberships, in the second store, which fails as told.
fn hosted(faults: &Faults) -> (World, MemoryStore) {
    let (store, host) = (MemoryStore::new(), MemoryStore::new());
    let log = Arc::new(SlowLog::new(store.clone(), 7));
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_700_000_000)));
    let memberships: Arc<dyn Memberships> =
        Arc::new(SlowMemberships(Arc::new(SlowLog::new(host.clone(), 3))));
    let ports = Ports {
        log: log.clone(),
        memberships: Arc::new(Faulty::<dyn Memberships>::new(memberships, faults)),
        ..Ports::on(&store, clock.clone())
    };
    let options = ChatOptions {
        membership_keeper: MembershipKeeper::Host,
        ..ChatOptions::default()
    };
    let world = World {
        chat: Chat::start(ports, options),
        store,
        log,
        clock,
    };
    (world, host)
}

#[tokio::test]
async fn an_erasure_goes_past_groups_that_are_gone() {
    let (world, host) = hosted(&Faults::new());
    let (name, at) = (GroupName::new("of the host").unwrap(), Timestamp::from_secs(0));
    // Of the first, only the host knows.
    for id in [GROUP - 1, GROUP] {
        host.set(group(id), user(BOB), Role::Member).await.unwrap();
    }
    world.store.put(group(GROUP), &name, at).await.unwrap();
    let bob = world.socket(BOB).await;
    bob.send(GROUP, "x").await.unwrap().unwrap();
    world.chat.erase_user(ADMIN, user(BOB)).await.unwrap();
    assert!(host.groups_of(user(BOB)).await.unwrap().is_empty());
    let unreadable = world.entries(GROUP).await.iter().all(|entry| match &entry.body {
        EntryBody::Message(message) => message.content.is_none(),
        _ => true,
    });
    assert!(unreadable);
}

#[tokio::test]
async fn a_group_whose_members_the_host_does_not_take_is_none() {
    let faults = Faults::new();
    let (world, _host) = hosted(&faults);
    faults.only(&[Call::SetMember]);
    faults.fail_next(1);
    let name = GroupName::new("new").unwrap();
    let refused = world.chat.create_group(actor(ALICE), name, &[user(BOB)]).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Unavailable);
    assert_eq!(world.store.get(&[group(1)]).await.unwrap(), []);
}

#[tokio::test]
async fn a_deletion_that_failed_at_the_host_can_be_repeated_and_nobody_listens_on() {
    let faults = Faults::new();
    let (world, host) = hosted(&faults);
    let name = GroupName::new("of both").unwrap();
    world
        .store
        .put(group(GROUP), &name, Timestamp::from_secs(0))
        .await
        .unwrap();
    for (id, role) in [(ALICE, Role::Owner), (BOB, Role::Member), (CAROL, Role::Member)] {
        host.set(group(GROUP), user(id), role).await.unwrap();
    }
    let bob = world.socket(BOB).await;
    bob.join(GROUP, None).await;
    faults.only(&[Call::RemoveMember]);
    faults.lose_next_answers(1);
    let refused = world.chat.delete_group(actor(ALICE), group(GROUP)).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Unavailable);
    assert_eq!(bob.recorder.all().last(), Some(&Seen::Lost));
    world.chat.delete_group(actor(ALICE), group(GROUP)).await.unwrap();
    assert!(host.members_of(group(GROUP)).await.unwrap().is_empty());
    assert_eq!(world.store.get(&[group(GROUP)]).await.unwrap(), []);
}

#[tokio::test]
async fn with_accounts_nobody_becomes_known_by_being_added() {
    let store = MemoryStore::new();
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_700_000_000)));
    let ports = Ports {
        accounts: Some(Arc::new(store.clone())),
        ..Ports::on(&store, clock)
    };
    let chat = Chat::start(ports, ChatOptions::default());
    let name = DisplayName::new("Alice").unwrap();
    store.upsert(user(ALICE), &name, None).await.unwrap();
    let group_name = GroupName::new("g").unwrap();
    let refused = chat.create_group(actor(ALICE), group_name, &[user(BOB)]).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::NotFound);
}
