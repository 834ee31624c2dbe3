//! Groups that go, and others in their place.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sealroom_domain::{
    GroupId, Retention, Role, Seq, UserId,
    ports::{Cursor, Group, GroupChange, OfOthers, RefusedEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupsFixture,
    room::{join, new_group},
};
use crate::conformance::{
    abandon::abandon_after,
    entries::{ALL, UNCHECKED, delete, edit, message, message_with_id, new_entry, set_member},
    sample::{group, group_name, moment, seq, user},
};

/// Those whose memberships ended are answered, once.
pub async fn delete_answers_the_members(fixture: GroupsFixture) {
    let founders = [(7, Role::Owner), (2, Role::Member), (4, Role::Admin)];
    let (group_id, _) = fixture.create(new_group(&founders, true)).await;
    let (hosts, _) = fixture.create(new_group(&founders, false)).await;
    let mut members = fixture.delete(group_id).await.expect("the group is there");
    members.sort_unstable();
    assert_eq!(members, [2, 4, 7].map(user));
    assert_eq!(fixture.delete(group_id).await, None);
    assert_eq!(fixture.delete(hosts).await, Some(Vec::new()));
    assert_eq!(fixture.delete(group(999_999)).await, None);
}

/// As if there had never been such a group, for every port.
pub async fn a_deleted_group_is_unknown(fixture: GroupsFixture) {
    let founders = [(1, Role::Owner), (2, Role::Member)];
    let (group_id, _) = fixture.create(new_group(&founders, true)).await;
    let (other, entries) = fixture.create(new_group(&founders, true)).await;
    fixture.delete(group_id).await;
    assert_eq!(fixture.groups.get(&[group_id]).await.unwrap(), []);
    let change = fixture.groups.update(group_id, GroupChange::default()).await;
    assert!(!change.unwrap());
    for cursor in [Cursor::After(Seq::ZERO), Cursor::Newest] {
        assert_eq!(fixture.log.read(group_id, cursor, ALL).await.unwrap(), None);
        assert_eq!(fixture.log.messages(group_id, cursor, ALL).await.unwrap(), None);
    }
    let answers = fixture
        .log
        .append(vec![join(group_id), message(group_id, user(1), "x")])
        .await
        .unwrap();
    assert_eq!(
        answers,
        [Err(RefusedEntry::UnknownGroup), Err(RefusedEntry::UnknownGroup)]
    );
    let heads = fixture.log.heads(&[group_id, other]).await.unwrap();
    assert_eq!(heads, [(other, seq(2))]);
    assert_eq!(fixture.entries(other).await, entries);
    let Some(memberships) = &fixture.memberships else {
        return;
    };
    let roles = memberships
        .roles(&[(group_id, user(1)), (other, user(1))])
        .await
        .unwrap();
    assert_eq!(roles, [None, Some(Role::Owner)]);
    assert_eq!(memberships.members_of(group_id).await.unwrap(), []);
    assert_eq!(
        memberships.groups_of(user(2)).await.unwrap(),
        [(other, Role::Member)]
    );
}

/// An id that was given out is never given out again, also not the last one.
pub async fn ids_of_deleted_groups_are_not_given_out(fixture: GroupsFixture) {
    let mut ids = HashSet::new();
    for _ in 0..8 {
        let (group_id, _) = fixture.create(new_group(&[(1, Role::Owner)], true)).await;
        assert!(ids.insert(group_id), "{group_id} was given out twice");
        fixture.delete(group_id).await.expect("the group is there");
        // The same for one that was put ahead.
        let chosen = group(group_id.get() + 1);
        if fixture
            .groups
            .put(chosen, &group_name("x"), moment(0))
            .await
            .unwrap()
        {
            ids.insert(chosen);
            fixture.delete(chosen).await.expect("the group is there");
        }
    }
}

/// Nothing of the former group is left in the one that is put in its place, and one place lies between them.
pub async fn a_group_put_again_is_another(fixture: GroupsFixture) {
    let five = fixture.former_group().await;
    let again = fixture.groups.put(five, &group_name("second"), moment(9)).await;
    assert!(again.unwrap(), "it was created");
    let expected = Group {
        group_id: five,
        name: group_name("second"),
        head: seq(5),
        created_at: moment(9),
        retention: Retention::default(),
    };
    assert_eq!(fixture.get_one(five).await, expected);
    for cursor in [Cursor::After(Seq::ZERO), Cursor::Before(seq(9)), Cursor::Newest] {
        let page = fixture.log.read(five, cursor, ALL).await.unwrap();
        let page = page.expect("the group has a log");
        assert_eq!((page.entries, page.has_more), (Vec::new(), false));
        assert_eq!(
            (page.head, page.first),
            (seq(5), seq(6)),
            "nothing before is there"
        );
        let page = fixture.log.messages(five, cursor, ALL).await.unwrap();
        let page = page.expect("the group has a log");
        assert_eq!((page.messages, page.has_more), (Vec::new(), false));
        assert_eq!((page.head, page.first), (seq(5), seq(6)));
    }
    assert_eq!(fixture.log.heads(&[five]).await.unwrap(), [(five, seq(5))]);
    if let Some(memberships) = &fixture.memberships {
        assert_eq!(memberships.members_of(five).await.unwrap(), []);
    }
    assert_eq!(fixture.delete(five).await, Some(Vec::new()));
}

