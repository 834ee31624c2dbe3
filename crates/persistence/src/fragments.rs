//! Queries without an executor, for any backend.
//!
//! None of them has a `LIMIT`: SQLite prepares a statement with a bound limit anew at each execution. Pages are
//! ranges of the dense `seq` instead. Updates that are on the way of a message are own fragments, because diesel never
//! caches the statement of its `update()`; the tests see to both.

#![expect(
    clippy::elidable_lifetime_names,
    reason = "`auto_type` names the query's type with the lifetime"
)]

use diesel::{
    QueryResult,
    backend::Backend,
    dsl::auto_type,
    expression_methods::ExpressionMethods,
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{BigInt, HasSqlType},
};

use crate::schema::{entries, groups, members, meta, users};

/// The one row of `meta`.
pub(crate) const META: i64 = 1;

/// `(head_seq, first_seq)` of a group.
#[auto_type]
pub(crate) fn bounds(group_id: i64) -> _ {
    groups::table
        .filter(groups::id.eq(group_id))
        .select((groups::head_seq, groups::first_seq))
}

/// The entries of a group from `low` to `high`, both included, ascending.
#[auto_type]
pub(crate) fn ascending(group_id: i64, low: i64, high: i64) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::seq.ge(low))
        .filter(entries::seq.le(high))
        .order(entries::seq.asc())
}

/// The entries of a group from `high` down to `low`, both included.
#[auto_type]
pub(crate) fn descending(group_id: i64, low: i64, high: i64) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::seq.ge(low))
        .filter(entries::seq.le(high))
        .order(entries::seq.desc())
}

/// The message that a sender gave this id in this group.
#[auto_type]
pub(crate) fn by_client_message_id<'a>(group_id: i64, actor_id: i64, client_message_id: &'a str) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::actor_id.eq(actor_id))
        .filter(entries::client_message_id.eq(client_message_id))
}

/// The role of a user in a group.
#[auto_type]
pub(crate) fn role(group_id: i64, user_id: i64) -> _ {
    members::table
        .filter(members::group_id.eq(group_id))
        .filter(members::user_id.eq(user_id))
        .select(members::role)
}

/// `(group_id, role)` of a user, by ascending group.
#[auto_type]
pub(crate) fn groups_of(user_id: i64) -> _ {
    members::table
        .filter(members::user_id.eq(user_id))
        .order(members::group_id.asc())
        .select((members::group_id, members::role))
}

/// `(user_id, role)` of a group's members, by ascending user.
#[auto_type]
pub(crate) fn members_of(group_id: i64) -> _ {
    members::table
        .filter(members::group_id.eq(group_id))
        .order(members::user_id.asc())
        .select((members::user_id, members::role))
}

/// How many members of a group have this role.
#[auto_type]
pub(crate) fn count_role<'a>(group_id: i64, role: &'a str) -> _ {
    members::table
        .filter(members::group_id.eq(group_id))
        .filter(members::role.eq(role))
        .count()
}

/// The ids of the groups from `low` to `high`, both included, ascending.
#[auto_type]
pub(crate) fn group_ids(low: i64, high: i64) -> _ {
    groups::table
        .filter(groups::id.ge(low))
        .filter(groups::id.le(high))
        .order(groups::id.asc())
        .select(groups::id)
}

/// A group.
#[auto_type]
pub(crate) fn group(group_id: i64) -> _ {
    groups::table.filter(groups::id.eq(group_id))
}

/// Those of these groups that exist, by ascending id.
#[cfg(feature = "postgres")]
#[auto_type]
pub(crate) fn groups_among(ids: Vec<i64>) -> _ {
    groups::table
        .filter(groups::id.eq_any(ids))
        .order(groups::id.asc())
}

/// `(id, head_seq)` of those of these groups that exist.
#[cfg(feature = "postgres")]
#[auto_type]
pub(crate) fn heads_among(ids: Vec<i64>) -> _ {
    groups::table
        .filter(groups::id.eq_any(ids))
        .select((groups::id, groups::head_seq))
}

/// Those of these users that are known.
#[cfg(feature = "postgres")]
#[auto_type]
pub(crate) fn users_among(ids: Vec<i64>) -> _ {
    users::table.filter(users::id.eq_any(ids))
}

/// A user.
#[auto_type]
pub(crate) fn user(user_id: i64) -> _ {
    users::table.filter(users::id.eq(user_id))
}

/// The id of the user who has this username.
#[auto_type]
pub(crate) fn username_owner<'a>(username: &'a str) -> _ {
    users::table
        .filter(users::username.eq(username))
        .select(users::id)
}

/// The name of the log.
#[auto_type]
pub(crate) fn log_id() -> _ {
    meta::table.filter(meta::id.eq(1_i64)).select(meta::log_id)
}

/// The id of the next message.
#[auto_type]
pub(crate) fn next_message_id() -> _ {
    meta::table
        .filter(meta::id.eq(1_i64))
        .select(meta::next_message_id)
}

/// The id from which the next free group id is looked for.
#[auto_type]
pub(crate) fn next_group_id() -> _ {
    meta::table.filter(meta::id.eq(1_i64)).select(meta::next_group_id)
}

/// Moves the head of a group's log.
#[derive(Debug, Clone, Copy, QueryId)]
pub(crate) struct SetHead {
    pub(crate) group_id: i64,
    pub(crate) head_seq: i64,
}

impl<DB> QueryFragment<DB> for SetHead
where
    DB: Backend + HasSqlType<BigInt>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("UPDATE groups SET head_seq = ");
        out.push_bind_param::<BigInt, _>(&self.head_seq)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<BigInt, _>(&self.group_id)
    }
}

/// Moves the counter of message ids.
#[derive(Debug, Clone, Copy, QueryId)]
pub(crate) struct SetNextMessageId {
    pub(crate) next: i64,
}

impl<DB> QueryFragment<DB> for SetNextMessageId
where
    DB: Backend + HasSqlType<BigInt>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("UPDATE meta SET next_message_id = ");
        out.push_bind_param::<BigInt, _>(&self.next)?;
        out.push_sql(" WHERE id = 1");
        Ok(())
    }
}

impl<Conn> RunQueryDsl<Conn> for SetHead {}
impl<Conn> RunQueryDsl<Conn> for SetNextMessageId {}
