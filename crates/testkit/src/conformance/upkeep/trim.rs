//! Which entries are forgotten.

use std::sync::Arc;

use sealroom_domain::{
    Entry, GroupId, Retention, Seq,
    ports::{NewEntry, Trimmed},
};
use tokio::task::JoinSet;

use super::{UpkeepFixture, age, count, secs};
use crate::conformance::{
    entries::{assert_dense, at, message},
    sample::{group_name, moment, seq, user},
};

/// Without a rule a log is kept for ever.
pub async fn without_a_rule_nothing_is_forgotten(fixture: UpkeepFixture) {
    let (one, entries) = filled(&fixture, 1, 10).await;
    fixture.group(2).await;
    assert_eq!(fixture.trim(Retention::default(), secs(1_000_000_000)).await, 0);
    assert_eq!(fixture.left(one).await, entries);
}

/// The last ones stay, as many as the rule says.
pub async fn entries_beyond_the_count_are_forgotten(fixture: UpkeepFixture) {
    let (one, entries) = filled(&fixture, 1, 10).await;
    let (two, few) = filled(&fixture, 2, 3).await;
    for (kept, forgotten) in [(10, 0), (11, 0), (7, 3), (7, 0), (8, 0), (3, 4)] {
        assert_eq!(fixture.trim(count(kept), secs(0)).await, forgotten, "{kept} kept");
        let kept = usize::try_from(kept).unwrap().min(fixture.left(one).await.len());
        assert_eq!(fixture.left(one).await, entries[10 - kept..]);
    }
    assert_eq!(fixture.left(two).await, few);
}

/// What is older than the age goes, what is exactly as old stays.
pub async fn entries_older_than_the_age_are_forgotten(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let batch = (1..=10).map(|second| at(message(one, user(1), "x"), second * 1_000_000));
    let entries = fixture.append_new(batch.collect()).await;
    for (now, left) in [(10, 10), (61, 10), (62, 9), (65, 6), (63, 6)] {
        fixture.trim(age(60), secs(now)).await;
        assert_eq!(fixture.left(one).await, entries[10 - left..], "at {now}");
    }
    let just_later = moment(65_000_001);
    fixture.trim(age(60), just_later).await;
    assert_eq!(fixture.left(one).await, entries[5..], "one microsecond is enough");
}

/// Clocks jump: an entry that is kept keeps all after it, since a log is forgotten from its beginning only.
pub async fn an_entry_that_is_kept_keeps_those_after_it(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let batch = [1, 2, 100, 3, 4].map(|second| at(message(one, user(1), "x"), second * 1_000_000));
    let entries = fixture.append_new(batch.to_vec()).await;
    assert_eq!(fixture.trim(age(10), secs(105)).await, 2);
    assert_eq!(fixture.left(one).await, entries[2..]);
}

/// Where both rules hold, the shorter of each does, whosesoever it is.
pub async fn the_shorter_rule_holds(fixture: UpkeepFixture) {
    let rows = [
        (1, count(5), count(3), 3),
        (2, count(3), count(5), 3),
        (3, Retention::default(), count(4), 4),
        (4, count(4), Retention::default(), 4),
        (5, age(4), age(100), 5),
        (6, age(100), age(4), 5),
        (7, age(4), count(2), 2),
        (8, count(8), age(4), 5),
    ];
    for (number, own, servers, left) in rows {
        let one = fixture.group_with(number, own).await;
        let batch = (1..=10).map(|second| at(message(one, user(1), "x"), second * 1_000_000));
        let entries = fixture.append_new(batch.collect()).await;
        fixture.trim(servers, secs(10)).await;
        let expected = &entries[10 - left..];
        assert_eq!(fixture.left(one).await, expected, "{own:?} and {servers:?}");
        fixture.groups.delete(one, secs(0)).await.unwrap();
    }
}

/// A group's own rule is its own.
pub async fn a_groups_rule_is_its_own(fixture: UpkeepFixture) {
    let (one, entries) = filled(&fixture, 1, 5).await;
    let own = fixture.group_with(2, count(2)).await;
    fixture.append_new(messages(own, 5)).await;
    let (three, others) = filled(&fixture, 3, 5).await;
    assert_eq!(fixture.trim(Retention::default(), secs(0)).await, 3);
    assert_eq!(fixture.left(one).await, entries);
    assert_eq!(fixture.left(own).await.len(), 2);
    assert_eq!(fixture.left(three).await, others);
}

/// The head stays the place of an entry, however old that is, and the log goes on behind it.
pub async fn the_last_entry_stays(fixture: UpkeepFixture) {
    let (one, entries) = filled(&fixture, 1, 5).await;
    let empty = fixture.group(2).await;
    for rule in [count(1), age(0), age(1)] {
        fixture.trim(rule, secs(1_000_000_000)).await;
        assert_eq!(fixture.left(one).await, entries[4..], "{rule:?}");
        assert_eq!(fixture.left(empty).await, []);
    }
    let heads = fixture.log.heads(&[one]).await.unwrap();
    assert_eq!(heads, [(one, seq(5))]);
    let next = fixture.append_new(messages(one, 1)).await;
    assert_eq!(next[0].seq, seq(6));
    let both = [entries[4].clone(), next[0].clone()];
    assert_eq!(fixture.left(one).await, both);
}

