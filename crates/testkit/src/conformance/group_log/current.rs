//! Messages as they stand.

use sealroom_domain::{
    Entry, EntryBody, MAX_SAFE_INTEGER, Role,
    ports::{CurrentMessage, Cursor, OfOthers, PageLimit},
};

use super::{
    GroupLogFixture,
    edits::with_epoch,
    room::{ALL, UNCHECKED, delete, edit, message, set_member},
};
use crate::conformance::sample::{content, epoch, group, seq, user};

/// Absence is no error, and an empty group is not absent.
pub async fn only_a_group_has_a_page_of_messages(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    for cursor in [Cursor::Newest, Cursor::After(seq(0)), Cursor::Before(seq(9))] {
        let nowhere = fixture.log.messages(group(999), cursor, ALL).await.unwrap();
        assert_eq!(nowhere, None);
        let page = fixture.messages(one, cursor, ALL).await;
        assert_eq!((page.messages, page.has_more), (Vec::new(), false));
        assert_eq!((page.head, page.first), (seq(0), seq(1)));
    }
}

/// A message has the content and key epoch of its last edit, keeps the rest, and is not there once it is deleted.
/// Other entries never are.
pub async fn messages_are_shown_as_they_stand(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let two = fixture.group(group(2)).await;
    fixture.append_new(vec![message(two, user(1), "elsewhere")]).await;
    let entries = fixture
        .append_new(vec![
            set_member(one, user(1), user(1), Role::Owner, UNCHECKED),
            message(one, user(1), "as it was sent"),
            message(one, user(2), "first"),
            message(one, user(1), "deleted"),
            with_epoch(edit(one, user(2), seq(3), "second"), 4),
            message(one, user(1), "edited once"),
            edit(one, user(2), seq(3), "third"),
            with_epoch(edit(one, user(1), seq(6), "with a key"), 9),
            edit(one, user(1), seq(4), "edited and deleted"),
        ])
        .await;
    fixture
        .append_new(vec![delete(one, user(1), seq(4), OfOthers::Never)])
        .await;
    let expected = [
        as_sent(&entries[1]),
        edited(&entries[2], "third", None, 7),
        edited(&entries[5], "with a key", Some(9), 8),
    ];
    for cursor in [Cursor::After(seq(0)), Cursor::Newest, Cursor::Before(seq(100))] {
        let page = fixture.messages(one, cursor, ALL).await;
        assert_eq!(page.messages, expected, "{cursor:?}");
        assert!(!page.has_more);
        assert_eq!((page.head, page.first), (seq(10), seq(1)));
    }
}

/// Pages after a cursor and pages before one show each message once, and say exactly whether there are more, also
/// where only deleted messages and other entries follow.
pub async fn pages_of_messages_cover_them(fixture: GroupLogFixture) {
    let (one, all) = mixed(&fixture).await;
    for size in [1, 2, 3, 5, 8, 9, 500] {
        let mut forward: Vec<CurrentMessage> = Vec::new();
        let mut cursor = Cursor::After(seq(0));
        loop {
            let page = fixture.messages(one, cursor, entries_limit(size)).await;
            assert_eq!(page.messages.len(), size.min(all.len() - forward.len()));
            forward.extend(page.messages);
            assert_eq!(page.has_more, forward.len() < all.len(), "forward, {size} a page");
            if !page.has_more {
                break;
            }
            cursor = Cursor::After(forward[forward.len() - 1].entry.seq);
        }
        assert_eq!(forward, all);
        let mut backward: Vec<CurrentMessage> = Vec::new();
        let mut cursor = Cursor::Newest;
        loop {
            let page = fixture.messages(one, cursor, entries_limit(size)).await;
            assert_eq!(page.messages.len(), size.min(all.len() - backward.len()));
            backward.splice(0..0, page.messages);
            assert_eq!(
                page.has_more,
                backward.len() < all.len(),
                "backward, {size} a page"
            );
            if !page.has_more {
                break;
            }
            cursor = Cursor::Before(backward[0].entry.seq);
        }
        assert_eq!(backward, all);
    }
}

