//! Places, batches, heads.

use std::error::Error;

use sealroom_domain::{
    GroupId, Seq,
    ports::{Appended, Cursor, RefusedEntry},
};

use super::{
    GroupLogFixture,
    room::{ALL, assert_dense, last_seq, message, message_with_id, new_entry, page, texts, whole},
};
use crate::conformance::sample::{group, moment, seq, seqs, user};

/// The log's name does not change with what is appended, and every handle on the store gives the same.
pub async fn log_id_is_stable(fixture: GroupLogFixture) {
    let before = fixture.log.log_id().await.unwrap();
    let one = fixture.group(group(1)).await;
    fixture.append_new(vec![message(one, user(1), "x")]).await;
    assert_eq!(fixture.log.log_id().await.unwrap(), before);
    if let Some(peer) = &fixture.peer {
        assert_eq!(peer.log_id().await.unwrap(), before);
    }
}

/// Each group counts for itself, whatever the batches are.
pub async fn seq_is_dense_from_one_in_each_group(fixture: GroupLogFixture) {
    let groups = [
        fixture.group(group(7)).await,
        fixture.group(group(3)).await,
        fixture.group(group(9)).await,
    ];
    let mut counts = [0; 3];
    for size in [1, 2, 5, 1, 9] {
        let batch = (0..size).map(|index| message(groups[index % 3], user(1), "x"));
        let entries = fixture.append_new(batch.collect()).await;
        for (index, entry) in entries.iter().enumerate() {
            counts[index % 3] += 1;
            assert_eq!(entry.group_id, groups[index % 3]);
            assert_eq!(entry.seq, seq(counts[index % 3]));
        }
    }
    for (group_id, count) in groups.into_iter().zip(counts) {
        assert_eq!(last_seq(&fixture.whole(group_id).await), seq(count));
    }
}

/// Answers come in the order of the batch, and so do the places in each group.
pub async fn batch_order_is_kept(fixture: GroupLogFixture) {
    // The groups are not in the order of their ids, so that a store that sorts them shows.
    let groups = [fixture.group(group(20)).await, fixture.group(group(10)).await];
    let batch = (0..100).map(|number| {
        let sender = user(1 + number % 7);
        message(groups[usize::from(number % 3 == 0)], sender, &number.to_string())
    });
    let answered = fixture.append_new(batch.collect()).await;
    let numbers: Vec<String> = (0..100).map(|number: i64| number.to_string()).collect();
    assert_eq!(texts(&answered), numbers);
    for (group_id, every_third) in [(groups[0], false), (groups[1], true)] {
        let read = fixture.whole(group_id).await;
        let expected: Vec<String> = (0..100)
            .filter(|number: &i64| (number % 3 == 0) == every_third)
            .map(|number| number.to_string())
            .collect();
        assert_eq!(texts(&read), expected);
    }
}

/// Nothing to append is nothing to answer.
pub async fn an_empty_batch_is_answered(fixture: GroupLogFixture) {
    assert!(fixture.log.append(Vec::new()).await.unwrap().is_empty());
}

/// A batch may hold many entries of many groups.
pub async fn a_large_batch_is_one_batch(fixture: GroupLogFixture) {
    let mut groups = Vec::new();
    for number in 1..=50 {
        groups.push(fixture.group(group(number)).await);
    }
    let batch = (0..2_000).map(|number| {
        let id = format!("id-{number}");
        message_with_id(groups[number % 50], user(1), &number.to_string(), &id)
    });
    let answered = fixture.append_new(batch.collect()).await;
    for (index, group_id) in groups.into_iter().enumerate() {
        let read = fixture.whole(group_id).await;
        assert_eq!(read.len(), 40);
        let mine: Vec<_> = answered.iter().skip(index).step_by(50).cloned().collect();
        assert_eq!(read, mine);
    }
}

/// Clocks may jump; places do not.
pub async fn order_is_by_seq_and_not_by_time(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    for (index, offset) in [0, 50, -1_000_000, 7, -5, 7].into_iter().enumerate() {
        let mut entry = message(one, user(1), &index.to_string());
        entry.at = moment(offset);
        fixture.append_new(vec![entry]).await;
    }
    let read = fixture.whole(one).await;
    assert_eq!(texts(&read), ["0", "1", "2", "3", "4", "5"]);
    let newest = fixture.page(one, Cursor::Newest, ALL).await;
    assert_eq!(newest.entries, read);
}

