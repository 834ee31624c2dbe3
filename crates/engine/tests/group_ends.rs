//! Groups that are changed, trimmed and deleted.
#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::time::Duration;

use common::{ADMIN, Seen, World, group, seq, user};
use sealroom_domain::{ErrorCode, Extra, GroupName, RemovalReason, Retention, Role, ports::Cursor};
use sealroom_engine::{Actor, ChatOptions, GroupPatch};

const GROUP: i64 = 5;
const ALICE: i64 = 1;
const BOB: i64 = 2;
const CAROL: i64 = 3;
const DAVE: i64 = 4;

fn actor(id: i64) -> Actor {
    Actor {
        user_id: user(id),
        admin: false,
    }
}

/// Alice owns the group, Carol is an admin, Bob a member.
async fn world(options: ChatOptions) -> World {
    let world = World::new(7, options);
    world.group(GROUP, &[]).await;
    for (id, role) in [(ALICE, Role::Owner), (BOB, Role::Member), (CAROL, Role::Admin)] {
        let member = world.chat.put_member(ADMIN, group(GROUP), user(id), Some(role));
        member.await.unwrap();
    }
    world
}

fn named(name: &str) -> GroupPatch {
    GroupPatch {
        name: GroupName::new(name).ok(),
        retention: None,
    }
}

fn keeping(count: u64) -> GroupPatch {
    GroupPatch {
        name: None,
        retention: Some(Retention {
            age: None,
            count: Some(count),
        }),
    }
}

