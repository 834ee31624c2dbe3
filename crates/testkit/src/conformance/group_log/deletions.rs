//! Messages that go.

use std::sync::Arc;

use sealroom_domain::{
    Entry, EntryBody, Role,
    ports::{Appended, Cursor, Guard, OfOthers, RefusedEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupLogFixture,
    edits::with_epoch,
    room::{
        ALL, UNCHECKED, append, at, delete, edit, guarded, held_content, message, message_with_id, new_entry,
        set_member,
    },
};
use crate::conformance::sample::{group, moment, seq, user};

/// A deletion has a place of its own and says who did it.
pub async fn deletions_are_entries(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    fixture
        .append_new(vec![message(one, user(1), "x"), message(one, user(1), "y")])
        .await;
    let answer = fixture
        .append_one(at(delete(one, user(2), seq(1), OfOthers::Always), 5))
        .await;
    let entry = new_entry(answer);
    let expected = EntryBody::MessageDeleted {
        target_seq: seq(1),
        actor_id: user(2),
    };
    assert_eq!((entry.seq, entry.at), (seq(3), moment(5)));
    assert_eq!(entry.body, expected);
    assert_eq!(fixture.whole(one).await[2], entry);
}

/// The content of a deleted message and of its edits is gone, from every page; all the rest stays in its place.
pub async fn a_deleted_message_has_no_content(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let elsewhere = fixture
        .append_new(vec![
            message(two, user(1), "elsewhere"),
            edit(two, user(1), seq(1), "e"),
        ])
        .await;
    let batch = vec![
        message(one, user(1), "stays"),
        message_with_id(one, user(1), "first", "c-1"),
        edit(one, user(1), seq(1), "stays too"),
        with_epoch(edit(one, user(1), seq(2), "second"), 3),
        edit(one, user(1), seq(2), "third"),
        message_with_id(one, user(1), "last", "c-2"),
    ];
    let mut expected = fixture.append_new(batch).await;
    let deletion = delete(one, user(1), seq(2), OfOthers::Never);
    expected.push(new_entry(fixture.append_one(deletion).await));
    for index in [1, 3, 4] {
        clear(&mut expected[index]);
    }
    assert_eq!(fixture.whole(one).await, expected);
    let backwards = fixture.page(one, Cursor::Before(seq(5)), ALL).await;
    assert_eq!(backwards.entries, expected[..4]);
    assert_eq!(fixture.whole(two).await, elsewhere);
}

/// Who may delete a message of whom, under either guard.
pub async fn messages_of_others_need_the_right(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let rows = [
        (1, OfOthers::Never, true),
        (2, OfOthers::Never, false),
        (1, OfOthers::Always, true),
        (2, OfOthers::Always, true),
        (1, OfOthers::FromRole(Role::Owner), true),
    ];
    for guard in [Guard::Host, UNCHECKED] {
        for (actor, of_others, may) in rows {
            let sent = fixture
                .append_new(vec![message(one, user(1), "x")])
                .await
                .remove(0);
            let deletion = guarded(delete(one, user(actor), sent.seq, of_others), guard);
            let answer = fixture.append_one(deletion).await;
            if may {
                new_entry(answer);
            } else {
                assert_eq!(
                    answer,
                    Err(RefusedEntry::NotItsSender),
                    "{actor} {of_others:?} {guard:?}"
                );
                assert_eq!(fixture.whole(one).await.pop(), Some(sent), "nothing changed");
            }
        }
    }
}

/// A role that deletes is the least one, at the deletion's place in the log.
pub async fn a_role_that_deletes_is_the_least(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(memberships) = fixture.kept() else { return };
    let roles = [Some(Role::Member), Some(Role::Admin), Some(Role::Owner), None];
    for least in [Role::Member, Role::Admin, Role::Owner] {
        for role in roles {
            memberships.remove(one, user(2)).await.unwrap();
            if let Some(role) = role {
                memberships.set(one, user(2), role).await.unwrap();
            }
            let sent = fixture
                .append_new(vec![message(one, user(1), "x")])
                .await
                .remove(0);
            let deletion = delete(one, user(2), sent.seq, OfOthers::FromRole(least));
            let answer = fixture.append_one(guarded(deletion, UNCHECKED)).await;
            if role >= Some(least) {
                new_entry(answer);
            } else {
                assert_eq!(answer, Err(RefusedEntry::NotItsSender), "{role:?} of {least:?}");
            }
        }
    }
    // The role that the same batch gives counts.
    let sent = fixture
        .append_new(vec![message(one, user(1), "x")])
        .await
        .remove(0);
    let deletion = delete(one, user(3), sent.seq, OfOthers::FromRole(Role::Admin));
    let answers = fixture
        .append(vec![
            guarded(deletion.clone(), UNCHECKED),
            set_member(one, user(9), user(3), Role::Admin, UNCHECKED),
            guarded(deletion, UNCHECKED),
        ])
        .await;
    assert_eq!(answers[0], Err(RefusedEntry::NotItsSender));
    new_entry(answers[2].clone());
}

/// Where the host keeps the memberships no role deletes, whatever the store has of them.
pub async fn the_host_has_no_roles_that_delete(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    if let Some(memberships) = fixture.kept() {
        memberships.set(one, user(2), Role::Owner).await.unwrap();
    }
    let before = fixture.append_new(vec![message(one, user(1), "x")]).await;
    let deletion = delete(one, user(2), seq(1), OfOthers::FromRole(Role::Member));
    assert_eq!(
        fixture.append_one(deletion).await,
        Err(RefusedEntry::NotItsSender)
    );
    assert_eq!(fixture.whole(one).await, before);
}

/// Only messages can be deleted: no other entry, no place without one, none of another group.
pub async fn what_is_no_message_cannot_be_deleted(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let before = fixture
        .append_new(vec![
            message(one, user(1), "x"),
            set_member(one, user(1), user(2), Role::Member, UNCHECKED),
            edit(one, user(1), seq(1), "y"),
        ])
        .await;
    let elsewhere = (0..7).map(|_| message(two, user(1), "elsewhere"));
    let elsewhere = fixture.append_new(elsewhere.collect()).await;
    for place in [0, 2, 3, 4, 7, 1_000_000] {
        let deletion = delete(one, user(1), seq(place), OfOthers::Always);
        assert_eq!(
            fixture.append_one(deletion).await,
            Err(RefusedEntry::NoSuchMessage),
            "place {place}"
        );
    }
    let nowhere = delete(group(999), user(1), seq(1), OfOthers::Always);
    assert_eq!(fixture.append_one(nowhere).await, Err(RefusedEntry::UnknownGroup));
    assert_eq!(fixture.whole(one).await, before);
    assert_eq!(fixture.whole(two).await, elsewhere);
}

/// A message is deleted once, whoever asks for it again.
pub async fn a_repeated_deletion_answers_the_first(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    fixture.append_new(vec![message(one, user(1), "x")]).await;
    let deletion = delete(one, user(1), seq(1), OfOthers::Never);
    let answers = fixture.append(vec![deletion.clone(), deletion.clone()]).await;
    let first = new_entry(answers[0].clone());
    assert_eq!(answers[1], Ok(Appended::Duplicate(first.clone())));
    fixture.append_new(vec![message(one, user(1), "between")]).await;
    let anothers = delete(one, user(2), seq(1), OfOthers::Always);
    for again in [at(deletion, 5_000_000), anothers] {
        assert_eq!(
            fixture.append_one(again).await,
            Ok(Appended::Duplicate(first.clone()))
        );
    }
    assert_eq!(fixture.whole(one).await.len(), 3);
}

/// What is deleted gets no other content, also not later in the same batch or by a retry of its last edit.
pub async fn a_deleted_message_cannot_be_edited(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    fixture
        .append_new(vec![
            message(one, user(1), "x"),
            edit(one, user(1), seq(1), "last"),
        ])
        .await;
    let answers = fixture
        .append(vec![
            edit(one, user(1), seq(1), "just before"),
            delete(one, user(1), seq(1), OfOthers::Never),
            edit(one, user(1), seq(1), "just before"),
            edit(one, user(1), seq(1), "other"),
        ])
        .await;
    new_entry(answers[1].clone());
    for refused in &answers[2..] {
        assert_eq!(*refused, Err(RefusedEntry::NoSuchMessage));
    }
    for text in ["last", "just before", "x"] {
        assert_eq!(
            fixture.append_one(edit(one, user(1), seq(1), text)).await,
            Err(RefusedEntry::NoSuchMessage)
        );
    }
    let entries = fixture.whole(one).await;
    assert_eq!(entries.len(), 4);
    assert!(entries.iter().all(|entry| held_content(entry).is_none()));
}

/// A retry of a send whose message was deleted since stays a retry, whatever content it brings.
pub async fn a_repetition_of_a_deleted_message_answers_its_entry(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let send = message_with_id(one, user(1), "x", "c-1");
    let mut first = fixture.append_new(vec![send.clone()]).await.remove(0);
    fixture
        .append_new(vec![delete(one, user(1), seq(1), OfOthers::Never)])
        .await;
    clear(&mut first);
    for again in [send, message_with_id(one, user(1), "other", "c-1")] {
        assert_eq!(
            fixture.append_one(again).await,
            Ok(Appended::Duplicate(first.clone()))
        );
    }
    assert_eq!(fixture.whole(one).await.len(), 2);
}

/// Two who delete a message at once leave one entry.
pub async fn concurrent_deletions_store_one(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    fixture.append_new(vec![message(one, user(1), "x")]).await;
    let mut tasks = JoinSet::new();
    for number in 1..=20 {
        let log = Arc::clone(&fixture.log);
        tasks.spawn(async move {
            let deletion = delete(one, user(number), seq(1), OfOthers::Always);
            append(&*log, vec![deletion]).await.remove(0)
        });
    }
    let mut new = 0;
    for answer in tasks.join_all().await {
        match answer {
            Ok(Appended::New(entry)) => {
                new += 1;
                assert_eq!(entry.seq, seq(2));
            }
            Ok(Appended::Duplicate(entry)) => assert_eq!(entry.seq, seq(2)),
            other => panic!("expected the deletion, got {other:?}"),
        }
    }
    assert_eq!(new, 1);
    assert_eq!(fixture.whole(one).await.len(), 2);
}

/// However edits and a deletion meet, nothing is left of the content.
pub async fn edits_that_meet_a_deletion_leave_no_content(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    for round in 0..10 {
        let sent = fixture
            .append_new(vec![message(one, user(1), "x")])
            .await
            .remove(0);
        let mut tasks = JoinSet::new();
        for number in 0..6 {
            let log = Arc::clone(&fixture.log);
            let change = match number {
                3 => delete(one, user(1), sent.seq, OfOthers::Never),
                _ => edit(one, user(1), sent.seq, &format!("{round} {number}")),
            };
            tasks.spawn(async move { append(&*log, vec![change]).await });
        }
        tasks.join_all().await;
    }
    let entries = fixture.whole(one).await;
    assert!(entries.iter().all(|entry| held_content(entry).is_none()));
    let page = fixture.messages(one, Cursor::Newest, ALL).await;
    assert_eq!(page.messages, []);
}

/// What an entry is once the content is gone.
fn clear(entry: &mut Entry) {
    match &mut entry.body {
        EntryBody::Message(message) => message.content = None,
        EntryBody::MessageEdited { content, .. } => *content = None,
        other => panic!("no content in {other:?}"),
    }
}