/// What is refused or repeated leaves no gap and does not touch its neighbours.
pub async fn refused_entries_take_no_seq_and_spoil_nothing(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let nowhere = group(999);
    let answers = fixture
        .append(vec![
            message(nowhere, user(1), "lost"),
            message_with_id(one, user(1), "first", "a"),
            message(nowhere, user(1), "lost"),
            message_with_id(one, user(1), "other", "a"),
            message_with_id(one, user(1), "first", "a"),
            message(one, user(1), "second"),
        ])
        .await;
    assert_eq!(answers[0], Err(RefusedEntry::UnknownGroup));
    assert_eq!(answers[2], Err(RefusedEntry::UnknownGroup));
    assert_eq!(answers[3], Err(RefusedEntry::IdempotencyConflict));
    assert!(matches!(&answers[4], Ok(Appended::Duplicate(_))));
    let accepted = [new_entry(answers[1].clone()), new_entry(answers[5].clone())];
    assert_dense(&accepted, 1);
    assert_eq!(fixture.whole(one).await, accepted);
    let next = fixture.append_new(vec![message(one, user(1), "third")]).await;
    assert_dense(&next, 3);
    let unknown = fixture.log.read(nowhere, Cursor::Newest, ALL).await.unwrap();
    assert_eq!(unknown, None, "an append makes no group");
}

/// A head is the place of the last entry, and 0 in an empty log.
pub async fn heads_are_the_last_places(fixture: GroupLogFixture) {
    let [one, two, three] = [
        fixture.group(group(1)).await,
        fixture.group(group(2)).await,
        fixture.group(group(3)).await,
    ];
    let batch = [one, two, one, one].map(|group_id| message(group_id, user(1), "x"));
    fixture.append_new(batch.into()).await;
    assert_eq!(
        heads(&fixture, &[three, one, two]).await,
        [(one, seq(3)), (two, seq(1)), (three, Seq::ZERO)]
    );
    assert_eq!(heads(&fixture, &[two]).await, [(two, seq(1))]);
}

/// A group that does not exist has no head, and asking for none is no error.
pub async fn heads_leave_unknown_groups_out(fixture: GroupLogFixture) {
    let one = fixture.group(group(5)).await;
    assert_eq!(
        heads(&fixture, &[group(4), one, group(6)]).await,
        [(one, Seq::ZERO)]
    );
    assert_eq!(heads(&fixture, &[group(4)]).await, []);
    assert_eq!(heads(&fixture, &[]).await, []);
}

/// The number of groups in one question is not limited by the store.
pub async fn many_heads_are_one_question(fixture: GroupLogFixture) {
    let known = fixture.group(group(40_001)).await;
    let asked: Vec<GroupId> = (1..=40_001).map(group).collect();
    assert_eq!(heads(&fixture, &asked).await, [(known, Seq::ZERO)]);
}

/// Whoever asks after an append returned sees it, through every handle.
pub async fn an_append_is_visible_when_it_returned(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let peer = fixture.peer.as_ref().unwrap_or(&fixture.log);
    for number in 1..=50 {
        let entry = fixture
            .append_new(vec![message(one, user(1), "x")])
            .await
            .remove(0);
        assert_eq!(heads(&fixture, &[one]).await, [(one, seq(number))]);
        let newest = page(&**peer, one, Cursor::Newest, ALL).await;
        assert_eq!(newest.entries.last(), Some(&entry));
    }
    let read: Vec<Seq> = whole(&**peer, one).await.iter().map(|entry| entry.seq).collect();
    assert_eq!(read, seqs(1..=50));
}

/// While the store is unreachable every method fails, and says why to the log but not to the client. Checked where
/// the fixture can cause an outage.
pub async fn errors_keep_a_source(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(outage) = &fixture.outage else { return };
    outage.call(()).await;
    let secret = "ciphertext-that-no-error-may-show";
    let errors = [
        fixture
            .log
            .append(vec![message(one, user(1), secret)])
            .await
            .err(),
        fixture.log.read(one, Cursor::Newest, ALL).await.err(),
        fixture.log.heads(&[one]).await.err(),
    ];
    for error in errors {
        let error = error.expect("the store is unreachable");
        let source = error.source().expect("an error has a source");
        assert!(!source.to_string().is_empty());
        assert!(!error.to_string().contains(&source.to_string()));
        assert!(!format!("{error:?}").contains(secret));
    }
}

/// Sorted by group.
async fn heads(fixture: &GroupLogFixture, groups: &[GroupId]) -> Vec<(GroupId, Seq)> {
    let mut heads = fixture.log.heads(groups).await.unwrap();
    heads.sort_unstable();
    heads
}
