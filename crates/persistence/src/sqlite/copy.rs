//! What a copy reads besides the logs, while nobody writes.

use std::sync::{Arc, Mutex};

use diesel::{
    OptionalExtension, QueryDsl, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    dsl::count_star, sql_types::BigInt, sqlite::Sqlite,
};
use sealroom_domain::ports::StoreError;

use super::{
    connection::{self, Part},
    options::SqliteOptions,
    pool::Pool,
};
use crate::{
    copy::{Copied, Counters, Counts, LogRange},
    error::{Failure, OpenError},
    fragments,
    migrate::blocking,
    schema::{accounts, groups, logins, members, meta, read_marks, refresh_tokens, users},
    statement::statement,
};

statement! { Sqlite:
    /// The last id of a login that was given out; no row where none was.
    LastLogin {} -> BigInt =
        "SELECT seq FROM sqlite_sequence WHERE name = 'logins'"
}

/// The one connection that a copy reads its small tables with.
pub(crate) struct CopySource {
    pool: Arc<Pool>,
    /// Holds the right to write until it is dropped. In a lock, because it is not to be used by several threads at once.
    _writer: Mutex<SqliteConnection>,
}

impl CopySource {
    /// Opens an up-to-date file, and keeps everybody from writing to it.
    pub(crate) async fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        blocking(move || {
            let mut writer = connection::open_writer(&options)?;
            writer.batch_execute("BEGIN IMMEDIATE")?;
            Ok(Self {
                pool: Pool::open(Part::Reader, &options, 1)?,
                _writer: Mutex::new(writer),
            })
        })
        .await
    }

    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(|conn| {
            let number = |count: i64| u64::try_from(count).unwrap_or(0);
            Ok(Counts {
                users: number(users::table.select(count_star()).get_result(conn)?),
                groups: number(groups::table.select(count_star()).get_result(conn)?),
                members: number(members::table.select(count_star()).get_result(conn)?),
                read_marks: number(read_marks::table.select(count_star()).get_result(conn)?),
                accounts: number(accounts::table.select(count_star()).get_result(conn)?),
                logins: number(logins::table.select(count_star()).get_result(conn)?),
                refresh_tokens: number(refresh_tokens::table.select(count_star()).get_result(conn)?),
                entries: number(fragments::stored_entries().get_result(conn)?),
            })
        })
        .await
    }

    /// All logs, by ascending group.
    pub(crate) async fn logs(&self) -> Result<Vec<LogRange>, StoreError> {
        self.read(|conn| {
            let logs: Vec<LogRange> = fragments::all_groups().load(conn)?;
            Ok(logs.into_iter().map(LogRange::into_copied).collect())
        })
        .await
    }

    /// The next rows of a table, in their order; none where that was all.
    pub(crate) async fn rows<R: Copied>(&self, after: R::Key) -> Result<Vec<R>, StoreError> {
        self.read(move |conn| Ok(R::of_source(conn, after)?)).await
    }

    /// The numbers that are given out next.
    pub(crate) async fn counters(&self) -> Result<Counters, StoreError> {
        self.read(|conn| {
            let counters =
                meta::table.select((meta::next_group_id, meta::next_message_id, meta::next_user_id));
            let (group, message, user) = counters.get_result(conn)?;
            let last_login: Option<i64> = LastLogin {}.get_result(conn).optional()?;
            Ok(Counters {
                group,
                message,
                user,
                login: last_login.unwrap_or(0).saturating_add(1),
            })
        })
        .await
    }

    async fn read<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    ) -> Result<R, StoreError> {
        Ok(self.pool.run(job).await?)
    }
}