/// Many groups and long logs take many steps, each of which is bounded, and then it is over.
pub async fn a_step_is_bounded_and_goes_on_behind_it(fixture: UpkeepFixture) {
    let mut groups = Vec::new();
    for number in 1..=150 {
        let group_id = fixture.group(number * 7).await;
        fixture.append_new(messages(group_id, 4)).await;
        groups.push(group_id);
    }
    let (long, _) = filled(&fixture, 5, 2_600).await;
    let mut after = None;
    let mut seen = 0;
    loop {
        let trimmed = fixture.step(after, count(2), secs(0)).await;
        assert!(
            trimmed.entries <= 2 * Trimmed::ENTRIES,
            "about {} entries a step, not {}",
            Trimmed::ENTRIES,
            trimmed.entries
        );
        seen += 1;
        assert!(seen < 1_000, "a round ends");
        after = trimmed.next;
        if after.is_none() {
            break;
        }
    }
    fixture.trim(count(2), secs(0)).await;
    for group_id in groups.into_iter().chain([long]) {
        assert_eq!(fixture.left(group_id).await.len(), 2);
    }
    let last = fixture.step(Some(crate::conformance::sample::group(5_000)), count(1), secs(0));
    let nothing = Trimmed {
        next: None,
        entries: 0,
    };
    assert_eq!(last.await, nothing, "behind the last group there is nothing");
}

/// A step looks at the groups behind the place it is given, and at no other.
pub async fn a_step_begins_behind_a_group(fixture: UpkeepFixture) {
    let (one, entries) = filled(&fixture, 1, 5).await;
    let (two, others) = filled(&fixture, 2, 5).await;
    assert_eq!(fixture.step(Some(two), count(2), secs(0)).await.entries, 0);
    assert_eq!(fixture.left(two).await, others);
    assert_eq!(fixture.step(Some(one), count(2), secs(0)).await.entries, 3);
    assert_eq!(fixture.left(one).await, entries);
    assert_eq!(fixture.left(two).await, others[3..]);
}

/// The entries of a deleted group leave the store, and those of a group put in its place do not.
pub async fn deleted_groups_are_cleared_away(fixture: UpkeepFixture) {
    let (one, _) = filled(&fixture, 1, 5).await;
    let (two, _) = filled(&fixture, 2, 4).await;
    let (three, entries) = filled(&fixture, 3, 3).await;
    for group_id in [one, two] {
        fixture.groups.delete(group_id, secs(0)).await.unwrap();
    }
    let name = group_name("again");
    assert!(fixture.groups.put(two, &name, secs(0)).await.unwrap());
    let again = fixture.append_new(messages(two, 2)).await;
    // A store may have cleared away the former group's entries when another group took its id.
    let forgotten = fixture.trim(Retention::default(), secs(0)).await;
    assert!([5, 9].contains(&forgotten), "{forgotten}");
    assert_eq!(fixture.left(two).await, again);
    assert_eq!(fixture.left(three).await, entries);
    assert_eq!(fixture.log.heads(&[one]).await.unwrap(), []);
    // The places of the former group stay taken, and so does one after them.
    assert!(fixture.groups.put(one, &name, secs(0)).await.unwrap());
    assert_eq!(fixture.append_new(messages(one, 1)).await[0].seq, seq(7));
}

/// Several who take steps at the same time, beside those who append, forget the same as one alone.
pub async fn concurrent_steps_forget_once(fixture: UpkeepFixture) {
    let (one, _) = filled(&fixture, 1, 50).await;
    let (two, _) = filled(&fixture, 2, 50).await;
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let upkeep = Arc::clone(&fixture.upkeep);
        tasks.spawn(async move {
            let mut entries = 0;
            for _ in 0..10 {
                let trimmed = upkeep.trim(None, count(20), secs(0)).await.unwrap();
                entries += trimmed.entries;
                tokio::task::yield_now().await;
            }
            entries
        });
    }
    let log = Arc::clone(&fixture.log);
    tasks.spawn(async move {
        for _ in 0..10 {
            let batch = vec![message(one, user(2), "y"), message(two, user(2), "y")];
            assert!(log.append(batch).await.unwrap().iter().all(Result::is_ok));
            tokio::task::yield_now().await;
        }
        0
    });
    let mut forgotten: u64 = tasks.join_all().await.into_iter().sum();
    forgotten += fixture.trim(count(20), secs(0)).await;
    assert_eq!(forgotten, 80);
    for group_id in [one, two] {
        let left = fixture.left(group_id).await;
        assert_dense(&left, 41);
        assert_eq!(left.len(), 20);
    }
}

pub(super) fn messages(group_id: GroupId, entries: usize) -> Vec<NewEntry> {
    (0..entries).map(|_| message(group_id, user(1), "x")).collect()
}

/// A group with so many messages.
pub(super) async fn filled(fixture: &UpkeepFixture, number: i64, entries: usize) -> (GroupId, Vec<Entry>) {
    let group_id = fixture.group(number).await;
    let stored = fixture.append_new(messages(group_id, entries)).await;
    assert_eq!(stored.first().map_or(Seq::ZERO, |entry| entry.seq), seq(1));
    (group_id, stored)
}
