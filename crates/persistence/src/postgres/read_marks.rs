//! Read marks.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, QueryDsl,
    pg::Pg,
    sql_types::{Array, BigInt},
};
use diesel_async::RunQueryDsl;
use sealroom_domain::{
    GroupId, Seq, UserId,
    ports::{MarkedRead, ReadMark, ReadMarks, StoreError},
};

use super::PostgresStore;
use crate::{rows, schema::read_marks, statement::statement};

statement! { Pg:
    /// Moves marks forward, each at most to the end of its log, in groups that exist; answers
    /// `(group_id, user_id, read_seq, head_seq)` of each. The groups are locked against their deletion, in the order of
    /// their ids like everywhere; appends go on.
    Advance {
        groups: Vec<i64> as Array<BigInt>,
        users: Vec<i64> as Array<BigInt>,
        seqs: Vec<i64> as Array<BigInt>,
    } -> (BigInt, BigInt, BigInt, BigInt) =
        "WITH logs AS MATERIALIZED (SELECT id, head_seq FROM groups WHERE id = ANY(" [groups] ") \
         AND deleted_at IS NULL ORDER BY id FOR KEY SHARE), \
         moved AS (INSERT INTO read_marks (group_id, user_id, read_seq) \
         SELECT logs.id, asked.user_id, LEAST(asked.seq, logs.head_seq) \
         FROM UNNEST(" [groups] ", " [users] ", " [seqs] ") AS asked (group_id, user_id, seq) \
         JOIN logs ON logs.id = asked.group_id ORDER BY logs.id, asked.user_id \
         ON CONFLICT (group_id, user_id) \
         DO UPDATE SET read_seq = GREATEST(read_marks.read_seq, EXCLUDED.read_seq) \
         RETURNING group_id, user_id, read_seq) \
         SELECT moved.group_id, moved.user_id, moved.read_seq, logs.head_seq \
         FROM moved JOIN logs ON logs.id = moved.group_id"
}

#[async_trait]
impl ReadMarks for PostgresStore {
    /// One statement moves a mark once: of several marks of one user in one group it takes the greatest.
    async fn advance(&self, marks: Vec<ReadMark>) -> Result<Vec<Option<MarkedRead>>, StoreError> {
        if marks.is_empty() {
            return Ok(Vec::new());
        }
        let mut greatest: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        for mark in &marks {
            let seq = greatest
                .entry((mark.group_id.get(), mark.user_id.get()))
                .or_insert(0);
            *seq = mark.seq.get().max(*seq);
        }
        let mut advance = Advance::default();
        for ((group_id, user_id), seq) in greatest {
            advance.groups.push(group_id);
            advance.users.push(user_id);
            advance.seqs.push(seq);
        }
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            let moved: Vec<(i64, i64, i64, i64)> = advance.load(&mut *lease).await?;
            lease.done();
            let mut found = HashMap::with_capacity(moved.len());
            for (group_id, user_id, read, head) in moved {
                let mark = MarkedRead {
                    read: rows::seq("read_marks", "read_seq", read)?,
                    head: rows::seq("groups", "head_seq", head)?,
                };
                found.insert((group_id, user_id), mark);
            }
            Ok(marks
                .iter()
                .map(|mark| found.get(&(mark.group_id.get(), mark.user_id.get())).copied())
                .collect())
        })
        .await
    }

    async fn of_user(&self, user_id: UserId, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let groups: Vec<i64> = groups.iter().map(|id| id.get()).collect();
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let marks: Vec<(i64, i64)> = read_marks::table
                .filter(read_marks::user_id.eq(user_id.get()))
                .filter(read_marks::group_id.eq_any(groups))
                .select((read_marks::group_id, read_marks::read_seq))
                .load(&mut *lease)
                .await?;
            lease.done();
            marks
                .into_iter()
                .map(|(group_id, read)| {
                    Ok((
                        rows::group_id("read_marks", "group_id", group_id)?,
                        rows::seq("read_marks", "read_seq", read)?,
                    ))
                })
                .collect()
        })
        .await
    }
}
