//! The last owner of a group. Checked where the store keeps the memberships.

use std::sync::Arc;

use sealroom_domain::{
    Role, UserId,
    ports::{Guard, RefusedEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupLogFixture,
    room::{MEMBERS_ONLY, UNCHECKED, append, new_entry, remove_member, set_member},
};
use crate::conformance::sample::{group, user};

const REFUSED: RefusedEntry = RefusedEntry::LastOwner;

/// The guard keeps the last owner, from others and from itself, against removal and against a lesser role.
pub async fn the_last_owner_stays(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Owner).await.unwrap();
    memberships.set(one, user(2), Role::Admin).await.unwrap();
    // An owner of another group is none here.
    memberships.set(two, user(2), Role::Owner).await.unwrap();
    for actor in [user(1), user(2)] {
        let answers = fixture
            .append(vec![
                remove_member(one, actor, user(1), MEMBERS_ONLY),
                set_member(one, actor, user(1), Role::Admin, MEMBERS_ONLY),
                set_member(one, actor, user(1), Role::Member, MEMBERS_ONLY),
            ])
            .await;
        assert_eq!(answers, [Err(REFUSED), Err(REFUSED), Err(REFUSED)]);
    }
    assert_eq!(
        memberships.roles(&[(one, user(1))]).await.unwrap(),
        [Some(Role::Owner)]
    );
    assert_eq!(fixture.whole(one).await, []);
    // Others may go.
    let answer = fixture
        .append_one(remove_member(one, user(2), user(2), MEMBERS_ONLY))
        .await;
    new_entry(answer);
}

/// Without `keeps_owner` a group may lose its last owner.
pub async fn the_last_owner_goes_where_nothing_keeps_it(fixture: GroupLogFixture) {
    let Some(memberships) = fixture.kept() else { return };
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    for group_id in [one, two] {
        memberships.set(group_id, user(1), Role::Owner).await.unwrap();
    }
    fixture
        .append_new(vec![
            remove_member(one, user(1), user(1), UNCHECKED),
            set_member(two, user(1), user(1), Role::Member, UNCHECKED),
        ])
        .await;
    assert_eq!(
        memberships
            .roles(&[(one, user(1)), (two, user(1))])
            .await
            .unwrap(),
        [None, Some(Role::Member)]
    );
}

/// Where another owner is left, one may go.
pub async fn one_of_two_owners_may_go(fixture: GroupLogFixture) {
    let Some(memberships) = fixture.kept() else { return };
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    for group_id in [one, two] {
        memberships.set(group_id, user(1), Role::Owner).await.unwrap();
        memberships.set(group_id, user(2), Role::Owner).await.unwrap();
    }
    fixture
        .append_new(vec![
            remove_member(one, user(1), user(1), MEMBERS_ONLY),
            set_member(two, user(2), user(2), Role::Member, MEMBERS_ONLY),
        ])
        .await;
    let pairs = [(one, user(1)), (one, user(2)), (two, user(1)), (two, user(2))];
    assert_eq!(
        memberships.roles(&pairs).await.unwrap(),
        [None, Some(Role::Owner), Some(Role::Owner), Some(Role::Member)]
    );
}

/// A group that has no owner loses none: its members may go.
pub async fn a_group_without_an_owner_needs_none(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Admin).await.unwrap();
    memberships.set(one, user(2), Role::Member).await.unwrap();
    fixture
        .append_new(vec![
            set_member(one, user(1), user(2), Role::Admin, MEMBERS_ONLY),
            set_member(one, user(1), user(1), Role::Member, MEMBERS_ONLY),
            remove_member(one, user(2), user(2), MEMBERS_ONLY),
            remove_member(one, user(1), user(1), MEMBERS_ONLY),
        ])
        .await;
    assert_eq!(memberships.members_of(one).await.unwrap(), []);
}

/// Each entry sees what those before it in the batch did to the owners.
pub async fn owners_in_one_batch_cannot_all_go(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Owner).await.unwrap();
    memberships.set(one, user(2), Role::Owner).await.unwrap();
    let answers = fixture
        .append(vec![
            set_member(one, user(1), user(1), Role::Admin, MEMBERS_ONLY),
            remove_member(one, user(2), user(2), MEMBERS_ONLY),
            set_member(one, user(2), user(3), Role::Owner, MEMBERS_ONLY),
            remove_member(one, user(2), user(2), MEMBERS_ONLY),
        ])
        .await;
    assert_eq!(answers[1], Err(REFUSED));
    for index in [0, 2, 3] {
        new_entry(answers[index].clone());
    }
    let pairs = [(one, user(1)), (one, user(2)), (one, user(3))];
    assert_eq!(
        memberships.roles(&pairs).await.unwrap(),
        [Some(Role::Admin), None, Some(Role::Owner)]
    );
}

/// Owners who leave at the same moment: one of them stays.
pub async fn owners_who_leave_at_once_cannot_all_go(fixture: GroupLogFixture) {
    const OWNERS: i64 = 5;
    let Some(memberships) = fixture.kept() else { return };
    let guard = Guard::Kept {
        actor_role: Some(Role::Owner),
        keeps_owner: true,
    };
    for round in 1..=10 {
        let one = fixture.group(group(round)).await;
        let owners: Vec<UserId> = (1..=OWNERS).map(user).collect();
        for owner in &owners {
            memberships.set(one, *owner, Role::Owner).await.unwrap();
        }
        let mut leavers = JoinSet::new();
        for owner in owners {
            let log = Arc::clone(&fixture.log);
            leavers.spawn(async move {
                let leave = remove_member(one, owner, owner, guard);
                append(&*log, vec![leave]).await.remove(0)
            });
        }
        let refused: Vec<RefusedEntry> = leavers
            .join_all()
            .await
            .into_iter()
            .filter_map(Result::err)
            .collect();
        assert_eq!(refused, [REFUSED]);
        assert_eq!(memberships.members_of(one).await.unwrap().len(), 1);
    }
}
