//! What a copy reads besides the logs, while nobody writes.

use std::sync::{Arc, Mutex};

use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    connection::SimpleConnection, dsl::count_star,
};
use sealroom_domain::ports::StoreError;

use super::{
    connection::{self, Part},
    options::SqliteOptions,
    pool::Pool,
};
use crate::{
    copy::{Counts, LogRange},
    error::{Failure, OpenError},
    fragments,
    migrate::blocking,
    rows::{MemberRow, UserRow},
    schema::{entries, groups, members, meta, users},
};

/// Rows that are read at once.
const PAGE: i64 = 4096;

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
                entries: number(entries::table.select(count_star()).get_result(conn)?),
            })
        })
        .await
    }

    /// All logs, by ascending group.
    pub(crate) async fn logs(&self) -> Result<Vec<LogRange>, StoreError> {
        self.read(|conn| Ok(fragments::all_groups().load(conn)?)).await
    }

    /// The users after this id, with the last id; `None` where there are none.
    pub(crate) async fn users(&self, after: i64) -> Result<Option<(Vec<UserRow>, i64)>, StoreError> {
        self.read(move |conn| {
            let rows: Vec<UserRow> = users::table
                .filter(users::id.gt(after))
                .order(users::id.asc())
                .limit(PAGE)
                .select(UserRow::as_select())
                .load(conn)?;
            Ok(rows.last().map(|last| last.id).map(|last| (rows, last)))
        })
        .await
    }

    /// The memberships after this pair, with the last pair; `None` where there are none.
    pub(crate) async fn members(
        &self,
        after: (i64, i64),
    ) -> Result<Option<(Vec<MemberRow>, (i64, i64))>, StoreError> {
        self.read(move |conn| {
            let (group_id, user_id) = after;
            let same_group = members::group_id.eq(group_id).and(members::user_id.gt(user_id));
            let rows: Vec<MemberRow> = members::table
                .filter(members::group_id.gt(group_id).or(same_group))
                .order((members::group_id.asc(), members::user_id.asc()))
                .limit(PAGE)
                .select(MemberRow::as_select())
                .load(conn)?;
            let last = rows.last().map(|last| (last.group_id, last.user_id));
            Ok(last.map(|last| (rows, last)))
        })
        .await
    }

    /// `(next_group_id, next_message_id)`.
    pub(crate) async fn counters(&self) -> Result<(i64, i64), StoreError> {
        self.read(|conn| {
            let counters = meta::table.select((meta::next_group_id, meta::next_message_id));
            Ok(counters.get_result(conn)?)
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
