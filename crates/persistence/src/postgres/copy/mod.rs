//! What a copy writes.

mod statements;

use std::{collections::HashMap, time::Duration};

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, dsl::count_star, upsert::excluded};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{Entry, LogId, ports::StoreError};

use self::statements::{ForgetBefore, PutGroups, SetNextLoginId, SetNextMessageId};
use super::{
    PostgresStore,
    inserts::InsertEntries,
    migrate,
    options::PostgresOptions,
    statements::{Commit, SetHeads},
};
use crate::{
    copy::{Copied, Counters, Counts, LogRange},
    error::OpenError,
    fragments, log_id,
    rows::NewEntryRow,
    schema::{accounts, entries, groups, logins, members, meta, read_marks, refresh_tokens, users},
};

/// Nobody waits for one call of a copy, and to count a large table takes its time.
const PATIENCE: Duration = Duration::from_hours(1);

/// A database that is copied to.
pub(crate) struct CopyTarget {
    store: PostgresStore,
}

impl CopyTarget {
    /// Connects, and brings the schema up to date.
    pub(crate) async fn open(mut options: PostgresOptions) -> Result<Self, OpenError> {
        migrate::run(&options).await?;
        options.statement_timeout = PATIENCE;
        options.call_timeout = PATIENCE;
        // The database has no name of its own before the copy is finished.
        let name = log_id::new_log_id().map_err(OpenError::system)?;
        Ok(Self {
            store: PostgresStore::on(options, name),
        })
    }

    /// Reads what was copied.
    pub(crate) fn store(&self) -> &PostgresStore {
        &self.store
    }

