//! Logs whose beginning is forgotten.

use sealroom_domain::{
    Seq,
    ports::{Cursor, OfOthers, PageLimit, RefusedEntry},
};

use super::{UpkeepFixture, count, secs, trim::filled};
use crate::conformance::{
    entries::{delete, edit, message, message_with_id, new_entry},
    sample::{seq, user},
};

/// A log says by its first place what is missing, on every page, and reads from there on as if nothing were.
pub async fn a_trimmed_log_says_so(fixture: UpkeepFixture) {
    let (one, entries) = filled(&fixture, 1, 10).await;
    fixture.trim(count(4), secs(0)).await;
    let rows = [
        (Cursor::After(Seq::ZERO), 6..10),
        (Cursor::After(seq(3)), 6..10),
        (Cursor::After(seq(6)), 6..10),
        (Cursor::After(seq(8)), 8..10),
        (Cursor::After(seq(10)), 10..10),
        (Cursor::Before(seq(100)), 6..10),
        (Cursor::Before(seq(9)), 6..8),
        (Cursor::Before(seq(7)), 6..6),
        (Cursor::Before(seq(3)), 6..6),
        (Cursor::Newest, 6..10),
    ];
    for (cursor, expected) in rows {
        let page = fixture.page(one, cursor).await;
        assert_eq!(page.entries, entries[expected], "{cursor:?}");
        assert!(!page.has_more, "{cursor:?}");
        assert_eq!((page.head, page.first), (seq(10), seq(7)), "{cursor:?}");
    }
    for (size, first) in [(1, 9), (3, 7), (4, 6), (5, 6)] {
        let limit = PageLimit {
            entries: size,
            bytes: usize::MAX,
        };
        let page = fixture.log.read(one, Cursor::Newest, limit).await.unwrap();
        let page = page.expect("the group is there");
        assert_eq!(page.entries, entries[first..]);
        assert_eq!(page.has_more, size < 4, "nothing is before the first place");
    }
    let messages = fixture.messages(one).await;
    assert_eq!(messages.messages.len(), 4);
    assert!(!messages.has_more);
    assert_eq!((messages.head, messages.first), (seq(10), seq(7)));
}

/// A forgotten message is no message any more, whatever of its edits is left.
pub async fn a_forgotten_message_cannot_be_changed(fixture: UpkeepFixture) {
    let (one, _) = filled(&fixture, 1, 2).await;
    fixture
        .append_new(vec![
            edit(one, user(1), seq(1), "edited"),
            message(one, user(1), "y"),
        ])
        .await;
    fixture.trim(count(2), secs(0)).await;
    let before = fixture.left(one).await;
    let refused = fixture
        .append(vec![
            edit(one, user(1), seq(1), "edited"),
            edit(one, user(1), seq(2), "again"),
            delete(one, user(1), seq(1), OfOthers::Always),
        ])
        .await;
    for answer in refused {
        assert_eq!(answer, Err(RefusedEntry::NoSuchMessage));
    }
    assert_eq!(fixture.left(one).await, before);
    let messages = fixture.messages(one).await.messages;
    assert_eq!(messages.len(), 1, "an edit alone is no message");
    assert_eq!(messages[0].entry, before[1]);
}

/// A client id is unique for as long as its message is stored, and no longer.
pub async fn the_client_id_of_a_forgotten_message_is_free(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let sent = fixture
        .append_new(vec![
            message_with_id(one, user(1), "x", "c-1"),
            message_with_id(one, user(1), "y", "c-2"),
        ])
        .await;
    fixture.trim(count(1), secs(0)).await;
    let answers = fixture
        .append(vec![
            message_with_id(one, user(1), "other", "c-1"),
            message_with_id(one, user(1), "y", "c-2"),
        ])
        .await;
    assert_eq!(new_entry(answers[0].clone()).seq, seq(3));
    assert_eq!(
        answers[1],
        Ok(sealroom_domain::ports::Appended::Duplicate(sent[1].clone())),
        "what is still there is still known"
    );
}
