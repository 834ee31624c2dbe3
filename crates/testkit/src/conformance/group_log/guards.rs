//! What a guard refuses. Checked where the store keeps the memberships.

use std::sync::Arc;

use sealroom_domain::{
    EntryBody, Role,
    ports::{Guard, RefusedEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupLogFixture,
    room::{
        MEMBERS_ONLY, UNCHECKED, append, assert_dense, guarded, message, new_entry, remove_member,
        set_member, texts,
    },
};
use crate::conformance::sample::{group, user};

const ROLES: [Role; 3] = [Role::Member, Role::Admin, Role::Owner];
const REFUSED: RefusedEntry = RefusedEntry::ActorRole;

/// Who is no member sends nothing, changes nothing, and takes no place.
pub async fn a_stranger_is_refused(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Member).await.unwrap();
    memberships.set(two, user(2), Role::Owner).await.unwrap();
    let answers = fixture
        .append(vec![
            guarded(message(one, user(1), "first"), MEMBERS_ONLY),
            guarded(message(one, user(2), "an owner elsewhere"), MEMBERS_ONLY),
            set_member(one, user(2), user(2), Role::Member, MEMBERS_ONLY),
            remove_member(one, user(2), user(1), MEMBERS_ONLY),
            guarded(message(one, user(1), "second"), MEMBERS_ONLY),
        ])
        .await;
    assert_eq!(&answers[1..4], [Err(REFUSED), Err(REFUSED), Err(REFUSED)]);
    assert_dense(&[new_entry(answers[0].clone()), new_entry(answers[4].clone())], 1);
    assert_eq!(texts(&fixture.whole(one).await), ["first", "second"]);
    assert_eq!(
        memberships
            .roles(&[(one, user(1)), (one, user(2))])
            .await
            .unwrap(),
        [Some(Role::Member), None]
    );
}

/// A greater role may do what a lesser one may, and not the other way round.
pub async fn the_guards_role_is_the_least(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    let mut accepted = 0;
    for has in ROLES {
        memberships.set(one, user(1), has).await.unwrap();
        for needs in ROLES {
            let guard = Guard::Kept {
                actor_role: Some(needs),
                keeps_owner: true,
            };
            let answer = fixture
                .append_one(guarded(message(one, user(1), "x"), guard))
                .await;
            if has >= needs {
                new_entry(answer);
                accepted += 1;
            } else {
                assert_eq!(answer, Err(REFUSED), "{has:?} where {needs:?} is needed");
            }
        }
    }
    assert_eq!(fixture.whole(one).await.len(), accepted);
}

/// `None` asks for no role at all.
pub async fn a_guard_without_a_role_checks_nothing(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    let batch = vec![
        guarded(message(one, user(5), "x"), UNCHECKED),
        set_member(one, user(5), user(6), Role::Admin, UNCHECKED),
        remove_member(one, user(5), user(6), UNCHECKED),
    ];
    assert_eq!(fixture.append_new(batch).await.len(), 3);
    assert_eq!(memberships.members_of(one).await.unwrap(), []);
}

/// A refused change leaves the memberships as they were.
pub async fn a_refused_change_changes_nothing(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Owner).await.unwrap();
    memberships.set(one, user(2), Role::Member).await.unwrap();
    let admins = Guard::Kept {
        actor_role: Some(Role::Admin),
        keeps_owner: true,
    };
    let before = memberships.members_of(one).await.unwrap();
    let refused = fixture
        .append(vec![
            set_member(one, user(2), user(2), Role::Owner, admins),
            set_member(one, user(2), user(3), Role::Member, admins),
            remove_member(one, user(2), user(1), admins),
        ])
        .await;
    assert_eq!(refused, [Err(REFUSED), Err(REFUSED), Err(REFUSED)]);
    assert_eq!(memberships.members_of(one).await.unwrap(), before);
    assert_eq!(fixture.whole(one).await, []);
}

/// A group that does not exist is that, and not one without members.
pub async fn an_unknown_group_is_unknown_to_every_guard(fixture: GroupLogFixture) {
    let nowhere = group(77);
    let mut guards = vec![Guard::Host];
    if fixture.kept().is_some() {
        guards.extend([MEMBERS_ONLY, UNCHECKED]);
    }
    for guard in guards {
        let batch = vec![
            guarded(message(nowhere, user(1), "x"), guard),
            set_member(nowhere, user(1), user(1), Role::Owner, guard),
            remove_member(nowhere, user(1), user(1), guard),
        ];
        for answer in fixture.append(batch).await {
            assert_eq!(answer, Err(RefusedEntry::UnknownGroup));
        }
    }
    if let Some(memberships) = fixture.kept() {
        assert_eq!(memberships.members_of(nowhere).await.unwrap(), []);
    }
}

