//! Reading.

use std::sync::Arc;

use sealroom_domain::{
    Entry, GroupId, MAX_SAFE_INTEGER, Seq,
    ports::{Cursor, Page, PageLimit},
};
use tokio::task::JoinSet;

use super::{
    GroupLogFixture,
    room::{ALL, append, assert_dense, last_seq, message, page, texts},
};
use crate::conformance::sample::{group, seq, user};

/// A group that does not exist has no page, whatever the cursor.
pub async fn an_unknown_group_has_no_page(fixture: GroupLogFixture) {
    fixture.group(group(1)).await;
    for cursor in cursors() {
        let read = fixture.log.read(group(2), cursor, ALL).await;
        assert_eq!(read.unwrap(), None);
    }
}

/// A group without entries has a page without entries.
pub async fn an_empty_group_has_an_empty_page(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let empty = Page {
        entries: Vec::new(),
        has_more: false,
        head: Seq::ZERO,
        first: seq(1),
    };
    for cursor in cursors() {
        assert_eq!(fixture.page(one, cursor, ALL).await, empty);
    }
}

/// Reading on from the last entry of each page gives every entry once, in order, and `has_more` says when to stop.
pub async fn pages_after_a_cursor_cover_the_log(fixture: GroupLogFixture) {
    let (one, entries) = filled(&fixture, 30).await;
    for size in [1, 2, 3, 7, 29, 30, 31, 500] {
        let mut read: Vec<Entry> = Vec::new();
        loop {
            let page = fixture
                .page(one, Cursor::After(last_seq(&read)), limit(size))
                .await;
            assert_eq!(
                page.entries.len(),
                size.min(30 - read.len()),
                "a page is full where it can be"
            );
            assert_eq!((page.head, page.first), (seq(30), seq(1)));
            read.extend(page.entries);
            assert_eq!(page.has_more, read.len() < 30);
            if !page.has_more {
                break;
            }
        }
        assert_eq!(read, entries);
    }
}

/// The same backwards; the entries of each page ascend.
pub async fn pages_before_a_cursor_cover_the_log(fixture: GroupLogFixture) {
    let (one, entries) = filled(&fixture, 30).await;
    for size in [1, 2, 3, 7, 29, 30, 31, 500] {
        let mut read: Vec<Entry> = Vec::new();
        let mut cursor = Cursor::Before(seq(31));
        loop {
            let page = fixture.page(one, cursor, limit(size)).await;
            assert_eq!(
                page.entries.len(),
                size.min(30 - read.len()),
                "a page is full where it can be"
            );
            assert_eq!((page.head, page.first), (seq(30), seq(1)));
            cursor = Cursor::Before(page.entries[0].seq);
            read.splice(0..0, page.entries);
            assert_eq!(page.has_more, read.len() < 30);
            if !page.has_more {
                break;
            }
        }
        assert_eq!(read, entries);
    }
}

/// Without a cursor a page ends at the head.
pub async fn the_newest_page_ends_the_log(fixture: GroupLogFixture) {
    let (one, entries) = filled(&fixture, 10).await;
    for size in [1, 4, 9, 10, 11] {
        let page = fixture.page(one, Cursor::Newest, limit(size)).await;
        assert_eq!(page.entries, entries[10_usize.saturating_sub(size)..]);
        assert_eq!(page.has_more, size < 10);
        assert_eq!((page.head, page.first), (seq(10), seq(1)));
    }
}

/// A cursor need not be a place of the log.
pub async fn cursors_beyond_the_log_give_empty_pages(fixture: GroupLogFixture) {
    let (one, entries) = filled(&fixture, 5).await;
    let nothing = [
        Cursor::After(seq(5)),
        Cursor::After(seq(6)),
        Cursor::After(seq(MAX_SAFE_INTEGER)),
        Cursor::Before(seq(0)),
        Cursor::Before(seq(1)),
    ];
    for cursor in nothing {
        let page = fixture.page(one, cursor, ALL).await;
        assert_eq!(page.entries, [], "{cursor:?}");
        assert!(!page.has_more, "{cursor:?}");
        assert_eq!((page.head, page.first), (seq(5), seq(1)), "{cursor:?}");
    }
    for cursor in [Cursor::Before(seq(6)), Cursor::Before(seq(MAX_SAFE_INTEGER))] {
        let page = fixture.page(one, cursor, limit(2)).await;
        assert_eq!(page.entries, entries[3..], "{cursor:?}");
        assert!(page.has_more, "{cursor:?}");
    }
}

/// A page holds as many entries as fit into its bytes by their weight, in the direction of reading.
pub async fn a_page_ends_at_its_byte_limit(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    // Quotes weigh twice as much as their bytes: a store that counts bytes shows.
    let batch = (1..=20).map(|size| message(one, user(1), &"\"".repeat(size * 37)));
    let entries = fixture.append_new(batch.collect()).await;
    let weights: Vec<usize> = entries.iter().map(Entry::weight).collect();
    let total: usize = weights.iter().sum();
    let exact: usize = weights[..6].iter().sum();
    for bytes in [weights[0], exact - 1, exact, exact + 1, total - 1, total] {
        let limit = PageLimit { entries: 500, bytes };
        let after = fixture.page(one, Cursor::After(Seq::ZERO), limit).await;
        let fits = fitting(weights.iter(), bytes);
        assert_eq!(after.entries, entries[..fits]);
        assert_eq!(after.has_more, fits < 20);
        for cursor in [Cursor::Newest, Cursor::Before(seq(21))] {
            let before = fixture.page(one, cursor, limit).await;
            let fits = fitting(weights.iter().rev(), bytes);
            assert_eq!(before.entries, entries[20 - fits..]);
            assert_eq!(before.has_more, fits < 20);
        }
    }
}

