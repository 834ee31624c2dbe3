//! Links from one page of a log to those beside it (RFC 8288).

use std::fmt::Write as _;

use axum::http::HeaderValue;
use sealroom_domain::{Seq, ports::Cursor};
use sealroom_engine::EntriesPage;

use crate::input::query::PageQuery;

/// The `Link` header of a page, where there is any page beside it.
///
/// `next` goes on in the direction of reading, which is that of the cursor and backwards without one; `prev` goes the
/// other way. A page without entries leads nowhere. Before the first message of a group there may be other entries, so
/// the page of messages that `prev` leads to may be empty.
pub(crate) fn links(path: &str, query: &PageQuery, page: &EntriesPage) -> Option<HeaderValue> {
    let (first, last) = (page.entries.first()?.seq, page.entries.last()?.seq);
    let older = Cursor::Before(first);
    let newer = Cursor::After(last);
    let (next, prev) = match query.cursor {
        Cursor::After(_) => (newer, (first > Seq::ZERO.next()).then_some(older)),
        Cursor::Before(_) | Cursor::Newest => (older, (last < page.head).then_some(newer)),
    };
    let next = page.has_more.then_some(next);
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