/// Whoever is removed by an entry of the batch sends nothing after it, and what it sent before stays.
pub async fn a_removal_binds_the_rest_of_its_batch(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Owner).await.unwrap();
    memberships.set(one, user(2), Role::Member).await.unwrap();
    let answers = fixture
        .append(vec![
            guarded(message(one, user(2), "before"), MEMBERS_ONLY),
            remove_member(one, user(1), user(2), MEMBERS_ONLY),
            guarded(message(one, user(2), "after"), MEMBERS_ONLY),
            guarded(message(one, user(1), "the owner goes on"), MEMBERS_ONLY),
        ])
        .await;
    assert_eq!(answers[2], Err(REFUSED));
    let accepted: Vec<_> = [0, 1, 3]
        .map(|index: usize| new_entry(answers[index].clone()))
        .into();
    assert_dense(&accepted, 1);
    assert_eq!(fixture.whole(one).await, accepted);
}

/// Whoever is added by an entry of the batch may send after it, and not before.
pub async fn an_addition_binds_the_rest_of_its_batch(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Owner).await.unwrap();
    let answers = fixture
        .append(vec![
            guarded(message(one, user(2), "too early"), MEMBERS_ONLY),
            set_member(one, user(1), user(2), Role::Member, MEMBERS_ONLY),
            guarded(message(one, user(2), "hello"), MEMBERS_ONLY),
        ])
        .await;
    assert_eq!(answers[0], Err(REFUSED));
    assert_dense(&[new_entry(answers[1].clone()), new_entry(answers[2].clone())], 1);
    assert_eq!(texts(&fixture.whole(one).await), ["hello"]);
}

/// So does a changed role.
pub async fn a_role_binds_the_rest_of_its_batch(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    memberships.set(one, user(1), Role::Owner).await.unwrap();
    memberships.set(one, user(2), Role::Member).await.unwrap();
    let admins = Guard::Kept {
        actor_role: Some(Role::Admin),
        keeps_owner: true,
    };
    let answers = fixture
        .append(vec![
            set_member(one, user(2), user(3), Role::Member, admins),
            set_member(one, user(1), user(2), Role::Admin, admins),
            set_member(one, user(2), user(3), Role::Member, admins),
            set_member(one, user(1), user(2), Role::Member, admins),
            remove_member(one, user(2), user(3), admins),
        ])
        .await;
    assert_eq!((&answers[0], &answers[4]), (&Err(REFUSED), &Err(REFUSED)));
    for index in [1, 2, 3] {
        new_entry(answers[index].clone());
    }
    assert_eq!(
        memberships
            .roles(&[(one, user(2)), (one, user(3))])
            .await
            .unwrap(),
        [Some(Role::Member), Some(Role::Member)]
    );
}

/// A removal that races with sends has one place: all that the member sent is before it.
pub async fn a_removal_has_one_place_among_concurrent_sends(fixture: GroupLogFixture) {
    let Some(memberships) = fixture.kept() else { return };
    for round in 1..=10 {
        let one = fixture.group(group(round)).await;
        memberships.set(one, user(1), Role::Owner).await.unwrap();
        memberships.set(one, user(2), Role::Member).await.unwrap();
        let mut senders = JoinSet::new();
        for pause in 1..=4 {
            let log = Arc::clone(&fixture.log);
            // Sends until it is refused. The pauses differ, so that some send is always under way.
            senders.spawn(async move {
                loop {
                    let send = guarded(message(one, user(2), "x"), MEMBERS_ONLY);
                    if let Err(refused) = append(&*log, vec![send]).await.remove(0) {
                        return refused;
                    }
                    for _ in 0..pause {
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let removal = fixture
            .append_one(remove_member(one, user(1), user(2), MEMBERS_ONLY))
            .await;
        let removal = new_entry(removal);
        for refused in senders.join_all().await {
            assert_eq!(refused, REFUSED);
        }
        let read = fixture.whole(one).await;
        assert!(matches!(removal.body, EntryBody::MemberRemoved { .. }));
        assert_eq!(
            read.last(),
            Some(&removal),
            "nothing of the member is after its removal"
        );
    }
}
