//! Pages of a log.

use sealroom_domain::{
    Entry, Seq,
    ports::{Cursor, Page, PageLimit},
};

/// The page of a whole log, entries from `seq` 1.
pub(super) fn page(log: &[Entry], cursor: Cursor, limit: PageLimit) -> Page {
    let (entries, has_more) = match cursor {
        Cursor::After(seq) => {
            let rest = &log[log.partition_point(|entry| entry.seq <= seq)..];
            let count = fitting(rest.iter(), limit);
            (rest[..count].to_vec(), count < rest.len())
        }
        Cursor::Before(seq) => before(&log[..log.partition_point(|entry| entry.seq < seq)], limit),
        Cursor::Newest => before(log, limit),
    };
    Page {
        entries,
        has_more,
        head: log.last().map_or(Seq::ZERO, |entry| entry.seq),
        first: Seq::ZERO.next(),
    }
}

/// The last entries of `rest`, and whether there are more before them.
fn before(rest: &[Entry], limit: PageLimit) -> (Vec<Entry>, bool) {
    let count = fitting(rest.iter().rev(), limit);
    (rest[rest.len() - count..].to_vec(), count < rest.len())
}

/// How many entries fit into a page: at least the first one, however heavy.
fn fitting<'a>(entries: impl Iterator<Item = &'a Entry>, limit: PageLimit) -> usize {
    let mut bytes = 0;
    entries
        .take(limit.entries.max(1))
        .enumerate()
        .take_while(|(index, entry)| {
            bytes += entry.weight();
            *index == 0 || bytes <= limit.bytes
        })
        .count()
}
