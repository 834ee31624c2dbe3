//! Messages that get other content.

use std::sync::Arc;

use sealroom_domain::{
    EntryBody, Role, Seq,
    ports::{Appended, NewBody, NewEntry, OfOthers, RefusedEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupLogFixture,
    room::{
        MEMBERS_ONLY, UNCHECKED, append, at, delete, edit, guarded, held_content, message, message_with_id,
        new_entry, remove_member, set_member,
    },
};
use crate::conformance::sample::{content, epoch, group, hard_names, moment, seq, user};

/// An edit has a place of its own, and the message keeps what it said first.
pub async fn edits_are_entries(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let first = fixture
        .append_new(vec![
            message(one, user(1), "first"),
            message(one, user(2), "other"),
        ])
        .await;
    let edits = fixture
        .append_new(vec![
            at(with_epoch(edit(one, user(1), seq(1), "second"), 7), 5),
            edit(one, user(2), seq(2), "changed"),
        ])
        .await;
    let expected = EntryBody::MessageEdited {
        target_seq: seq(1),
        content: Some(content("second")),
        key_epoch: Some(epoch(7)),
        actor_id: user(1),
    };
    assert_eq!((edits[0].seq, edits[0].at), (seq(3), moment(5)));
    assert_eq!(edits[0].body, expected);
    assert_eq!(fixture.whole(one).await, [first, edits].concat());
}

/// No character of an edit is lost, changed, cut or normalized.
pub async fn edited_content_is_byte_identical(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let mut batch = vec![message(one, user(1), "x")];
    let texts = hard_names();
    batch.extend(texts.iter().map(|text| edit(one, user(1), seq(1), text)));
    fixture.append_new(batch).await;
    let read = fixture.whole(one).await;
    let stored: Vec<&str> = read[1..]
        .iter()
        .filter_map(|entry| Some(held_content(entry)?.as_str()))
        .collect();
    assert_eq!(stored, texts);
}

/// Nobody else edits a message, whatever the role.
pub async fn only_its_sender_edits_a_message(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let mut batch = vec![message(one, user(1), "x")];
    batch.push(set_member(one, user(1), user(2), Role::Owner, UNCHECKED));
    let before = fixture.append_new(batch).await;
    for guard in [sealroom_domain::ports::Guard::Host, UNCHECKED] {
        let anothers = guarded(edit(one, user(2), seq(1), "y"), guard);
        assert_eq!(
            fixture.append_one(anothers).await,
            Err(RefusedEntry::NotItsSender),
            "{guard:?}"
        );
    }
    assert_eq!(fixture.whole(one).await, before);
    fixture
        .append_new(vec![edit(one, user(1), seq(1), "its sender may")])
        .await;
}

/// Only messages can be edited: no other entry, no place without one, none of another group.
pub async fn what_is_no_message_cannot_be_edited(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let batch = vec![
        message(one, user(1), "x"),
        set_member(one, user(1), user(2), Role::Member, UNCHECKED),
        edit(one, user(1), seq(1), "y"),
        message(one, user(1), "gone"),
        delete(one, user(1), seq(4), OfOthers::Never),
    ];
    fixture.append_new(batch).await;
    let before = fixture.whole(one).await;
    let elsewhere: Vec<NewEntry> = (0..7).map(|_| message(two, user(1), "elsewhere")).collect();
    fixture.append_new(elsewhere).await;
    for place in [0, 2, 3, 5, 6, 7, 1_000_000] {
        assert_eq!(
            fixture.append_one(edit(one, user(1), seq(place), "z")).await,
            Err(RefusedEntry::NoSuchMessage),
            "place {place}"
        );
    }
    let nowhere = edit(group(999), user(1), seq(1), "z");
    assert_eq!(fixture.append_one(nowhere).await, Err(RefusedEntry::UnknownGroup));
    assert_eq!(fixture.whole(one).await, before);
}

/// The guard is checked before anything else: who is no member any more edits nothing.
pub async fn edits_and_deletions_pass_the_guard(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    if fixture.kept().is_none() {
        return;
    }
    let join = set_member(one, user(9), user(1), Role::Member, UNCHECKED);
    let send = guarded(message(one, user(1), "x"), MEMBERS_ONLY);
    let change = guarded(edit(one, user(1), seq(2), "y"), MEMBERS_ONLY);
    fixture.append_new(vec![join, send, change]).await;
    let answers = fixture
        .append(vec![
            remove_member(one, user(9), user(1), UNCHECKED),
            guarded(edit(one, user(1), seq(2), "z"), MEMBERS_ONLY),
            guarded(delete(one, user(1), seq(2), OfOthers::Always), MEMBERS_ONLY),
        ])
        .await;
    new_entry(answers[0].clone());
    assert_eq!(answers[1], Err(RefusedEntry::ActorRole));
    assert_eq!(answers[2], Err(RefusedEntry::ActorRole));
    assert_eq!(fixture.whole(one).await.len(), 4);
}

/// A retry of the last edit is harmless; what is not the last one is an edit of its own.
pub async fn a_repeated_edit_answers_the_last_one(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    fixture
        .append_new(vec![
            message_with_id(one, user(1), "first", "c-1"),
            message(one, user(1), "other"),
        ])
        .await;
    // The message's own content is no edit yet, and comes back as one.
    let steps = [
        ("first", None),
        ("a", None),
        ("a", Some(1)),
        ("b", Some(1)),
        ("a", Some(1)),
        ("a", None),
        ("first", None),
    ];
    for (index, (text, key_epoch)) in (3..).zip(steps) {
        let mut change = edit(one, user(1), seq(1), text);
        if let Some(key_epoch) = key_epoch {
            change = with_epoch(change, key_epoch);
        }
        let entry = new_entry(fixture.append_one(change.clone()).await);
        let place = 2 * index - 3;
        assert_eq!(entry.seq, seq(place), "{text} is a new edit");
        // Also at another time, and after an edit of another message.
        let other = edit(one, user(1), seq(2), &format!("{text} {place}"));
        fixture.append_new(vec![other]).await;
        assert_eq!(
            fixture.append_one(at(change, 5_000_000)).await,
            Ok(Appended::Duplicate(entry))
        );
    }
    assert_eq!(fixture.whole(one).await.len(), 16);
}

/// Edits see what stands before them in their batch.
pub async fn edits_bind_the_rest_of_their_batch(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let answers = fixture
        .append(vec![
            edit(one, user(1), seq(1), "too early"),
            message(one, user(1), "x"),
            edit(one, user(1), seq(1), "a"),
            edit(one, user(1), seq(1), "a"),
            edit(one, user(1), seq(1), "b"),
            edit(one, user(2), seq(1), "b"),
            edit(one, user(1), seq(1), "a"),
        ])
        .await;
    let places: Vec<Result<Seq, RefusedEntry>> = answers
        .iter()
        .map(|answer| match answer {
            Ok(Appended::New(entry) | Appended::Duplicate(entry)) => Ok(entry.seq),
            Ok(Appended::Unchanged) => panic!("an edit is never without effect"),
            Err(refused) => Err(*refused),
        })
        .collect();
    let expected = [
        Err(RefusedEntry::NoSuchMessage),
        Ok(seq(1)),
        Ok(seq(2)),
        Ok(seq(2)),
        Ok(seq(3)),
        Err(RefusedEntry::NotItsSender),
        Ok(seq(4)),
    ];
    assert_eq!(places, expected);
    assert!(matches!(answers[3], Ok(Appended::Duplicate(_))));
    assert_eq!(fixture.whole(one).await.len(), 4);
}

/// A retry that overtakes the first try is one edit too.
pub async fn concurrent_repetitions_store_one_edit(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    fixture.append_new(vec![message(one, user(1), "x")]).await;
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let log = Arc::clone(&fixture.log);
        tasks.spawn(async move {
            append(&*log, vec![edit(one, user(1), seq(1), "y")])
                .await
                .remove(0)
        });
    }
    for answer in tasks.join_all().await {
        match answer {
            Ok(Appended::New(entry) | Appended::Duplicate(entry)) => assert_eq!(entry.seq, seq(2)),
            other => panic!("expected the edit, got {other:?}"),
        }
    }
    assert_eq!(fixture.whole(one).await.len(), 2);
}

/// The same edit under a key epoch.
pub(super) fn with_epoch(mut entry: NewEntry, number: i64) -> NewEntry {
    if let NewBody::EditMessage { key_epoch, .. } = &mut entry.body {
        *key_epoch = Some(epoch(number));
    }
    entry
}
