//! The log: reading, and the port.

use async_trait::async_trait;
use diesel::{OptionalExtension, SelectableHelper, query_dsl::methods::SelectDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{
    GroupId, LogId, Seq,
    ports::{Appended, Cursor, GroupLog, MessagesPage, NewEntry, Page, PageLimit, RefusedEntry, StoreError},
};

use super::{PostgresStore, append, lists, messages};
use crate::{
    error::Failure,
    fragments,
    metrics::Operation,
    page::{Direction, PageBuilder},
    rows::{self, EntryRow},
};

/// Entries that are asked for at once: a page that its bytes end holds few of the longest, and the server sends all
/// that it was asked for.
pub(super) const CHUNK: i64 = 128;

/// Begins a transaction in which everything is read as it stands at its first statement.
pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

#[async_trait]
impl GroupLog for PostgresStore {
    async fn log_id(&self) -> Result<LogId, StoreError> {
        Ok(self.inner.log_name.get())
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Result<Vec<Result<Appended, RefusedEntry>>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let patience = self.inner.options.call_timeout;
        let has_outbox = self.inner.options.outbox;
        let known = self.inner.known.clone();
        self.call_as(Operation::Append, |pools| {
            append::append(pools.writers, known, batch, has_outbox, patience)
        })
        .await
    }

    async fn read(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<Page>, StoreError> {
        self.call_as(Operation::Read, |pools| async move {
            let mut lease = pools.readers.lease().await?;
            let page = page(&mut lease, group_id, cursor, limit).await?;
            lease.done();
            Ok(page)
        })
        .await
    }

    async fn messages(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<MessagesPage>, StoreError> {
        self.call(|pools| async move {
            let lease = pools.readers.lease().await?;
            let page = messages::messages(&lease, group_id, cursor, limit).await?;
            lease.done();
            Ok(page)
        })
        .await
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let ids: Vec<i64> = groups.iter().map(|id| id.get()).collect();
        self.call_as(Operation::Heads, |pools| async move {
            let mut lease = pools.readers.lease().await?;
            let heads: Vec<(i64, i64)> = lists::heads_among(ids).load(&mut *lease).await?;
            lease.done();
            heads
                .into_iter()
                .map(|(id, head)| {
                    Ok((
                        rows::group_id("groups", "id", id)?,
                        rows::seq("groups", "head_seq", head)?,
                    ))
                })
                .collect()
        })
        .await
    }
}

/// No transaction at first: entries up to a head that was read are there when they are read later, unless the log was
/// trimmed meanwhile. Then its first place has moved, and the page is read once more from one snapshot, in which nothing
/// moves.
async fn page(
    conn: &mut AsyncPgConnection,
    group_id: GroupId,
    cursor: Cursor,
    limit: PageLimit,
) -> Result<Option<Page>, Failure> {
    let Some((head, first)) = bounds(conn, group_id).await? else {
        return Ok(None);
    };
    let page = filled(conn, group_id, PageBuilder::new(cursor, limit, head, first)).await;
    if !matches!(page, Err(Failure::Inconsistent(_))) {
        return page.map(Some);
    }
    conn.batch_execute(SNAPSHOT).await?;
    let page = match bounds(conn, group_id).await? {
        Some((head, first)) => {
            Some(filled(conn, group_id, PageBuilder::new(cursor, limit, head, first)).await?)
        }
        None => None,
    };
    conn.batch_execute("COMMIT").await?;
    Ok(page)
}

/// `(head_seq, first_seq)` of a group that exists.
async fn bounds(conn: &mut AsyncPgConnection, group_id: GroupId) -> Result<Option<(i64, i64)>, Failure> {
    Ok(fragments::bounds(group_id.get())
        .get_result(conn)
        .await
        .optional()?)
}

async fn filled(
    conn: &mut AsyncPgConnection,
    group_id: GroupId,
    mut page: PageBuilder,
) -> Result<Page, Failure> {
    let group = group_id.get();
    while let Some((low, high)) = page.rest() {
        let rows: Vec<EntryRow> = match page.direction() {
            Direction::Ascending => {
                let high = high.min(low.saturating_add(CHUNK - 1));
                let chunk = fragments::ascending(group, low, high);
                chunk.select(EntryRow::as_select()).load(conn).await?
            }
            Direction::Descending => {
                let low = low.max(high.saturating_sub(CHUNK - 1));
                let chunk = fragments::descending(group, low, high);
                chunk.select(EntryRow::as_select()).load(conn).await?
            }
        };
        if rows.is_empty() {
            // `finish` says what that means.
            break;
        }
        for row in rows {
            if !page.take(row)? {
                break;
            }
        }
    }
    page.finish()
}