    /// The name of the log, if it has one.
    pub(crate) async fn log_name(&self) -> Result<Option<String>, StoreError> {
        self.store
            .call(|pools| async move {
                let mut lease = pools.writers.lease().await?;
                let name = fragments::log_id().get_result(&mut *lease).await.optional()?;
                lease.done();
                Ok(name)
            })
            .await
    }

    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        self.store
            .call(|pools| async move {
                let mut lease = pools.readers.lease().await?;
                let conn = &mut *lease;
                let number = |count: i64| u64::try_from(count).unwrap_or(0);
                let counts = Counts {
                    users: number(users::table.select(count_star()).get_result(conn).await?),
                    groups: number(groups::table.select(count_star()).get_result(conn).await?),
                    members: number(members::table.select(count_star()).get_result(conn).await?),
                    read_marks: number(read_marks::table.select(count_star()).get_result(conn).await?),
                    accounts: number(accounts::table.select(count_star()).get_result(conn).await?),
                    logins: number(logins::table.select(count_star()).get_result(conn).await?),
                    refresh_tokens: number(
                        refresh_tokens::table
                            .select(count_star())
                            .get_result(conn)
                            .await?,
                    ),
                    entries: number(fragments::stored_entries().get_result(conn).await?),
                };
                lease.done();
                Ok(counts)
            })
            .await
    }

    /// All logs, by ascending group.
    pub(crate) async fn logs(&self) -> Result<Vec<LogRange>, StoreError> {
        self.store
            .call(|pools| async move {
                let mut lease = pools.readers.lease().await?;
                let logs: Vec<LogRange> = fragments::all_groups().load(&mut *lease).await?;
                lease.done();
                Ok(logs.into_iter().map(LogRange::into_copied).collect())
            })
            .await
    }

    /// How far each log was copied.
    pub(crate) async fn heads(&self) -> Result<HashMap<i64, i64>, StoreError> {
        let logs = self.logs().await?;
        Ok(logs.into_iter().map(|log| (log.group_id, log.head)).collect())
    }

    /// Names the log of an empty database, so that no store opens it.
    pub(crate) async fn begin(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.store
            .call(|pools| async move {
                let mut lease = pools.writers.lease().await?;
                diesel::insert_into(meta::table)
                    .values((
                        meta::id.eq(fragments::META),
                        meta::log_id.eq(name),
                        meta::next_group_id.eq(1),
                    ))
                    .on_conflict(meta::id)
                    .do_update()
                    .set(meta::log_id.eq(excluded(meta::log_id)))
                    .execute(&mut *lease)
                    .await?;
                lease.done();
                Ok(())
            })
            .await
    }

    /// The groups themselves; their heads stay where their logs end here.
    pub(crate) async fn put_groups(&self, logs: &[LogRange]) -> Result<(), StoreError> {
        let mut groups = PutGroups::default();
        for log in logs {
            groups.ids.push(log.group_id);
            groups.names.push(log.name.clone());
            groups.firsts.push(log.first);
            groups.times.push(log.created_at);
            groups.deletions.push(log.deleted_at);
            groups.ages.push(log.retention_age);
            groups.counts.push(log.retention_count);
        }
        let forget = ForgetBefore {
            ids: groups.ids.clone(),
            firsts: groups.firsts.clone(),
        };
        self.execute(groups).await?;
        self.execute(forget).await
    }

    /// Removes what was copied of a log.
    pub(crate) async fn forget_log(&self, log: &LogRange) -> Result<(), StoreError> {
        let (group_id, before) = (log.group_id, log.first.saturating_sub(1));
        self.store
            .call(move |pools| async move {
                let mut lease = pools.writers.lease().await?;
                lease.batch_execute("BEGIN").await?;
                diesel::delete(entries::table)
                    .filter(entries::group_id.eq(group_id))
                    .execute(&mut *lease)
                    .await?;
                diesel::update(groups::table.find(group_id))
                    .set(groups::head_seq.eq(before))
                    .execute(&mut *lease)
                    .await?;
                Commit {}.execute(&mut *lease).await?;
                lease.done();
                Ok(())
            })
            .await
    }

    /// Removes all rows but those of groups and entries.
    pub(crate) async fn clear_rows(&self) -> Result<(), StoreError> {
        self.store
            .call(|pools| async move {
                let mut lease = pools.writers.lease().await?;
                diesel::delete(read_marks::table).execute(&mut *lease).await?;
                diesel::delete(members::table).execute(&mut *lease).await?;
                diesel::delete(refresh_tokens::table).execute(&mut *lease).await?;
                diesel::delete(logins::table).execute(&mut *lease).await?;
                diesel::delete(accounts::table).execute(&mut *lease).await?;
                diesel::delete(users::table).execute(&mut *lease).await?;
                lease.done();
                Ok(())
            })
            .await
    }

    /// The next rows of a table, in their order; none where that was all.
    pub(crate) async fn rows<R: Copied>(&self, after: R::Key) -> Result<Vec<R>, StoreError> {
        self.store
            .call(|pools| async move {
                let mut lease = pools.readers.lease().await?;
                let rows = R::of_target(&mut lease, after).await?;
                lease.done();
                Ok(rows)
            })
            .await
    }

    pub(crate) async fn put_rows<R: Copied>(&self, rows: Vec<R>) -> Result<(), StoreError> {
        self.store
            .call(|pools| async move {
                let mut lease = pools.writers.lease().await?;
                R::put(&mut lease, &rows).await?;
                lease.done();
                Ok(())
            })
            .await
    }

    /// Entries, and the heads to which they reach, all of it or nothing.
    pub(crate) async fn put_entries(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        self.store
            .call(|pools| async move {
                let mut heads = SetHeads::default();
                for pair in entries.windows(2) {
                    if let [one, next] = pair
                        && one.group_id != next.group_id
                    {
                        reach(&mut heads, one);
                    }
                }
                if let Some(last) = entries.last() {
                    reach(&mut heads, last);
                }
                let mut insert = InsertEntries::default();
                insert.extend(entries.iter().map(NewEntryRow::from));
                let mut lease = pools.writers.lease().await?;
                lease.batch_execute("BEGIN").await?;
                insert.execute(&mut *lease).await?;
                heads.execute(&mut *lease).await?;
                Commit {}.execute(&mut *lease).await?;
                lease.done();
                Ok(())
            })
            .await
    }

    /// The numbers that are given out next.
    pub(crate) async fn set_counters(&self, next: Counters) -> Result<(), StoreError> {
        self.store
            .call(move |pools| async move {
                let mut lease = pools.writers.lease().await?;
                diesel::update(meta::table)
                    .set((
                        meta::next_group_id.eq(next.group),
                        meta::next_user_id.eq(next.user),
                    ))
                    .execute(&mut *lease)
                    .await?;
                let message = SetNextMessageId { next: next.message };
                message.execute(&mut *lease).await?;
                SetNextLoginId { next: next.login }.execute(&mut *lease).await?;
                lease.done();
                Ok(())
            })
            .await
    }

    /// Gives the log its name, and lets the planner know what is there.
    pub(crate) async fn finish(&self, name: &LogId) -> Result<(), StoreError> {
        let name = name.as_str().to_owned();
        self.store
            .call(|pools| async move {
                let mut lease = pools.writers.lease().await?;
                lease.batch_execute("ANALYZE").await?;
                diesel::update(meta::table)
                    .set(meta::log_id.eq(name))
                    .execute(&mut *lease)
                    .await?;
                lease.done();
                Ok(())
            })
            .await?;
        self.store.close().await
    }

    async fn execute<S>(&self, statement: S) -> Result<(), StoreError>
    where
        S: diesel::query_builder::QueryFragment<diesel::pg::Pg>
            + diesel::query_builder::QueryId
            + Send
            + 'static,
    {
        self.store
            .call(|pools| async move {
                let mut lease = pools.writers.lease().await?;
                statement.execute(&mut *lease).await?;
                lease.done();
                Ok(())
            })
            .await
    }
}

/// This is the last entry of its group.
fn reach(heads: &mut SetHeads, last: &Entry) {
    heads.ids.push(last.group_id.get());
    heads.heads.push(last.seq.get());
}
