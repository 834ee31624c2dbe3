//! Bounds on memberships.

use std::sync::Arc;

use sealroom_domain::{
    GroupId, Role,
    ports::{Appended, Guard, MemberLimits, NewBody, NewEntry, RefusedEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupLogFixture,
    room::{UNCHECKED, append, new_entry, remove_member, set_member},
};
use crate::conformance::sample::{group, user};

/// A group has as many members as are allowed; those who are in it may change.
pub async fn a_full_group_takes_nobody(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let Some(memberships) = fixture.kept() else { return };
    for number in [1, 2] {
        new_entry(fixture.append_one(join(one, number, of_group(2))).await);
    }
    assert_eq!(
        fixture.append_one(join(one, 3, of_group(2))).await,
        Err(RefusedEntry::GroupFull)
    );
    assert_eq!(
        fixture.append_one(join(one, 1, of_group(2))).await,
        Ok(Appended::Unchanged)
    );
    let promoted = limited(
        set_member(one, user(9), user(1), Role::Owner, UNCHECKED),
        of_group(1),
    );
    new_entry(fixture.append_one(promoted).await);
    new_entry(fixture.append_one(join(two, 3, of_group(2))).await);
    assert_eq!(memberships.members_of(one).await.unwrap().len(), 2);
    assert_eq!(fixture.whole(one).await.len(), 3);
    new_entry(fixture.append_one(join(one, 3, of_group(3))).await);
    // Without a limit there is always room.
    new_entry(fixture.append_one(join(one, 4, MemberLimits::default())).await);
}

/// A user is in as many groups as are allowed.
pub async fn a_user_with_too_many_groups_joins_none(fixture: GroupLogFixture) {
    if fixture.kept().is_none() {
        return;
    }
    let mut groups = Vec::new();
    for number in 1..=4 {
        groups.push(fixture.group(group(number)).await);
    }
    for group_id in &groups[..2] {
        new_entry(fixture.append_one(join(*group_id, 1, of_user(2))).await);
    }
    assert_eq!(
        fixture.append_one(join(groups[2], 1, of_user(2))).await,
        Err(RefusedEntry::TooManyGroups)
    );
    assert_eq!(
        fixture.append_one(join(groups[0], 1, of_user(2))).await,
        Ok(Appended::Unchanged)
    );
    new_entry(fixture.append_one(join(groups[2], 2, of_user(2))).await);
    new_entry(fixture.append_one(join(groups[2], 1, of_user(3))).await);
    new_entry(
        fixture
            .append_one(remove_member(groups[0], user(9), user(1), UNCHECKED))
            .await,
    );
    new_entry(fixture.append_one(join(groups[3], 1, of_user(3))).await);
}

/// What stands before in the batch counts, in both directions.
pub async fn limits_count_what_the_batch_did_before(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let Some(memberships) = fixture.kept() else { return };
    let answers = fixture
        .append(vec![
            join(one, 1, of_group(2)),
            join(one, 2, of_group(2)),
            join(one, 3, of_group(2)),
            remove_member(one, user(9), user(1), UNCHECKED),
            join(one, 3, of_group(2)),
            join(two, 2, of_user(1)),
            join(two, 1, of_user(1)),
        ])
        .await;
    let refused: Vec<Option<RefusedEntry>> = answers.into_iter().map(Result::err).collect();
    let expected = [
        None,
        None,
        Some(RefusedEntry::GroupFull),
        None,
        None,
        Some(RefusedEntry::TooManyGroups),
        None,
    ];
    assert_eq!(refused, expected);
    assert_eq!(memberships.members_of(one).await.unwrap().len(), 2);
    assert_eq!(memberships.members_of(two).await.unwrap().len(), 1);
}

/// Where the host keeps the memberships, so does it keep their number.
pub async fn the_host_guard_knows_no_limits(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    if let Some(memberships) = fixture.kept() {
        memberships.set(one, user(1), Role::Owner).await.unwrap();
    }
    let limits = MemberLimits {
        per_group: Some(1),
        per_user: Some(0),
    };
    for number in [1, 2, 3] {
        let mut entry = join(one, number, limits);
        entry.guard = Guard::Host;
        new_entry(fixture.append_one(entry).await);
    }
}

/// Those who join at once do not overfill a group.
pub async fn a_full_group_takes_nobody_at_once(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    let mut tasks = JoinSet::new();
    for number in 1..=12 {
        let log = Arc::clone(&fixture.log);
        tasks.spawn(async move {
            append(&*log, vec![join(one, number, of_group(5))])
                .await
                .remove(0)
        });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    let refused = answers
        .iter()
        .filter(|answer| **answer == Err(RefusedEntry::GroupFull));
    assert_eq!(refused.count(), 7);
    assert_eq!(memberships.members_of(one).await.unwrap().len(), 5);
}

const fn of_group(members: usize) -> MemberLimits {
    MemberLimits {
        per_group: Some(members),
        per_user: None,
    }
}

const fn of_user(groups: usize) -> MemberLimits {
    MemberLimits {
        per_group: None,
        per_user: Some(groups),
    }
}

fn join(group_id: GroupId, number: i64, limits: MemberLimits) -> NewEntry {
    limited(
        set_member(group_id, user(9), user(number), Role::Member, UNCHECKED),
        limits,
    )
}

fn limited(mut entry: NewEntry, bounds: MemberLimits) -> NewEntry {
    if let NewBody::SetMember { limits, .. } = &mut entry.body {
        *limits = bounds;
    }
    entry
}
