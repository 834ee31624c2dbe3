//! The log: reading, and the port.

use async_trait::async_trait;
use diesel::{
    OptionalExtension, QueryResult, RunQueryDsl, SelectableHelper, SqliteConnection,
    connection::DefaultLoadingMode, query_dsl::methods::SelectDsl,
};
use sealroom_domain::{
    Entry, GroupId, LogId, Seq,
    ports::{Appended, Cursor, GroupLog, NewEntry, Page, PageLimit, RefusedEntry, StoreError},
};

use super::{SqliteStore, append};
use crate::{
    error::{Failure, Inconsistency},
    fragments,
    rows::{self, EntryRow},
};

#[async_trait]
impl GroupLog for SqliteStore {
    async fn log_id(&self) -> Result<LogId, StoreError> {
        Ok(self.name())
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Result<Vec<Result<Appended, RefusedEntry>>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.write(move |conn| append::append(conn, batch)).await
    }

    async fn read(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<Page>, StoreError> {
        self.read(move |conn| page(conn, group_id, cursor, limit)).await
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let groups = groups.to_vec();
        self.read(move |conn| {
            let mut heads = Vec::with_capacity(groups.len());
            for group_id in groups {
                if let Some((head, _)) = bounds(conn, group_id)? {
                    heads.push((group_id, rows::seq("groups", "head_seq", head)?));
                }
            }
            Ok(heads)
        })
        .await
    }
}

/// `(head_seq, first_seq)` of a group.
pub(super) fn bounds(conn: &mut SqliteConnection, group_id: GroupId) -> QueryResult<Option<(i64, i64)>> {
    fragments::bounds(group_id.get()).get_result(conn).optional()
}

fn page(
    conn: &mut SqliteConnection,
    group_id: GroupId,
    cursor: Cursor,
    limit: PageLimit,
) -> Result<Option<Page>, Failure> {
    let Some((head, first)) = bounds(conn, group_id)? else {
        return Ok(None);
    };
    let range = Range::of(cursor, limit.entries, head, first);
    let group = group_id.get();
    // Rows come one at a time, so that what the page has no room for is not loaded.
    let (entries, has_more) = match cursor {
        Cursor::After(_) => {
            let rows = fragments::ascending(group, range.low, range.high)
                .select(EntryRow::as_select())
                .load_iter::<EntryRow, DefaultLoadingMode>(conn)?;
            let entries = fill(rows, limit.bytes, range.low, 1)?;
            let has_more = entries.last().is_some_and(|last| last.seq.get() < head);
            (entries, has_more)
        }
        Cursor::Before(_) | Cursor::Newest => {
            let rows = fragments::descending(group, range.low, range.high)
                .select(EntryRow::as_select())
                .load_iter::<EntryRow, DefaultLoadingMode>(conn)?;
            let mut entries = fill(rows, limit.bytes, range.high, -1)?;
            entries.reverse();
            let has_more = entries.first().is_some_and(|oldest| oldest.seq.get() > first);
            (entries, has_more)
        }
    };
    Ok(Some(Page {
        entries,
        has_more,
        head: rows::seq("groups", "head_seq", head)?,
        first: rows::seq("groups", "first_seq", first)?,
    }))
}

/// The places that a page may hold at most, both included; empty where `low` is greater.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    low: i64,
    high: i64,
}

impl Range {
    fn of(cursor: Cursor, entries: usize, head: i64, first: i64) -> Self {
        // The span from the first to the last entry of a full page.
        let span = i64::try_from(entries.max(1))
            .unwrap_or(i64::MAX)
            .saturating_sub(1);
        match cursor {
            Cursor::After(seq) => {
                let low = seq.get().saturating_add(1).max(first);
                Self {
                    low,
                    high: low.saturating_add(span).min(head),
                }
            }
            Cursor::Before(_) | Cursor::Newest => {
                let high = match cursor {
                    Cursor::Before(seq) => seq.get().saturating_sub(1).min(head),
                    _ => head,
                };
                Self {
                    low: high.saturating_sub(span).max(first),
                    high,
                }
            }
        }
    }
}

/// Takes entries until the next one does not fit, at least one; they are at `place`, `place + step`, and so on.
fn fill(
    rows: impl Iterator<Item = QueryResult<EntryRow>>,
    bytes: usize,
    mut place: i64,
    step: i64,
) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    let mut weight = 0_usize;
    for row in rows {
        let entry = Entry::try_from(row?)?;
        if entry.seq.get() != place {
            return Err(Inconsistency {
                table: "entries",
                column: "seq",
            }
            .into());
        }
        weight = weight.saturating_add(entry.weight());
        if weight > bytes && !entries.is_empty() {
            break;
        }
        entries.push(entry);
        place = place.saturating_add(step);
    }
    Ok(entries)
}
