//! Queries that only this backend asks: those of an append that goes entry by entry.
//!
//! Updates on the way of a message are own fragments, because diesel never caches the statement of its `update()`; a
//! test sees to it.

#![expect(
    clippy::elidable_lifetime_names,
    reason = "`auto_type` names the query's type with the lifetime"
)]

use diesel::{
    QueryResult,
    dsl::auto_type,
    expression_methods::ExpressionMethods,
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::BigInt,
    sqlite::Sqlite,
};

use crate::schema::{entries, groups, members, meta, users};

/// The message that a sender gave this id in this group.
#[auto_type]
pub(super) fn by_client_message_id<'a>(group_id: i64, actor_id: i64, client_message_id: &'a str) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::actor_id.eq(actor_id))
        .filter(entries::client_message_id.eq(client_message_id))
}

/// The role of a user in a group.
#[auto_type]
pub(super) fn role(group_id: i64, user_id: i64) -> _ {
    members::table
        .filter(members::group_id.eq(group_id))
        .filter(members::user_id.eq(user_id))
        .select(members::role)
}

/// How many members of a group have this role.
#[auto_type]
pub(super) fn count_role<'a>(group_id: i64, role: &'a str) -> _ {
    members::table
        .filter(members::group_id.eq(group_id))
        .filter(members::role.eq(role))
        .count()
}

/// A group.
#[auto_type]
pub(super) fn group(group_id: i64) -> _ {
    groups::table.filter(groups::id.eq(group_id))
}

/// The id of the user who has this username.
#[auto_type]
pub(super) fn username_owner<'a>(username: &'a str) -> _ {
    users::table
        .filter(users::username.eq(username))
        .select(users::id)
}

/// The id of the next message.
#[auto_type]
pub(super) fn next_message_id() -> _ {
    meta::table
        .filter(meta::id.eq(1_i64))
        .select(meta::next_message_id)
}

/// Moves the head of a group's log.
#[derive(Debug, Clone, Copy, QueryId)]
pub(super) struct SetHead {
    pub(super) group_id: i64,
    pub(super) head_seq: i64,
}

impl QueryFragment<Sqlite> for SetHead {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE groups SET head_seq = ");
        out.push_bind_param::<BigInt, _>(&self.head_seq)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<BigInt, _>(&self.group_id)
    }
}

/// Moves the counter of message ids.
#[derive(Debug, Clone, Copy, QueryId)]
pub(super) struct SetNextMessageId {
    pub(super) next: i64,
}

impl QueryFragment<Sqlite> for SetNextMessageId {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE meta SET next_message_id = ");
        out.push_bind_param::<BigInt, _>(&self.next)?;
        out.push_sql(" WHERE id = 1");
        Ok(())
    }
}

impl<Conn> RunQueryDsl<Conn> for SetHead {}
impl<Conn> RunQueryDsl<Conn> for SetNextMessageId {}
