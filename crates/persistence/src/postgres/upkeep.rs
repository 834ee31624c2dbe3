//! Forgetting. What is to be forgotten is looked for without a lock; entries change only under the locks of their groups.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl,
    pg::Pg,
    sql_types::{Array, BigInt, Nullable},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{
    GroupId, Retention, Seq, Timestamp, UserId,
    ports::{StoreError, Trimmed, Upkeep},
};

use super::{PostgresStore, statements::Commit};
use crate::{
    error::Failure,
    fragments, rows,
    schema::users,
    statement::statement,
    trim::{self, AgeQuestion, Cut, Plan, SPAN, Span, TrimRow, Trimmer},
};

statement! { Pg:
    /// The first groups behind an id, ascending; a row of it is a `TrimRow`.
    GroupsBehind {
        after: i64 as BigInt,
        limit: i64 as BigInt,
    } -> (BigInt, BigInt, BigInt, Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>) =
        "SELECT id, head_seq, first_seq, deleted_at, retention_age, retention_count FROM groups WHERE id > " [after]
        " ORDER BY id LIMIT " [limit] ""
}

statement! { Pg:
    /// `(group_id, seq)` of the first of the places of each of these groups that is not too old, where there is one.
    Young {
        groups: Vec<i64> as Array<BigInt>,
        lows: Vec<i64> as Array<BigInt>,
        highs: Vec<i64> as Array<BigInt>,
        cutoffs: Vec<i64> as Array<BigInt>,
    } -> (BigInt, BigInt) =
        "SELECT asked.group_id, young.seq FROM UNNEST(" [groups] ", " [lows] ", " [highs] ", " [cutoffs]
        ") AS asked (group_id, low, high, cutoff) CROSS JOIN LATERAL (SELECT e.seq FROM entries e \
         WHERE e.group_id = asked.group_id AND e.seq BETWEEN asked.low AND asked.high AND e.at >= asked.cutoff \
         ORDER BY e.seq LIMIT 1) AS young"
}

statement! { Pg:
    /// Locks these groups, deleted ones among them, in the order of their ids.
    LockAll { ids: Vec<i64> as Array<BigInt> } -> BigInt =
        "SELECT id FROM groups WHERE id = ANY(" [ids] ") ORDER BY id FOR NO KEY UPDATE"
}

statement! { Pg:
    /// Forgets the entries of these groups from `lows` to `highs`, both included.
    ForgetEntries {
        groups: Vec<i64> as Array<BigInt>,
        lows: Vec<i64> as Array<BigInt>,
        highs: Vec<i64> as Array<BigInt>,
    } -> () =
        "DELETE FROM entries e USING UNNEST(" [groups] ", " [lows] ", " [highs] ") AS cut (group_id, low, high) \
         WHERE e.group_id = cut.group_id AND e.seq BETWEEN cut.low AND cut.high"
}

statement! { Pg:
    /// Moves the first places of these groups' logs forward.
    MoveFirsts {
        groups: Vec<i64> as Array<BigInt>,
        firsts: Vec<i64> as Array<BigInt>,
    } -> () =
        "UPDATE groups SET first_seq = moved.first_seq FROM UNNEST(" [groups] ", " [firsts]
        ") AS moved (id, first_seq) WHERE groups.id = moved.id AND groups.first_seq < moved.first_seq"
}

statement! { Pg:
    /// Of the first entries of all groups behind a place: `(group_id, seq, 0)` of each message and edit of the user, and
    /// `(group_id, seq, number of all)` of the last one.
    SpanBehind {
        group_id: i64 as BigInt,
        seq: i64 as BigInt,
        limit: i64 as BigInt,
        user_id: i64 as BigInt,
    } -> (BigInt, BigInt, BigInt) =
        "WITH span AS MATERIALIZED (SELECT group_id, seq, kind, actor_id FROM entries WHERE (group_id, seq) > ("
        [group_id] ", " [seq] ") ORDER BY group_id, seq LIMIT " [limit] ") \
         SELECT group_id, seq, 0::BIGINT FROM span WHERE kind IN (1, 2) AND actor_id = " [user_id] " UNION ALL \
         SELECT * FROM (SELECT group_id, seq, (SELECT count(*) FROM span) FROM span \
         ORDER BY group_id DESC, seq DESC LIMIT 1) AS last"
}

statement! { Pg:
    /// Removes content, names and client ids from these messages, and content from these edits, unless the message has a
    /// greater id.
    EraseEntries {
        groups: Vec<i64> as Array<BigInt>,
        seqs: Vec<i64> as Array<BigInt>,
        up_to: i64 as BigInt,
    } -> () =
        "UPDATE entries SET content = NULL, client_message_id = NULL, \
         sender_name = CASE WHEN kind = 1 THEN 'Unknown' END \
         FROM UNNEST(" [groups] ", " [seqs] ") AS gone (group_id, seq) \
         WHERE entries.group_id = gone.group_id AND entries.seq = gone.seq AND kind IN (1, 2) \
         AND NOT EXISTS (SELECT 1 FROM entries m WHERE m.group_id = entries.group_id \
         AND m.seq = COALESCE(entries.target_seq, entries.seq) AND m.message_id > " [up_to] ")"
}