#[tokio::test]
async fn admins_rename_and_owners_decide_what_is_kept_and_delete() {
    let world = world(ChatOptions::default()).await;
    let patch = |id, patch| world.chat.update_group(actor(id), group(GROUP), patch);
    for (id, change, expected) in [
        (DAVE, named("x"), ErrorCode::NotAMember),
        (BOB, named("x"), ErrorCode::Forbidden),
        (BOB, keeping(9), ErrorCode::Forbidden),
        (CAROL, keeping(9), ErrorCode::Forbidden),
    ] {
        assert_eq!(patch(id, change).await.unwrap_err().code, expected, "{id}");
    }
    assert_eq!(
        patch(CAROL, named("new")).await.unwrap().group.name.as_str(),
        "new"
    );
    let kept = patch(ALICE, keeping(9)).await.unwrap();
    assert_eq!(kept.group.retention.count, Some(9));
    assert_eq!(kept.group.name.as_str(), "new");
    world
        .chat
        .update_group(ADMIN, group(GROUP), named("z"))
        .await
        .unwrap();
    let absent = world.chat.update_group(ADMIN, group(77), named("z")).await;
    assert_eq!(absent.unwrap_err().code, ErrorCode::NotFound);

    for (id, expected) in [
        (DAVE, ErrorCode::NotAMember),
        (BOB, ErrorCode::Forbidden),
        (CAROL, ErrorCode::Forbidden),
    ] {
        let refused = world.chat.delete_group(actor(id), group(GROUP)).await;
        assert_eq!(refused.unwrap_err().code, expected, "{id}");
    }
    world.chat.delete_group(actor(ALICE), group(GROUP)).await.unwrap();
    let again = world.chat.delete_group(ADMIN, group(GROUP)).await;
    assert_eq!(again.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_deleted_group_is_told_to_its_members_and_takes_nothing_more() {
    let world = world(ChatOptions::default()).await;
    let (alice, bob) = (world.socket(ALICE).await, world.socket(BOB).await);
    let dave = world.socket(DAVE).await;
    alice.join(GROUP, None).await;
    alice.send(GROUP, "last").await.unwrap().unwrap();
    world.chat.delete_group(actor(ALICE), group(GROUP)).await.unwrap();
    let gone = Seen::Removed(RemovalReason::GroupDeleted);
    assert_eq!(alice.recorder.all().last(), Some(&gone));
    assert_eq!(bob.recorder.all(), [gone], "it has not joined");
    assert_eq!(dave.recorder.all(), []);
    assert_eq!(world.chat.joined_groups(), 0);

    let refused = bob.send(GROUP, "x").await.unwrap();
    assert_eq!(refused.unwrap_err().code, ErrorCode::NotAMember);
    bob.join(GROUP, None).await;
    assert_eq!(bob.recorder.all().last(), Some(&Seen::JoinRefused));
    assert_eq!(world.chat.groups(actor(ALICE)).await.unwrap(), []);

    // One that is put under its id goes on after its places, and nobody takes them for those of the old one.
    let name = GroupName::new("second").unwrap();
    assert!(world.chat.put_group(ADMIN, group(GROUP), name).await.unwrap());
    world
        .chat
        .put_member(ADMIN, group(GROUP), user(BOB), None)
        .await
        .unwrap();
    bob.join(GROUP, Some(seq(3))).await;
    let Some(Seen::Joined { joined, .. }) = bob.recorder.all().pop() else {
        panic!("{:?}", bob.recorder.all())
    };
    assert!(!joined.recovered && joined.entries.is_empty());
    // Three additions, a message, a place that no entry has, and the addition of Bob.
    assert_eq!(joined.head, seq(6));
}

#[tokio::test]
async fn a_join_that_is_under_way_when_its_group_goes_is_refused() {
    for turns in 0..40 {
        let world = world(ChatOptions::default()).await;
        let bob = world.socket(BOB).await;
        let deleting = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            world.chat.delete_group(ADMIN, group(GROUP)).await.unwrap();
        };
        tokio::join!(bob.join(GROUP, None), deleting);
        let seen = bob.recorder.all();
        let told = |seen: &Seen| *seen == Seen::Removed(RemovalReason::GroupDeleted);
        let joined = seen.iter().position(|one| matches!(one, Seen::Joined { .. }));
        if let Some(joined) = joined {
            assert!(seen.iter().skip(joined).any(told), "{turns}: {seen:?}");
        } else {
            assert!(seen.contains(&Seen::JoinRefused), "{turns}: {seen:?}");
        }
        assert_eq!(world.chat.joined_groups(), 0, "{turns}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_group_or_the_server_does_not_keep_is_forgotten_and_says_so() {
    let options = ChatOptions {
        retention: Retention {
            age: None,
            count: Some(6),
        },
        ..ChatOptions::default()
    };
    let world = world(options).await;
    let alice = world.socket(ALICE).await;
    for number in 0..20 {
        alice.send(GROUP, &format!("{number}")).await.unwrap().unwrap();
    }
    tokio::time::sleep(Duration::from_secs(61)).await;
    let first = async || {
        let page = world
            .chat
            .entries(ADMIN, group(GROUP), Cursor::Newest, Some(500))
            .await;
        page.unwrap().entries.first().unwrap().seq.get()
    };
    assert_eq!(first().await, 18);
    // A shorter rule of the group takes effect at once.
    world
        .chat
        .update_group(actor(ALICE), group(GROUP), keeping(2))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(first().await, 22);

    let trimmed = world
        .chat
        .entries(ADMIN, group(GROUP), Cursor::After(seq(3)), None)
        .await;
    assert_eq!(trimmed.unwrap_err().extra, Some(Extra::FirstSeq(seq(22))));
    let trimmed = world
        .chat
        .messages(ADMIN, group(GROUP), Cursor::After(seq(3)), None)
        .await;
    assert_eq!(trimmed.unwrap_err().code, ErrorCode::HistoryTrimmed);
    alice.join(GROUP, Some(seq(20))).await;
    alice.join(GROUP, Some(seq(21))).await;
    let answers: Vec<_> = alice
        .recorder
        .all()
        .into_iter()
        .filter_map(|seen| match seen {
            Seen::Joined { joined, .. } => Some((joined.recovered, joined.entries.len())),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [(false, 0), (true, 2)]);
}

#[tokio::test]
async fn memberships_are_limited() {
    let mut options = ChatOptions::default();
    options.limits.members_per_group = Some(4);
    options.limits.groups_per_user = Some(2);
    let world = world(options).await;
    let put = |id, member| world.chat.put_member(ADMIN, group(id), user(member), None);
    put(GROUP, DAVE).await.unwrap();
    let full = put(GROUP, 9).await.unwrap_err();
    assert_eq!(
        (full.code, full.extra),
        (ErrorCode::LimitExceeded, Some(Extra::Limit(4)))
    );
    put(GROUP, DAVE).await.unwrap();
    world.group(6, &[DAVE]).await;
    world.group(7, &[]).await;
    let many = put(7, DAVE).await.unwrap_err();
    assert_eq!(
        (many.code, many.extra),
        (ErrorCode::LimitExceeded, Some(Extra::Limit(2)))
    );

    let create = |id, members: &'static [i64]| {
        let members: Vec<_> = members.iter().map(|id| user(*id)).collect();
        let name = GroupName::new("g").unwrap();
        let chat = world.chat.clone();
        async move { chat.create_group(actor(id), name, &members).await.map(drop) }
    };
    for (members, limit) in [(&[11, 12, 13, 14][..], 4), (&[DAVE], 2)] {
        let refused = create(10, members).await.unwrap_err();
        assert_eq!(refused.extra, Some(Extra::Limit(limit)), "{members:?}");
    }
    assert_eq!(
        world.chat.groups(actor(10)).await.unwrap(),
        [],
        "nothing of it is left"
    );
    create(10, &[11]).await.unwrap();
    create(10, &[]).await.unwrap();
    assert_eq!(create(10, &[]).await.unwrap_err().extra, Some(Extra::Limit(2)));
}