/// A heavy entry stops nobody: pages go on one by one.
pub async fn the_first_entry_is_given_however_heavy(fixture: GroupLogFixture) {
    let (one, entries) = filled(&fixture, 6).await;
    let tiny = PageLimit {
        entries: 500,
        bytes: 1,
    };
    let mut read = Vec::new();
    for place in 0..6 {
        let page = fixture.page(one, Cursor::After(seq(place)), tiny).await;
        assert_eq!(page.entries.len(), 1);
        assert_eq!(page.has_more, place < 5);
        read.extend(page.entries);
    }
    assert_eq!(read, entries);
    for (cursor, place) in [(Cursor::Newest, 6), (Cursor::Before(seq(4)), 3)] {
        let page = fixture.page(one, cursor, tiny).await;
        assert_eq!(page.entries, [entries[place - 1].clone()]);
        assert!(page.has_more);
    }
}

/// A page never holds an entry of another group.
pub async fn pages_hold_one_group_only(fixture: GroupLogFixture) {
    let groups = [
        fixture.group(group(1)).await,
        fixture.group(group(2)).await,
        fixture.group(group(11)).await,
    ];
    let batch =
        (0..30).map(|index| message(groups[index % 3], user(1), &format!("of {}", groups[index % 3])));
    fixture.append_new(batch.collect()).await;
    for group_id in groups {
        let expected = vec![format!("of {group_id}"); 10];
        assert_eq!(texts(&fixture.whole(group_id).await), expected);
        let newest = fixture.page(group_id, Cursor::Newest, limit(20)).await;
        assert_eq!(texts(&newest.entries), expected);
        assert!(newest.entries.iter().all(|entry| entry.group_id == group_id));
    }
}

/// A reader that follows the log while others write misses nothing and sees nothing twice; each page is a true
/// picture of one moment.
pub async fn pages_have_no_gap_under_concurrent_appends(fixture: GroupLogFixture) {
    const WRITERS: usize = 4;
    const BATCHES: usize = 25;
    let one = fixture.group(group(1)).await;
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(&fixture.log);
        tasks.spawn(async move {
            for _ in 0..BATCHES {
                let sender = user(i64::try_from(writer).unwrap() + 1);
                let batch = (0..3).map(|_| message(one, sender, "x")).collect();
                append(&*log, batch).await;
                tokio::task::yield_now().await;
            }
        });
    }
    let mut read: Vec<Entry> = Vec::new();
    while read.len() < WRITERS * BATCHES * 3 {
        while let Some(writer) = tasks.try_join_next() {
            writer.unwrap();
        }
        let all_written = tasks.is_empty();
        let after = page(&*fixture.log, one, Cursor::After(last_seq(&read)), limit(7)).await;
        assert!(!all_written || !after.entries.is_empty(), "entries are missing");
        read.extend(after.entries);
        assert_dense(&read, 1);
        assert!(after.head >= last_seq(&read));
        assert_eq!(after.has_more, last_seq(&read) < after.head);
        let newest = page(&*fixture.log, one, Cursor::Newest, limit(5)).await;
        assert!(newest.head >= after.head, "the log only grows");
        assert_eq!(last_seq(&newest.entries), newest.head);
        if let Some(first) = newest.entries.first() {
            assert_dense(&newest.entries, first.seq.get());
        }
        tokio::task::yield_now().await;
    }
    tasks.join_all().await;
    assert_eq!(fixture.whole(one).await, read);
}

async fn filled(fixture: &GroupLogFixture, count: usize) -> (GroupId, Vec<Entry>) {
    let one = fixture.group(group(1)).await;
    let batch = (0..count).map(|number| message(one, user(1), &number.to_string()));
    let entries = fixture.append_new(batch.collect()).await;
    assert_dense(&entries, 1);
    (one, entries)
}

fn limit(entries: usize) -> PageLimit {
    PageLimit {
        entries,
        bytes: 512 * 1024,
    }
}

/// How many weights fit: at least one.
fn fitting<'a>(weights: impl Iterator<Item = &'a usize>, bytes: usize) -> usize {
    let mut sum = 0;
    weights
        .take_while(|weight| {
            sum += *weight;
            sum <= bytes
        })
        .count()
        .max(1)
}

fn cursors() -> [Cursor; 6] {
    [
        Cursor::After(Seq::ZERO),
        Cursor::After(seq(5)),
        Cursor::Before(Seq::ZERO),
        Cursor::Before(seq(1)),
        Cursor::Before(seq(5)),
        Cursor::Newest,
    ]
}
