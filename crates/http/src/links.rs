//! Links from one page of a log to those beside it (RFC 8288).

use std::fmt::Write as _;

use axum::http::HeaderValue;
use sealroom_domain::{Seq, ports::Cursor};

use crate::input::query::PageQuery;

/// The places of a page's first and last entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    first: Seq,
    last: Seq,
}

impl Ends {
    /// Those of these places, which ascend; `None` where there are none.
    pub(crate) fn of(mut places: impl DoubleEndedIterator<Item = Seq>) -> Option<Self> {
        let first = places.next()?;
        Some(Self {
            first,
            last: places.next_back().unwrap_or(first),
        })
    }
}

/// The `Link` header of a page, where there is any page beside it.
///
/// `next` leads to newer entries and `prev` to older ones, whatever the page's own cursor: the order of a log is that
/// of its `seq`. A page without entries leads nowhere. Before the first message of a group there may be other entries,
/// so the page of messages that `prev` leads to may be empty.
pub(crate) fn links(
    path: &str,
    query: &PageQuery,
    ends: Option<Ends>,
    has_more: bool,
    head: Seq,
) -> Option<HeaderValue> {
    let Ends { first, last } = ends?;
    let (has_newer, has_older) = match query.cursor {
        Cursor::After(_) => (has_more, first > Seq::ZERO.next()),
        Cursor::Before(_) | Cursor::Newest => (last < head, has_more),
    };
    let next = has_newer.then_some(Cursor::After(last));
    let prev = has_older.then_some(Cursor::Before(first));
    let mut text = String::new();
    for (cursor, rel) in [(next, "next"), (prev, "prev")] {
        let Some(cursor) = cursor else { continue };
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "{comma}<{path}?{}>; rel=\"{rel}\"",
            written(cursor, query.limit)
        );
    }
    // A path that no header can hold was not sent by a client that reads this one.
    (!text.is_empty())
        .then(|| HeaderValue::from_str(&text).ok())
        .flatten()
}

fn written(cursor: Cursor, limit: Option<usize>) -> String {
    let mut query = match cursor {
        Cursor::After(seq) => format!("after_seq={seq}"),
        Cursor::Before(seq) => format!("before_seq={seq}"),
        Cursor::Newest => String::new(),
    };
    if let Some(limit) = limit {
        // Writing to a `String` cannot fail.
        let _ = write!(query, "&limit={limit}");
    }
    query
}
