//! The log: reading, and the port.

use async_trait::async_trait;
use diesel::{
    OptionalExtension, QueryResult, RunQueryDsl, SelectableHelper, SqliteConnection,
    connection::DefaultLoadingMode, query_dsl::methods::SelectDsl,
};
use sealroom_domain::{
    GroupId, LogId, Seq,
    ports::{Appended, Cursor, GroupLog, MessagesPage, NewEntry, Page, PageLimit, RefusedEntry, StoreError},
};

use super::{
    SqliteStore, append,
    statements::{MessagesAscending, MessagesDescending},
};
use crate::{
    error::Failure,
    fragments,
    messages::{MessageRow, MessagesBuilder},
    metrics::{METRICS, Operation},
    page::{Direction, PageBuilder},
    rows::{self, EntryRow},
};

#[async_trait]
impl GroupLog for SqliteStore {
    async fn log_id(&self) -> Result<LogId, StoreError> {
        Ok(self.inner.log_name.get())
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Result<Vec<Result<Appended, RefusedEntry>>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let has_outbox = self.inner.has_outbox;
        let call = async {
            let appended =
                self.write_knowing(move |conn, known| append::append(conn, known, batch, has_outbox));
            Ok(appended.await?)
        };
        METRICS.call(Operation::Append, call).await
    }

    async fn read(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<Page>, StoreError> {
        self.read_as(Operation::Read, move |conn| page(conn, group_id, cursor, limit))
            .await
    }

    async fn messages(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<MessagesPage>, StoreError> {
        self.read(move |conn| messages(conn, group_id, cursor, limit))
            .await
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let groups = groups.to_vec();
        self.read_as(Operation::Heads, move |conn| {
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

/// `(head_seq, first_seq)` of a group that exists.
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
    let mut page = PageBuilder::new(cursor, limit, head, first);
    if let Some((low, high)) = page.rest() {
        let group = group_id.get();
        // Rows come one at a time, so that what the page has no room for is not loaded.
        match page.direction() {
            Direction::Ascending => fill(
                &mut page,
                fragments::ascending(group, low, high)
                    .select(EntryRow::as_select())
                    .load_iter::<EntryRow, DefaultLoadingMode>(conn)?,
            )?,
            Direction::Descending => fill(
                &mut page,
                fragments::descending(group, low, high)
                    .select(EntryRow::as_select())
                    .load_iter::<EntryRow, DefaultLoadingMode>(conn)?,
            )?,
        }
    }
    page.finish().map(Some)
}

fn fill(page: &mut PageBuilder, rows: impl Iterator<Item = QueryResult<EntryRow>>) -> Result<(), Failure> {
    for row in rows {
        if !page.take(row?)? {
            break;
        }
    }
    Ok(())
}

fn messages(
    conn: &mut SqliteConnection,
    group_id: GroupId,
    cursor: Cursor,
    limit: PageLimit,
) -> Result<Option<MessagesPage>, Failure> {
    let Some((head, first)) = bounds(conn, group_id)? else {
        return Ok(None);
    };
    let mut page = MessagesBuilder::new(cursor, limit);
    let (group_id, (low, high)) = (group_id.get(), page.rest());
    // Rows come one at a time: what is no message is passed over without its content.
    match page.direction() {
        Direction::Ascending => fill_messages(
            &mut page,
            MessagesAscending { group_id, low, high }.load_iter::<MessageRow, DefaultLoadingMode>(conn)?,
        )?,
        Direction::Descending => fill_messages(
            &mut page,
            MessagesDescending { group_id, low, high }.load_iter::<MessageRow, DefaultLoadingMode>(conn)?,
        )?,
    }
    page.finish(head, first).map(Some)
}

fn fill_messages(
    page: &mut MessagesBuilder,
    rows: impl Iterator<Item = QueryResult<MessageRow>>,
) -> Result<(), Failure> {
    for row in rows {
        if !page.take(row?)? {
            break;
        }
    }
    Ok(())
}