/// A cursor need not be the place of a message.
pub async fn cursors_between_messages_are_places_of_the_log(fixture: GroupLogFixture) {
    let (one, all) = mixed(&fixture).await;
    for place in (0..30).chain([MAX_SAFE_INTEGER]) {
        let after = fixture.messages(one, Cursor::After(seq(place)), ALL).await;
        let before = fixture.messages(one, Cursor::Before(seq(place)), ALL).await;
        let is_before = |message: &&CurrentMessage| message.entry.seq < seq(place);
        let is_after = |message: &&CurrentMessage| message.entry.seq > seq(place);
        let expected: Vec<_> = all.iter().filter(is_after).cloned().collect();
        assert_eq!(after.messages, expected, "after {place}");
        let expected: Vec<_> = all.iter().filter(is_before).cloned().collect();
        assert_eq!(before.messages, expected, "before {place}");
        assert!(!after.has_more && !before.has_more);
    }
}

/// A page holds as many messages as fit into its bytes by the weight of what it shows, and the first one always.
pub async fn a_page_of_messages_ends_at_its_byte_limit(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    // What was heavy is light now, and the other way round.
    let mut batch: Vec<_> = (1..=10)
        .map(|size| message(one, user(1), &"\"".repeat(size * 300)))
        .collect();
    batch.extend((1..=10).map(|size: i64| {
        let text = "\"".repeat(usize::try_from(11 - size).unwrap() * 300);
        edit(one, user(1), seq(size), &text)
    }));
    fixture.append_new(batch).await;
    let all = fixture.messages(one, Cursor::After(seq(0)), ALL).await.messages;
    let weights: Vec<usize> = all.iter().map(|message| message.entry.weight()).collect();
    for bytes in (0..weights.iter().sum::<usize>() + 500).step_by(397) {
        let limit = PageLimit {
            entries: 1_000,
            bytes,
        };
        let count = fitting(weights.iter(), bytes);
        let page = fixture.messages(one, Cursor::After(seq(0)), limit).await;
        assert_eq!(page.messages, all[..count], "{bytes} bytes from the front");
        assert_eq!(page.has_more, count < all.len());
        let count = fitting(weights.iter().rev(), bytes);
        let page = fixture.messages(one, Cursor::Newest, limit).await;
        assert_eq!(
            page.messages,
            all[all.len() - count..],
            "{bytes} bytes from the back"
        );
        assert_eq!(page.has_more, count < all.len());
    }
}

/// Nine messages among other entries, the first and the last of which are none.
async fn mixed(fixture: &GroupLogFixture) -> (sealroom_domain::GroupId, Vec<CurrentMessage>) {
    let one = fixture.group(group(1)).await;
    let mut batch = vec![
        set_member(one, user(1), user(1), Role::Owner, UNCHECKED),
        message(one, user(1), "deleted at the front"),
    ];
    batch.extend((1..=9).map(|number| message(one, user(1), &format!("message {number}"))));
    batch.push(message(one, user(1), "deleted at the end"));
    batch.push(set_member(one, user(1), user(2), Role::Member, UNCHECKED));
    batch.extend([2, 12].map(|place| delete(one, user(1), seq(place), OfOthers::Never)));
    batch.push(edit(one, user(1), seq(5), "edited"));
    let entries = fixture.append_new(batch).await;
    let mut all: Vec<CurrentMessage> = entries[2..11].iter().map(as_sent).collect();
    all[2] = edited(&entries[4], "edited", None, 16);
    (one, all)
}

fn as_sent(entry: &Entry) -> CurrentMessage {
    CurrentMessage {
        entry: entry.clone(),
        edited_seq: None,
    }
}

fn edited(entry: &Entry, text: &str, key_epoch: Option<i64>, edited_at: i64) -> CurrentMessage {
    let mut entry = entry.clone();
    if let EntryBody::Message(message) = &mut entry.body {
        message.content = Some(content(text));
        message.key_epoch = key_epoch.map(epoch);
    }
    CurrentMessage {
        entry,
        edited_seq: Some(seq(edited_at)),
    }
}

const fn entries_limit(entries: usize) -> PageLimit {
    PageLimit {
        entries,
        bytes: usize::MAX,
    }
}

/// How many of these weights fit, the first one always.
fn fitting<'a>(weights: impl Iterator<Item = &'a usize>, bytes: usize) -> usize {
    let mut sum = 0;
    weights
        .enumerate()
        .take_while(|(index, weight)| {
            sum += **weight;
            *index == 0 || sum <= bytes
        })
        .count()
}
