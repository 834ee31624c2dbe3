//! The statements that insert entries, a column at a time: [`super::statements`] whose parameters are many.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Nullable, SmallInt, Text},
};

use crate::rows::NewEntryRow;

/// Inserts entries.
#[derive(Debug, Default)]
pub(super) struct InsertEntries<'a> {
    group_id: Vec<i64>,
    seq: Vec<i64>,
    kind: Vec<i16>,
    at: Vec<i64>,
    actor_id: Vec<i64>,
    message_id: Vec<Option<i64>>,
    target_seq: Vec<Option<i64>>,
    user_id: Vec<Option<i64>>,
    role: Vec<Option<&'a str>>,
    reason: Vec<Option<&'a str>>,
    key_epoch: Vec<Option<i64>>,
    client_message_id: Vec<Option<&'a str>>,
    sender_name: Vec<Option<&'a str>>,
    content: Vec<Option<&'a str>>,
}

impl<'a> InsertEntries<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.seq.is_empty()
    }

    pub(super) fn extend(&mut self, rows: impl Iterator<Item = NewEntryRow<'a>>) {
        for row in rows {
            self.group_id.push(row.group_id);
            self.seq.push(row.seq);
            self.kind.push(row.kind);
            self.at.push(row.at);
            self.actor_id.push(row.actor_id);
            self.message_id.push(row.message_id);
            self.target_seq.push(row.target_seq);
            self.user_id.push(row.user_id);
            self.role.push(row.role);
            self.reason.push(row.reason);
            self.key_epoch.push(row.key_epoch);
            self.client_message_id.push(row.client_message_id);
            self.sender_name.push(row.sender_name);
            self.content.push(row.content);
        }
    }
}

impl InsertEntries<'_> {
    /// The parameters of an `UNNEST` of all columns, or of those of messages, which have no id yet.
    fn columns<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>, of_messages: bool) -> QueryResult<()> {
        type Numbers = Array<Nullable<BigInt>>;
        type Texts = Array<Nullable<Text>>;
        out.push_bind_param::<Array<BigInt>, _>(&self.group_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.seq)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SmallInt>, _>(&self.kind)?;
        for numbers in [&self.at, &self.actor_id] {
            out.push_sql(", ");
            out.push_bind_param::<Array<BigInt>, _>(numbers)?;
        }
        if !of_messages {
            for numbers in [&self.message_id, &self.target_seq, &self.user_id] {
                out.push_sql(", ");
                out.push_bind_param::<Numbers, _>(numbers)?;
            }
            for texts in [&self.role, &self.reason] {
                out.push_sql(", ");
                out.push_bind_param::<Texts, _>(texts)?;
            }
        }
        out.push_sql(", ");
        out.push_bind_param::<Numbers, _>(&self.key_epoch)?;
        for texts in [&self.client_message_id, &self.sender_name, &self.content] {
            out.push_sql(", ");
            out.push_bind_param::<Texts, _>(texts)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for InsertEntries<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO entries (group_id, seq, kind, at, actor_id, message_id, target_seq, user_id, role, reason, \
             key_epoch, client_message_id, sender_name, content) SELECT * FROM UNNEST(",
        );
        self.columns(&mut out, false)?;
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for InsertEntries<'_> {
    type QueryId = InsertEntries<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Stores messages if what they were decided by still holds; answers `(group_id, seq, message_id)` of each, and nothing
/// where it does not. A transaction of its own. A message that repeats another one is a violation of the index.
///
/// The groups are locked as by [`super::statements::LockGroups`], and their heads are those after the locks were had. Whoever changes a
/// member and the log together has moved the head.
#[derive(Debug, Default)]
pub(super) struct InsertExpected<'a> {
    pub(super) messages: InsertEntries<'a>,
    /// The groups, ascending, with their heads before and after.
    pub(super) groups: Vec<i64>,
    pub(super) heads: Vec<i64>,
    pub(super) moved: Vec<i64>,
    /// The members and their roles.
    pub(super) member_groups: Vec<i64>,
    pub(super) members: Vec<i64>,
    pub(super) roles: Vec<&'static str>,
}

impl QueryFragment<Pg> for InsertExpected<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        type Ids = Array<BigInt>;
        out.push_sql("WITH locked AS (SELECT id, head_seq FROM groups WHERE id = ANY(");
        out.push_bind_param::<Ids, _>(&self.groups)?;
        out.push_sql(
            ") AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE), \
             held AS MATERIALIZED (SELECT ARRAY(SELECT head_seq FROM locked) = ",
        );
        out.push_bind_param::<Ids, _>(&self.heads)?;
        out.push_sql(" AND (SELECT count(*) FROM UNNEST(");
        out.push_bind_param::<Ids, _>(&self.member_groups)?;
        out.push_sql(", ");
        out.push_bind_param::<Ids, _>(&self.members)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.roles)?;
        out.push_sql(
            ") AS asked (group_id, user_id, role) JOIN members m ON m.group_id = asked.group_id \
             AND m.user_id = asked.user_id AND m.role = asked.role) = cardinality(",
        );
        out.push_bind_param::<Ids, _>(&self.members)?;
        out.push_sql(
            ") AS all_of_it), \
             moved AS (UPDATE groups SET head_seq = moved.head_seq FROM UNNEST(",
        );
        out.push_bind_param::<Ids, _>(&self.groups)?;
        out.push_sql(", ");
        out.push_bind_param::<Ids, _>(&self.moved)?;
        out.push_sql(
            ") AS moved (id, head_seq) WHERE groups.id = moved.id AND (SELECT all_of_it FROM held)) \
             INSERT INTO entries (group_id, seq, kind, at, actor_id, key_epoch, client_message_id, sender_name, content, \
             message_id) SELECT *, nextval('message_ids') FROM UNNEST(",
        );
        self.messages.columns(&mut out, true)?;
        out.push_sql(") WHERE (SELECT all_of_it FROM held) RETURNING group_id, seq, message_id");
        Ok(())
    }
}

impl QueryId for InsertExpected<'_> {
    type QueryId = InsertExpected<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for InsertExpected<'_> {
    type SqlType = (BigInt, BigInt, Nullable<BigInt>);
}

impl<Conn> RunQueryDsl<Conn> for InsertExpected<'_> {}