/// No place ever names two entries: the log goes on, whatever became of the groups before, and nothing in it refers to
/// theirs.
pub async fn the_log_of_a_group_put_again_goes_on(fixture: GroupsFixture) {
    let five = fixture.former_group().await;
    let mut head = 4;
    for round in 0..3 {
        let name = group_name("again");
        assert!(fixture.groups.put(five, &name, moment(0)).await.unwrap());
        let answers = fixture
            .log
            .append(vec![
                message_with_id(five, user(1), "other content", "c-1"),
                edit(five, user(1), seq(2), "x"),
                delete(five, user(1), seq(2), OfOthers::Always),
                message(five, user(1), "y"),
            ])
            .await
            .unwrap();
        let first = new_entry(answers[0].clone());
        let last = new_entry(answers[3].clone());
        assert_eq!(
            (first.seq, last.seq),
            (seq(head + 2), seq(head + 3)),
            "round {round}: one place stays empty"
        );
        for refused in &answers[1..3] {
            assert_eq!(*refused, Err(RefusedEntry::NoSuchMessage));
        }
        let page = fixture.log.read(five, Cursor::After(Seq::ZERO), ALL).await;
        let page = page.unwrap().expect("the group has a log");
        assert_eq!(page.entries, [first, last]);
        assert_eq!((page.head, page.first), (seq(head + 3), seq(head + 2)));
        fixture.delete(five).await.expect("the group is there");
        head += 3;
    }
}

/// A group is deleted once, however many want it gone.
pub async fn concurrent_deletes_delete_once(fixture: GroupsFixture) {
    let (group_id, _) = fixture.create(new_group(&[(1, Role::Owner)], true)).await;
    let mut tasks = JoinSet::new();
    for _ in 0..12 {
        let groups = Arc::clone(&fixture.groups);
        tasks.spawn(async move { groups.delete(group_id, moment(0)).await.unwrap() });
    }
    let answers: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(answers, [vec![user(1)]]);
}

/// A caller that goes away leaves a whole group or none, and stops nobody.
pub async fn an_abandoned_delete_leaves_all_or_nothing(fixture: GroupsFixture) {
    let founders = [(1, Role::Owner), (2, Role::Member), (3, Role::Member)];
    let mut ids = Vec::new();
    for polls in 0..12 {
        let (group_id, _) = fixture.create(new_group(&founders, true)).await;
        abandon_after(polls, fixture.groups.delete(group_id, moment(0))).await;
        ids.push(group_id);
    }
    // The next one waits for what the abandoned ones left behind.
    let (last, _) = fixture.create(new_group(&founders, true)).await;
    let deleted = tokio::time::timeout(Duration::from_secs(10), fixture.delete(last)).await;
    assert!(
        deleted.expect("an abandoned delete leaves no lock").is_some(),
        "the group was there"
    );
    for group_id in ids {
        fixture.assert_whole_or_gone(group_id).await;
    }
}

impl GroupsFixture {
    async fn delete(&self, group_id: GroupId) -> Option<Vec<UserId>> {
        self.groups.delete(group_id, moment(1)).await.unwrap()
    }

    async fn exists(&self, group_id: GroupId) -> bool {
        !self.groups.get(&[group_id]).await.unwrap().is_empty()
    }

    /// Three entries and three members, or none of both.
    async fn assert_whole_or_gone(&self, group_id: GroupId) {
        loop {
            let is_there = self.exists(group_id).await;
            let page = self.log.read(group_id, Cursor::After(Seq::ZERO), ALL).await;
            let members = match &self.memberships {
                Some(memberships) => Some(memberships.members_of(group_id).await.unwrap().len()),
                None => None,
            };
            if is_there != self.exists(group_id).await {
                // What an abandoned call had begun may end just now.
                continue;
            }
            let entries = page.unwrap().map(|page| page.entries.len());
            assert_eq!(entries, is_there.then_some(3));
            let expected = if is_there { 3 } else { 0 };
            assert_eq!(members.unwrap_or(expected), expected);
            return;
        }
    }

    /// Group 5 had four entries, a member and a retention of its own.
    async fn former_group(&self) -> GroupId {
        let five = group(5);
        let put = self.groups.put(five, &group_name("first"), moment(1)).await;
        assert!(put.unwrap(), "the fixture must be empty");
        let batch = vec![
            set_member(five, user(1), user(1), Role::Owner, UNCHECKED),
            message_with_id(five, user(1), "x", "c-1"),
            edit(five, user(1), seq(2), "edited"),
            message(five, user(1), "y"),
        ];
        for answer in self.log.append(batch).await.unwrap() {
            new_entry(answer);
        }
        let change = GroupChange {
            name: None,
            retention: Some(Retention {
                age: None,
                count: Some(50),
            }),
        };
        assert!(self.groups.update(five, change).await.unwrap());
        self.delete(five).await.expect("the group is there");
        five
    }
}
