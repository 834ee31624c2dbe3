//! Groups under ids of the store's choice.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sealroom_domain::{
    EntryBody, GroupId, MAX_SAFE_INTEGER, Retention, Role, Seq,
    ports::{Group, MemberLimits, RefusedEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupsFixture,
    room::{create, member, new_group},
};
use crate::conformance::{
    abandon::abandon_after,
    sample::{group, group_name, moment, seq, user},
};

/// A created group is found by its id as soon as the call returned.
pub async fn a_created_group_is_there(fixture: GroupsFixture) {
    let mut new = new_group(&[(1, Role::Owner), (2, Role::Member)], true);
    new.at = moment(7);
    let (group_id, _) = fixture.create(new).await;
    let expected = Group {
        group_id,
        name: group_name("Nhóm 5"),
        head: seq(2),
        created_at: moment(7),
        retention: Retention::default(),
    };
    assert_eq!(fixture.get_one(group_id).await, expected);
}

/// The answer holds the entries that are in the log, from 1 in the order of the founders.
pub async fn create_writes_an_entry_for_each_founder_in_their_order(fixture: GroupsFixture) {
    // Not in the order of their ids or roles.
    let founders = [
        (7, Role::Member),
        (2, Role::Owner),
        (9, Role::Admin),
        (1, Role::Member),
    ];
    for keeps_membership in [true, false] {
        let new = new_group(&founders, keeps_membership);
        let (group_id, entries) = fixture.create(new).await;
        assert_eq!(entries.len(), founders.len());
        for (index, (number, role)) in founders.into_iter().enumerate() {
            let entry = &entries[index];
            assert_eq!(entry.group_id, group_id);
            assert_eq!(entry.seq.get(), i64::try_from(index).unwrap() + 1);
            assert_eq!(entry.at, moment(0));
            let body = EntryBody::MemberAdded {
                user_id: user(number),
                role,
                actor_id: user(1),
            };
            assert_eq!(entry.body, body);
        }
        assert_eq!(fixture.entries(group_id).await, entries);
    }
}

/// Nobody need be in a group.
pub async fn create_without_founders_makes_an_empty_log(fixture: GroupsFixture) {
    let (group_id, entries) = fixture.create(new_group(&[], true)).await;
    assert_eq!(entries, []);
    assert_eq!(fixture.get_one(group_id).await.head, Seq::ZERO);
    assert_eq!(fixture.entries(group_id).await, []);
}

/// With `keeps_membership` the founders are members when the call returned.
pub async fn create_makes_founders_members_where_the_store_keeps_them(fixture: GroupsFixture) {
    let Some(memberships) = &fixture.memberships else {
        return;
    };
    let new = new_group(&[(7, Role::Admin), (2, Role::Owner)], true);
    let (group_id, _) = fixture.create(new).await;
    let members = [(2, Role::Owner), (7, Role::Admin)].map(member);
    assert_eq!(memberships.members_of(group_id).await.unwrap(), members);
    assert_eq!(
        memberships.groups_of(user(7)).await.unwrap(),
        [(group_id, Role::Admin)]
    );
}

/// Without it there are entries, but no memberships.
pub async fn create_leaves_memberships_alone_where_the_host_keeps_them(fixture: GroupsFixture) {
    let Some(memberships) = &fixture.memberships else {
        return;
    };
    let new = new_group(&[(1, Role::Owner)], false);
    let (group_id, entries) = fixture.create(new).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(memberships.members_of(group_id).await.unwrap(), []);
    assert_eq!(memberships.groups_of(user(1)).await.unwrap(), []);
}

/// No two groups share an id, also when they are created at once.
pub async fn concurrent_creates_get_ids_of_their_own(fixture: GroupsFixture) {
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let groups = Arc::clone(&fixture.groups);
        tasks.spawn(async move {
            let new = new_group(&[(1, Role::Owner), (2, Role::Member)], true);
            let (group_id, entries) = create(&*groups, new).await;
            assert!(entries.iter().all(|entry| entry.group_id == group_id));
            group_id
        });
    }
    let ids: HashSet<GroupId> = tasks.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 32);
    for group_id in ids {
        assert_eq!(fixture.entries(group_id).await.len(), 2);
    }
}

