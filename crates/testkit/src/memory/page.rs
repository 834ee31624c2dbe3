//! Pages of a log.

use sealroom_domain::{
    Entry, Seq,
    ports::{CurrentMessage, Cursor, MessagesPage, Page, PageLimit},
};

use super::group::GroupState;

/// A page of a group's log.
pub(super) fn page(group: &GroupState, cursor: Cursor, limit: PageLimit) -> Page {
    let (entries, has_more) = cut(group.entries(), cursor, limit);
    Page {
        entries,
        has_more,
        head: group.head(),
        first: group.first(),
    }
}

/// A page of a group's messages as they stand.
pub(super) fn messages_page(group: &GroupState, cursor: Cursor, limit: PageLimit) -> MessagesPage {
    let (messages, has_more) = cut(&group.messages(), cursor, limit);
    MessagesPage {
        messages,
        has_more,
        head: group.head(),
        first: group.first(),
    }
}

trait Placed: Clone {
    fn entry(&self) -> &Entry;

    fn seq(&self) -> Seq {
        self.entry().seq
    }
}

impl Placed for Entry {
    fn entry(&self) -> &Entry {
        self
    }
}

impl Placed for CurrentMessage {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// What is on the page, and whether there is more in its direction.
fn cut<T: Placed>(all: &[T], cursor: Cursor, limit: PageLimit) -> (Vec<T>, bool) {
    match cursor {
        Cursor::After(seq) => {
            let rest = &all[all.partition_point(|one| one.seq() <= seq)..];
            let count = fitting(rest.iter(), limit);
            (rest[..count].to_vec(), count < rest.len())
        }
        Cursor::Before(seq) => last(&all[..all.partition_point(|one| one.seq() < seq)], limit),
        Cursor::Newest => last(all, limit),
    }
}

/// The last ones of `rest`, and whether there are more before them.
fn last<T: Placed>(rest: &[T], limit: PageLimit) -> (Vec<T>, bool) {
    let count = fitting(rest.iter().rev(), limit);
    (rest[rest.len() - count..].to_vec(), count < rest.len())
}

/// How many fit into a page: at least the first one, however heavy.
fn fitting<'a, T: Placed + 'a>(all: impl Iterator<Item = &'a T>, limit: PageLimit) -> usize {
    let mut bytes = 0;
    all.take(limit.entries.max(1))
        .enumerate()
        .take_while(|(index, one)| {
            bytes += one.entry().weight();
            *index == 0 || bytes <= limit.bytes
        })
        .count()
}
