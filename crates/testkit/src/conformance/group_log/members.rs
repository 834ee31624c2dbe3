//! Changes of members.

use sealroom_domain::{
    EntryBody, RemovalReason, Role, UserId,
    ports::{Appended, Guard, Member, NewBody, NewEntry},
};

use super::{
    GroupLogFixture,
    room::{MEMBERS_ONLY, UNCHECKED, assert_dense, guarded, message, new_entry, remove_member, set_member},
};
use crate::conformance::sample::{group, moment, user};

/// A change of members is an entry that says who, what, and by whom.
pub async fn changes_of_members_are_entries(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let actor_id = user(9);
    let mut batch = Vec::new();
    let mut expected = Vec::new();
    for (number, role) in [(1, Role::Member), (2, Role::Admin), (3, Role::Owner)] {
        let user_id = user(number);
        batch.push(set_member(one, actor_id, user_id, role, Guard::Host));
        expected.push(EntryBody::MemberAdded {
            user_id,
            role,
            actor_id,
        });
    }
    let reasons = [
        RemovalReason::Removed,
        RemovalReason::Left,
        RemovalReason::GroupDeleted,
        RemovalReason::Banned,
    ];
    for (number, reason) in (1..).zip(reasons) {
        let user_id = user(number);
        batch.push(NewEntry {
            group_id: one,
            actor_id,
            at: moment(number),
            body: NewBody::RemoveMember { user_id, reason },
            guard: Guard::Host,
        });
        expected.push(EntryBody::MemberRemoved {
            user_id,
            reason,
            actor_id,
        });
    }
    let answered = fixture.append_new(batch).await;
    assert_eq!(answered[6].at, moment(4));
    let read = fixture.whole(one).await;
    assert_eq!(read, answered);
    let bodies: Vec<EntryBody> = read.into_iter().map(|entry| entry.body).collect();
    assert_eq!(bodies, expected);
}

/// Where the host keeps the memberships, everybody may send, each change is an entry, and no membership moves.
pub async fn the_host_guard_checks_and_changes_nothing(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let again = set_member(one, user(1), user(1), Role::Owner, Guard::Host);
    let entries = fixture
        .append_new(vec![
            message(one, user(5), "from nobody in particular"),
            again.clone(),
            again,
            remove_member(one, user(1), user(1), Guard::Host),
            remove_member(one, user(1), user(1), Guard::Host),
            remove_member(one, user(1), user(7), Guard::Host),
        ])
        .await;
    assert_dense(&entries, 1);
    let Some(memberships) = fixture.kept() else { return };
    assert_eq!(memberships.members_of(one).await.unwrap(), []);
    memberships.set(one, user(1), Role::Owner).await.unwrap();
    fixture
        .append_new(vec![
            set_member(one, user(1), user(1), Role::Member, Guard::Host),
            set_member(one, user(1), user(2), Role::Member, Guard::Host),
            remove_member(one, user(1), user(1), Guard::Host),
        ])
        .await;
    assert_eq!(
        memberships.members_of(one).await.unwrap(),
        [member(1, Role::Owner)]
    );
}

/// The entry and the membership come together.
pub async fn set_member_changes_the_membership_with_its_entry(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let Some(memberships) = fixture.kept() else { return };
    for (place, role) in (1..).zip([Role::Member, Role::Owner, Role::Admin, Role::Member]) {
        let answer = fixture
            .append_one(set_member(one, user(9), user(1), role, UNCHECKED))
            .await;
        let entry = new_entry(answer);
        assert_eq!(entry.seq.get(), place);
        assert_eq!(
            entry.body,
            EntryBody::MemberAdded {
                user_id: user(1),
                role,
                actor_id: user(9)
            }
        );
        assert_eq!(
            memberships
                .roles(&[(one, user(1)), (two, user(1))])
                .await
                .unwrap(),
            [Some(role), None]
        );
        assert_eq!(memberships.members_of(one).await.unwrap(), [member(1, role)]);
        assert_eq!(memberships.groups_of(user(1)).await.unwrap(), [(one, role)]);
    }
    assert_eq!(fixture.whole(one).await.len(), 4);
}

/// Nothing changes, nothing is written.
pub async fn set_member_with_the_same_role_is_unchanged(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    let set = set_member(one, user(9), user(1), Role::Owner, UNCHECKED);
    let answers = fixture.append(vec![set.clone(), set.clone()]).await;
    new_entry(answers[0].clone());
    assert_eq!(answers[1], Ok(Appended::Unchanged));
    // Also under the guard for owners: the last one stays an owner.
    let strict = Guard::Kept {
        actor_role: None,
        keeps_owner: true,
    };
    assert_eq!(
        fixture.append_one(guarded(set, strict)).await,
        Ok(Appended::Unchanged)
    );
    assert_eq!(fixture.whole(one).await.len(), 1);
    assert_eq!(
        memberships.members_of(one).await.unwrap(),
        [member(1, Role::Owner)]
    );
}

/// Whoever asks after a removal returned sees it.
pub async fn remove_member_is_visible_at_once(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let Some(memberships) = fixture.kept() else { return };
    for round in 0..20 {
        fixture
            .append_new(vec![
                set_member(one, user(9), user(1), Role::Member, UNCHECKED),
                set_member(two, user(9), user(round + 20), Role::Member, UNCHECKED),
            ])
            .await;
        let answer = fixture
            .append_one(remove_member(one, user(9), user(1), UNCHECKED))
            .await;
        assert_eq!(
            new_entry(answer).body,
            EntryBody::MemberRemoved {
                user_id: user(1),
                reason: RemovalReason::Removed,
                actor_id: user(9)
            }
        );
        assert_eq!(memberships.roles(&[(one, user(1))]).await.unwrap(), [None]);
        assert_eq!(memberships.members_of(one).await.unwrap(), []);
        assert_eq!(memberships.groups_of(user(1)).await.unwrap(), []);
    }
    assert_eq!(memberships.members_of(two).await.unwrap().len(), 20);
}

/// Who is no member cannot be removed, and it is no error.
pub async fn remove_member_of_a_stranger_is_unchanged(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Owner).await.unwrap();
    let stranger = remove_member(one, user(1), user(2), MEMBERS_ONLY);
    assert_eq!(fixture.append_one(stranger).await, Ok(Appended::Unchanged));
    assert_eq!(fixture.whole(one).await, []);
    assert_eq!(
        memberships.members_of(one).await.unwrap(),
        [member(1, Role::Owner)]
    );
}

/// `Memberships::set` and `remove` write no entry, and the guard sees what they did.
pub async fn memberships_changed_directly_write_no_entry_and_bind_the_guard(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    let send = guarded(message(one, user(1), "x"), MEMBERS_ONLY);
    memberships.set(one, user(1), Role::Member).await.unwrap();
    assert_eq!(fixture.whole(one).await, []);
    fixture.append_new(vec![send.clone()]).await;
    memberships.remove(one, user(1)).await.unwrap();
    fixture.append_one(send).await.unwrap_err();
    assert_eq!(fixture.whole(one).await.len(), 1);
}

fn member(number: i64, role: Role) -> Member {
    let user_id: UserId = user(number);
    Member { user_id, role }
}
