//! The tables besides the logs, which are copied and compared row by row.

use std::fmt::Debug;

use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, SelectableHelper, SqliteConnection,
};
use diesel_async::AsyncPgConnection;

use crate::{
    rows::{AccountRow, LoginRow, MemberRow, ReadMarkRow, RefreshTokenRow, UserCopyRow},
    schema::{accounts, logins, members, read_marks, refresh_tokens, users},
};

/// Rows that are read or put at once.
const PAGE: i64 = 4096;

/// A row that is copied as it is.
pub(crate) trait Copied: Debug + Send + Sync + Sized + 'static {
    /// What the rows are ordered by. The default one is before all of them.
    type Key: Default + Send + 'static;

    /// What the rows are, in the plural.
    const WHAT: &'static str;

    fn key(&self) -> Self::Key;

    /// The next rows of the source, in their order.
    fn of_source(conn: &mut SqliteConnection, after: Self::Key) -> QueryResult<Vec<Self>>;

    /// The next rows of the target, in their order.
    fn of_target(
        conn: &mut AsyncPgConnection,
        after: Self::Key,
    ) -> impl Future<Output = QueryResult<Vec<Self>>> + Send;

    /// Puts rows into the target.
    fn put(conn: &mut AsyncPgConnection, rows: &[Self]) -> impl Future<Output = QueryResult<usize>> + Send;
}

macro_rules! copied {
    ($row:ty, $what:literal, $table:ident, $key_type:ty, |$after:pat_param| $filter:expr, $order:expr, |$one:ident| $key:expr) => {
        impl Copied for $row {
            type Key = $key_type;

            const WHAT: &'static str = $what;

            fn key(&self) -> Self::Key {
                let $one = self;
                $key
            }

            fn of_source(conn: &mut SqliteConnection, $after: Self::Key) -> QueryResult<Vec<Self>> {
                let page = $table::table.filter($filter).order($order).limit(PAGE);
                diesel::RunQueryDsl::load(page.select(Self::as_select()), conn)
            }

            async fn of_target(conn: &mut AsyncPgConnection, $after: Self::Key) -> QueryResult<Vec<Self>> {
                let page = $table::table.filter($filter).order($order).limit(PAGE);
                diesel_async::RunQueryDsl::load(page.select(Self::as_select()), conn).await
            }

            async fn put(conn: &mut AsyncPgConnection, rows: &[Self]) -> QueryResult<usize> {
                let insert = diesel::insert_into($table::table).values(rows);
                diesel_async::RunQueryDsl::execute(insert, conn).await
            }
        }
    };
}

copied!(
    UserCopyRow,
    "users",
    users,
    i64,
    |after| users::id.gt(after),
    users::id.asc(),
    |row| row.id
);
copied!(
    MemberRow,
    "memberships",
    members,
    (i64, i64),
    |(group_id, user_id)| members::group_id
        .gt(group_id)
        .or(members::group_id.eq(group_id).and(members::user_id.gt(user_id))),
    (members::group_id.asc(), members::user_id.asc()),
    |row| (row.group_id, row.user_id)
);
copied!(
    ReadMarkRow,
    "read marks",
    read_marks,
    (i64, i64),
    |(group_id, user_id)| read_marks::group_id.gt(group_id).or(read_marks::group_id
        .eq(group_id)
        .and(read_marks::user_id.gt(user_id))),
    (read_marks::group_id.asc(), read_marks::user_id.asc()),
    |row| (row.group_id, row.user_id)
);
copied!(
    AccountRow,
    "accounts",
    accounts,
    i64,
    |after| accounts::user_id.gt(after),
    accounts::user_id.asc(),
    |row| row.user_id
);
copied!(
    LoginRow,
    "logins",
    logins,
    i64,
    |after| logins::id.gt(after),
    logins::id.asc(),
    |row| row.id
);
copied!(
    RefreshTokenRow,
    "refresh tokens",
    refresh_tokens,
    Vec<u8>,
    |after| refresh_tokens::digest.gt(after),
    refresh_tokens::digest.asc(),
    |row| row.digest.clone()
);
