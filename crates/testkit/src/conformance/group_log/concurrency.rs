//! Several callers.

use std::sync::Arc;

use sealroom_domain::{
    Entry, GroupId, UserId,
    ports::{GroupLog, NewEntry},
};
use tokio::task::JoinSet;

use super::{
    GroupLogFixture,
    room::{append, message, new_entry, texts, whole},
};
use crate::conformance::sample::{group, user};

/// Thirty-two tasks append at once: every entry has one place, and no place is empty.
pub async fn concurrent_appenders_get_dense_unique_places(fixture: GroupLogFixture) {
    let groups = [fixture.group(group(1)).await, fixture.group(group(2)).await];
    let mut tasks = JoinSet::new();
    for task in 0..32 {
        let log = Arc::clone(&fixture.log);
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for round in 0..5 {
                let batch =
                    (0..4).map(|index| message(groups[index % 2], user(task + 1), &round.to_string()));
                mine.extend(append_new(&*log, batch.collect()).await);
            }
            mine
        });
    }
    let mut answered: Vec<Entry> = tasks.join_all().await.into_iter().flatten().collect();
    answered.sort_by_key(|entry| (entry.group_id, entry.seq));
    let mut read = fixture.whole(groups[0]).await;
    read.extend(fixture.whole(groups[1]).await);
    assert_eq!(answered.len(), 640);
    assert_eq!(answered, read);
}

/// What one caller appends after another answer comes after it in the log.
pub async fn one_callers_appends_keep_their_order(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let mut tasks = JoinSet::new();
    for sender in 1..=8 {
        let log = Arc::clone(&fixture.log);
        tasks.spawn(async move { append_numbers(&*log, one, user(sender), 20).await });
    }
    tasks.join_all().await;
    let read = fixture.whole(one).await;
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for sender in 1..=8 {
        assert_eq!(texts(&of_sender(&read, user(sender))), expected);
    }
}

/// Batches that touch the same groups in another order end; none waits for the other for ever.
pub async fn concurrent_batches_over_several_groups_do_not_block_each_other(fixture: GroupLogFixture) {
    let mut groups = Vec::new();
    for number in 1..=6 {
        groups.push(fixture.group(group(number)).await);
    }
    let mut tasks = JoinSet::new();
    for task in 0..12 {
        let log = match &fixture.peer {
            Some(peer) if task % 2 == 0 => Arc::clone(peer),
            _ => Arc::clone(&fixture.log),
        };
        let mut groups = groups.clone();
        groups.rotate_left(task % 6);
        if task % 3 == 0 {
            groups.reverse();
        }
        tasks.spawn(async move {
            for _ in 0..10 {
                let batch = groups.iter().map(|group_id| message(*group_id, user(1), "x"));
                append_new(&*log, batch.collect()).await;
            }
        });
    }
    tasks.join_all().await;
    for group_id in groups {
        assert_eq!(fixture.whole(group_id).await.len(), 120);
    }
}

/// Two handles on one store, as two processes have them, share one log. Checked where the fixture has a peer.
pub async fn peers_append_to_the_same_log(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let Some(peer) = fixture.peer.clone() else { return };
    let mut tasks = JoinSet::new();
    for (sender, log) in [(1, Arc::clone(&fixture.log)), (2, Arc::clone(&peer))] {
        for _ in 0..4 {
            let log = Arc::clone(&log);
            tasks.spawn(async move { append_numbers(&*log, one, user(sender), 10).await });
        }
    }
    tasks.join_all().await;
    let read = fixture.whole(one).await;
    assert_eq!(read.len(), 80);
    assert_eq!(whole(&*peer, one).await, read);
}

async fn append_new(log: &dyn GroupLog, batch: Vec<NewEntry>) -> Vec<Entry> {
    append(log, batch).await.into_iter().map(new_entry).collect()
}

async fn append_numbers(log: &dyn GroupLog, group_id: GroupId, sender: UserId, count: usize) {
    for number in 0..count {
        append_new(log, vec![message(group_id, sender, &number.to_string())]).await;
    }
}

fn of_sender(entries: &[Entry], sender: UserId) -> Vec<Entry> {
    entries
        .iter()
        .filter(|entry| entry.message().is_some_and(|message| message.sender_id == sender))
        .cloned()
        .collect()
}