#[async_trait]
impl Upkeep for PostgresStore {
    async fn trim(
        &self,
        after: Option<GroupId>,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Trimmed, StoreError> {
        let mut entries = 0;
        for _ in 0..trim::STEPS_ON_FIRST {
            let trimmer = Trimmer::new(after, retention, now);
            let (plan, forgotten) = self
                .call(|pools| async move {
                    let mut lease = pools.readers.lease().await?;
                    let plan = plan(&mut lease, trimmer, after).await?;
                    lease.done();
                    if plan.cuts.is_empty() {
                        return Ok((plan, 0));
                    }
                    let mut lease = pools.writers.lease().await?;
                    lease.batch_execute("BEGIN").await?;
                    let forgotten = cut_all(&mut lease, &plan.cuts).await?;
                    Commit {}.execute(&mut *lease).await?;
                    lease.done();
                    Ok((plan, forgotten))
                })
                .await?;
            entries += forgotten;
            if !plan.again {
                return Ok(plan.outcome(entries));
            }
        }
        // More than so many wait for the next round.
        Ok(Trimmed {
            next: Some(trim::first_group()?),
            entries,
        })
    }

    async fn unfinished_erasures(&self) -> Result<Vec<UserId>, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let ids: Vec<i64> = fragments::unfinished_erasures().load(&mut *lease).await?;
            lease.done();
            ids.into_iter()
                .map(|id| Ok(rows::user_id("users", "id", id)?))
                .collect()
        })
        .await
    }

    async fn erase_content(
        &self,
        user_id: UserId,
        after: Option<(GroupId, Seq)>,
    ) -> Result<Option<(GroupId, Seq)>, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            let span = span(&mut lease, user_id, after).await?;
            lease.batch_execute("BEGIN").await?;
            let next = erase(&mut lease, user_id, span).await?;
            Commit {}.execute(&mut *lease).await?;
            lease.done();
            Ok(next)
        })
        .await
    }
}

async fn plan(
    conn: &mut AsyncPgConnection,
    mut trimmer: Trimmer,
    after: Option<GroupId>,
) -> Result<Plan, Failure> {
    let groups = GroupsBehind {
        after: after.map_or(0, GroupId::get),
        limit: i64::try_from(trim::GROUPS).unwrap_or(i64::MAX),
    };
    let rows: Vec<TrimRow> = groups.load(conn).await?;
    let questions: Vec<Option<AgeQuestion>> = rows.iter().map(|row| trimmer.question(row)).collect();
    let mut asked = Young::default();
    for question in questions.iter().flatten() {
        asked.groups.push(question.group_id);
        asked.lows.push(question.low);
        asked.highs.push(question.high);
        asked.cutoffs.push(question.cutoff);
    }
    let young: HashMap<i64, i64> = if asked.groups.is_empty() {
        HashMap::new()
    } else {
        asked.load(conn).await?.into_iter().collect()
    };
    let mut is_last = rows.len() < trim::GROUPS;
    for (row, question) in rows.iter().zip(questions) {
        let first_young = question.and_then(|asked| young.get(&asked.group_id).copied());
        if !trimmer.plan(row, question, first_young)? {
            is_last = false;
            break;
        }
    }
    Ok(trimmer.finish(is_last))
}

/// Forgets entries inside a transaction, and says so by the first places of their groups.
pub(super) async fn cut_all(conn: &mut AsyncPgConnection, cuts: &[Cut]) -> Result<u64, Failure> {
    let groups: Vec<i64> = cuts.iter().map(|cut| cut.group_id).collect();
    let lock = LockAll { ids: groups.clone() };
    lock.load::<i64>(conn).await?;
    let forget = ForgetEntries {
        groups: groups.clone(),
        lows: cuts.iter().map(|cut| cut.low).collect(),
        highs: cuts.iter().map(|cut| cut.high).collect(),
    };
    let forgotten = forget.execute(conn).await?;
    let firsts = MoveFirsts {
        groups,
        firsts: cuts.iter().map(|cut| cut.first_left()).collect(),
    };
    firsts.execute(conn).await?;
    Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
}

/// The entries of a user among the next ones behind a place.
async fn span(
    conn: &mut AsyncPgConnection,
    user_id: UserId,
    after: Option<(GroupId, Seq)>,
) -> Result<Span, Failure> {
    let (group_id, seq) = after.map_or((0, 0), |(group_id, seq)| (group_id.get(), seq.get()));
    let behind = SpanBehind {
        group_id,
        seq,
        limit: SPAN,
        user_id: user_id.get(),
    };
    let mut span = Span::default();
    for (group_id, seq, all) in behind.load::<(i64, i64, i64)>(conn).await? {
        if all == 0 {
            span.places.push((group_id, seq));
        } else {
            (span.last, span.looked_at) = (Some((group_id, seq)), all);
        }
    }
    Ok(span)
}

async fn erase(
    conn: &mut AsyncPgConnection,
    user_id: UserId,
    span: Span,
) -> Result<Option<(GroupId, Seq)>, Failure> {
    if !span.places.is_empty() {
        let groups: BTreeSet<i64> = span.places.iter().map(|(group_id, _)| *group_id).collect();
        let lock = LockAll {
            ids: groups.into_iter().collect(),
        };
        lock.load::<i64>(conn).await?;
    }
    // The user may have come back since.
    let up_to: Option<Option<i64>> = users::table
        .find(user_id.get())
        .select(users::erase_up_to)
        .for_no_key_update()
        .get_result(conn)
        .await
        .optional()?;
    let Some(up_to) = up_to.flatten() else {
        return Ok(None);
    };
    let next = span.next()?;
    if !span.places.is_empty() {
        let (groups, seqs) = span.places.into_iter().unzip();
        let erase = EraseEntries { groups, seqs, up_to };
        erase.execute(conn).await?;
    }
    if next.is_none() {
        diesel::update(users::table.find(user_id.get()))
            .set(users::erase_up_to.eq(None::<i64>))
            .execute(conn)
            .await?;
    }
    Ok(next)
}