/// An id that the host chose is not given out.
pub async fn ids_given_out_are_never_those_of_put_groups(fixture: GroupsFixture) {
    let (first, _) = fixture.create(new_group(&[], true)).await;
    let chosen: Vec<GroupId> = (1..=5)
        .filter_map(|ahead| GroupId::new(first.get() + ahead).ok())
        .collect();
    let name = group_name("chosen");
    for group_id in &chosen {
        assert!(fixture.groups.put(*group_id, &name, moment(0)).await.unwrap());
    }
    let mut ids: HashSet<GroupId> = chosen.iter().copied().chain([first]).collect();
    for _ in 0..8 {
        let (group_id, _) = fixture.create(new_group(&[(1, Role::Owner)], true)).await;
        assert!(ids.insert(group_id), "{group_id} was given out twice");
    }
    for group_id in chosen {
        let found = fixture.get_one(group_id).await;
        assert_eq!((found.name, found.head), (name.clone(), Seq::ZERO));
    }
}

/// After a group under the largest id, others can still be created.
pub async fn a_group_under_the_largest_id_stops_no_other(fixture: GroupsFixture) {
    let largest = group(MAX_SAFE_INTEGER);
    fixture
        .groups
        .put(largest, &group_name("largest"), moment(0))
        .await
        .unwrap();
    for _ in 0..3 {
        let (group_id, _) = fixture.create(new_group(&[(1, Role::Owner)], true)).await;
        assert!(group_id < largest);
        assert_eq!(fixture.entries(group_id).await.len(), 1);
    }
}

/// A caller that goes away leaves no half of a group, and stops nobody.
pub async fn an_abandoned_create_leaves_all_or_nothing(fixture: GroupsFixture) {
    let founders = [(1, Role::Owner), (2, Role::Member), (3, Role::Member)];
    for polls in 0..24 {
        abandon_after(polls % 12, fixture.groups.create(new_group(&founders, true))).await;
    }
    let last = fixture.groups.create(new_group(&founders, true));
    let last = tokio::time::timeout(Duration::from_secs(10), last).await;
    let (last, _) = last
        .expect("an abandoned create leaves no lock")
        .unwrap()
        .unwrap();
    let Some(memberships) = &fixture.memberships else {
        return;
    };
    let owned = memberships.groups_of(user(1)).await.unwrap();
    assert!(owned.contains(&(last, Role::Owner)));
    for (group_id, _) in owned {
        assert_eq!(fixture.get_one(group_id).await.head, seq(3));
        assert_eq!(fixture.entries(group_id).await.len(), 3);
        assert_eq!(
            memberships.members_of(group_id).await.unwrap(),
            founders.map(member)
        );
    }
}

/// What is refused leaves nothing behind.
pub async fn create_refuses_more_founders_than_allowed(fixture: GroupsFixture) {
    let mut new = new_group(&[(1, Role::Owner), (2, Role::Member), (3, Role::Member)], true);
    new.limits.per_group = Some(2);
    let refused = fixture.groups.create(new.clone()).await.unwrap();
    assert_eq!(refused, Err(RefusedEntry::GroupFull));
    if let Some(memberships) = &fixture.memberships {
        for number in 1..=3 {
            assert_eq!(memberships.groups_of(user(number)).await.unwrap(), []);
        }
    }
    new.founders.pop();
    let (group_id, entries) = fixture.create(new).await;
    assert_eq!(fixture.entries(group_id).await, entries);
}

/// One founder with too many groups stops all of it.
pub async fn create_refuses_founders_with_too_many_groups(fixture: GroupsFixture) {
    let Some(memberships) = &fixture.memberships else {
        return;
    };
    let mut new = new_group(&[(1, Role::Owner), (2, Role::Member)], true);
    new.limits.per_user = Some(2);
    let (first, _) = fixture.create(new_group(&[(2, Role::Owner)], true)).await;
    let (second, _) = fixture.create(new.clone()).await;
    let refused = fixture.groups.create(new.clone()).await.unwrap();
    assert_eq!(refused, Err(RefusedEntry::TooManyGroups));
    let of = async |number| memberships.groups_of(user(number)).await.unwrap();
    assert_eq!(of(1).await, [(second, Role::Owner)]);
    assert_eq!(of(2).await, [(first, Role::Owner), (second, Role::Member)]);
    new.founders.pop();
    fixture.create(new).await;
}

/// Where the host keeps the memberships, so does it keep their number.
pub async fn create_knows_no_limits_where_the_host_keeps_the_members(fixture: GroupsFixture) {
    let mut new = new_group(&[(1, Role::Owner), (2, Role::Member)], false);
    new.limits = MemberLimits {
        per_group: Some(1),
        per_user: Some(0),
    };
    let (group_id, entries) = fixture.create(new).await;
    assert_eq!(entries.len(), 2);
    assert_eq!(fixture.entries(group_id).await, entries);
}
