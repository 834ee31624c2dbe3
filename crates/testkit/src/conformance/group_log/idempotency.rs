//! Repetitions.

use std::sync::Arc;

use sealroom_domain::{
    Entry,
    ports::{Appended, NewBody, NewEntry, RefusedEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupLogFixture,
    room::{append, assert_dense, message, message_with_id, new_entry, texts},
};
use crate::conformance::sample::{display_name, epoch, group, moment, user};

/// A retry is harmless: it answers the entry of the first time.
pub async fn a_repetition_in_a_later_batch_answers_the_first_entry(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let first = fixture
        .append_new(vec![message_with_id(one, user(1), "x", "a")])
        .await
        .remove(0);
    fixture.append_new(vec![message(one, user(2), "between")]).await;
    // A retry comes later, and perhaps under another name: that is not another message.
    let mut again = message_with_id(one, user(1), "x", "a");
    again.at = moment(5_000_000);
    if let NewBody::Message { sender_name, .. } = &mut again.body {
        *sender_name = display_name("renamed since");
    }
    for _ in 0..3 {
        assert_eq!(
            fixture.append_one(again.clone()).await,
            Ok(Appended::Duplicate(first.clone()))
        );
    }
    assert_eq!(fixture.whole(one).await.len(), 2);
}

/// Two of one kind in one batch are one message.
pub async fn a_repetition_in_the_same_batch_answers_the_first_entry(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let answers = fixture
        .append(vec![
            message_with_id(one, user(1), "x", "a"),
            message_with_id(one, user(1), "x", "a"),
            message_with_id(one, user(1), "y", "b"),
            message_with_id(one, user(1), "x", "a"),
        ])
        .await;
    let first = new_entry(answers[0].clone());
    let other = new_entry(answers[2].clone());
    assert_eq!(answers[1], Ok(Appended::Duplicate(first.clone())));
    assert_eq!(answers[3], Ok(Appended::Duplicate(first.clone())));
    assert_eq!(fixture.whole(one).await, [first, other]);
}

/// An id is remembered for as long as its message is stored.
pub async fn a_repetition_is_found_after_many_messages(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let first = fixture
        .append_new(vec![message_with_id(one, user(1), "x", "first")])
        .await
        .remove(0);
    for round in 0..4 {
        let batch = (0..500).map(|number| {
            let id = format!("{round}-{number}");
            message_with_id(one, user(1), "x", &id)
        });
        fixture.append_new(batch.collect()).await;
    }
    let again = message_with_id(one, user(1), "x", "first");
    assert_eq!(fixture.append_one(again).await, Ok(Appended::Duplicate(first)));
}

/// Fifty retries at once make one message.
pub async fn concurrent_repetitions_store_one_message(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let mut tasks = JoinSet::new();
    for number in 0..50 {
        let log = match &fixture.peer {
            Some(peer) if number % 2 == 0 => Arc::clone(peer),
            _ => Arc::clone(&fixture.log),
        };
        tasks.spawn(async move {
            let batch = vec![message_with_id(one, user(1), "x", "a")];
            append(&*log, batch).await.remove(0)
        });
    }
    let answers = tasks.join_all().await;
    let new: Vec<&Entry> = answers
        .iter()
        .filter_map(|answer| match answer {
            Ok(Appended::New(entry)) => Some(entry),
            _ => None,
        })
        .collect();
    assert_eq!(new.len(), 1, "one of the fifty is the first");
    for answer in &answers {
        assert!(matches!(answer, Ok(Appended::New(entry) | Appended::Duplicate(entry)) if entry == new[0]));
    }
    assert_eq!(fixture.whole(one).await, [new[0].clone()]);
}

/// One id names one content, in the same batch and later.
pub async fn other_content_under_the_same_id_is_a_conflict(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let conflict = Err(RefusedEntry::IdempotencyConflict);
    let answers = fixture
        .append(vec![
            message_with_id(one, user(1), "x", "a"),
            message_with_id(one, user(1), "X", "a"),
        ])
        .await;
    assert_eq!(answers[1], conflict);
    for other in ["X", "x ", "x\u{301}", "y"] {
        let again = message_with_id(one, user(1), other, "a");
        assert_eq!(fixture.append_one(again).await, conflict);
    }
    assert_eq!(texts(&fixture.whole(one).await), ["x"]);
}

/// The same ciphertext under another key is another message.
pub async fn another_key_epoch_under_the_same_id_is_a_conflict(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let epochs = [None, Some(0), Some(1), Some(2)];
    for (index, first) in epochs.into_iter().enumerate() {
        let id = format!("id-{index}");
        let with_epoch = |number: Option<i64>| -> NewEntry {
            let mut entry = message_with_id(one, user(1), "x", &id);
            if let NewBody::Message { key_epoch, .. } = &mut entry.body {
                *key_epoch = number.map(epoch);
            }
            entry
        };
        fixture.append_new(vec![with_epoch(first)]).await;
        for again in epochs {
            let answer = fixture.append_one(with_epoch(again)).await;
            if again == first {
                assert!(matches!(answer, Ok(Appended::Duplicate(_))));
            } else {
                assert_eq!(answer, Err(RefusedEntry::IdempotencyConflict));
            }
        }
    }
    assert_dense(&fixture.whole(one).await, 1);
}

/// Other senders and other groups have ids of their own.
pub async fn client_ids_are_scoped_to_group_and_sender(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    let entries = [(one, 1), (one, 2), (two, 1), (two, 2)]
        .map(|(group_id, sender)| message_with_id(group_id, user(sender), &format!("from {sender}"), "a"));
    let first = fixture.append_new(entries.to_vec()).await;
    let again = fixture.append(entries.to_vec()).await;
    let duplicates: Vec<_> = first
        .iter()
        .map(|entry| Ok(Appended::Duplicate(entry.clone())))
        .collect();
    assert_eq!(again, duplicates);
    assert_eq!(fixture.whole(one).await, first[..2]);
    assert_eq!(fixture.whole(two).await, first[2..]);
}

/// Ids that look alike are different ids.
pub async fn client_ids_are_compared_byte_for_byte(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let ids = ["a", "A", "a ", " a", "1", "01", "1.0", "a%", "a_"];
    let batch = ids.map(|id| message_with_id(one, user(1), "x", id));
    let entries = fixture.append_new(batch.into()).await;
    assert_dense(&entries, 1);
    for (id, entry) in ids.into_iter().zip(entries) {
        let again = message_with_id(one, user(1), "x", id);
        assert_eq!(fixture.append_one(again).await, Ok(Appended::Duplicate(entry)));
    }
}

/// Without an id nothing is a repetition.
pub async fn messages_without_client_id_are_never_repetitions(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let same = message(one, user(1), "x");
    fixture.append_new(vec![same.clone(), same.clone()]).await;
    fixture.append_new(vec![same]).await;
    assert_eq!(fixture.whole(one).await.len(), 3);
}

/// What was refused was never there.
pub async fn a_refused_message_does_not_take_its_client_id(fixture: GroupLogFixture) {
    let one = group(1);
    let entry = message_with_id(one, user(1), "x", "a");
    assert_eq!(
        fixture.append_one(entry.clone()).await,
        Err(RefusedEntry::UnknownGroup)
    );
    fixture.group(one).await;
    let other = message_with_id(one, user(1), "y", "a");
    fixture.append_new(vec![other]).await;
    assert_eq!(
        fixture.append_one(entry).await,
        Err(RefusedEntry::IdempotencyConflict)
    );
}
