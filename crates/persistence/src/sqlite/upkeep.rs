//! Forgetting. What is to be forgotten is looked for on a reader, so that the writer is not held for it.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection,
    connection::DefaultLoadingMode,
};
use sealroom_domain::{
    GroupId, Retention, Seq, Timestamp, UserId,
    ports::{StoreError, Trimmed, Upkeep},
};

use super::{
    SqliteStore, lookups,
    statements::{EntriesBehind, EraseEntry, ForgetEntries, MoveFirst},
};
use crate::{
    error::Failure,
    fragments, rows,
    schema::users,
    trim::{self, AgeQuestion, Cut, Plan, SPAN, Span, TrimRow, Trimmer},
};

#[async_trait]
impl Upkeep for SqliteStore {
    async fn trim(
        &self,
        after: Option<GroupId>,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Trimmed, StoreError> {
        let mut entries = 0;
        for _ in 0..trim::STEPS_ON_FIRST {
            let plan = self
                .read(move |conn| plan(conn, Trimmer::new(after, retention, now), after))
                .await?;
            let cuts = plan.cuts.clone();
            if !cuts.is_empty() {
                entries += self.write(move |conn| cut_all(conn, cuts)).await?;
            }
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
        self.read(|conn| {
            let ids: Vec<i64> = fragments::unfinished_erasures().load(conn)?;
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
        let found = self
            .read(move |conn| {
                if erase_up_to(conn, user_id)?.is_none() {
                    return Ok(None);
                }
                span(conn, user_id, after).map(Some)
            })
            .await?;
        match found {
            Some(span) => self.write(move |conn| erase(conn, user_id, &span)).await,
            None => Ok(None),
        }
    }
}

fn plan(conn: &mut SqliteConnection, mut trimmer: Trimmer, after: Option<GroupId>) -> Result<Plan, Failure> {
    let rows: Vec<TrimRow> = lookups::groups_behind(after.map_or(0, GroupId::get))
        .load_iter::<TrimRow, DefaultLoadingMode>(conn)?
        .take(trim::GROUPS)
        .collect::<QueryResult<_>>()?;
    let mut is_last = rows.len() < trim::GROUPS;
    for row in &rows {
        let question = trimmer.question(row);
        let young = match question {
            Some(question) => young(conn, question)?,
            None => None,
        };
        if !trimmer.plan(row, question, young)? {
            is_last = false;
            break;
        }
    }
    Ok(trimmer.finish(is_last))
}

/// The first of the places that is not too old.
fn young(conn: &mut SqliteConnection, question: AgeQuestion) -> Result<Option<i64>, Failure> {
    let times = lookups::times(question.group_id, question.low, question.high)
        .load_iter::<(i64, i64), DefaultLoadingMode>(conn)?;
    for time in times {
        let (seq, at) = time?;
        if at >= question.cutoff {
            return Ok(Some(seq));
        }
    }
    Ok(None)
}

fn cut_all(conn: &mut SqliteConnection, cuts: Vec<Cut>) -> Result<u64, Failure> {
    let mut entries = 0;
    for one in cuts {
        entries += cut(conn, one)?;
    }
    Ok(entries)
}

/// Forgets entries of a group, which says so by its first place.
pub(super) fn cut(conn: &mut SqliteConnection, cut: Cut) -> Result<u64, Failure> {
    let forgotten = ForgetEntries {
        group_id: cut.group_id,
        low: cut.low,
        high: cut.high,
    }
    .execute(conn)?;
    MoveFirst {
        group_id: cut.group_id,
        first_seq: cut.first_left(),
    }
    .execute(conn)?;
    Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
}

/// The entries of a user among the next ones behind a place.
fn span(
    conn: &mut SqliteConnection,
    user_id: UserId,
    after: Option<(GroupId, Seq)>,
) -> Result<Span, Failure> {
    let (group_id, seq) = after.map_or((0, 0), |(group_id, seq)| (group_id.get(), seq.get()));
    let mut span = Span::default();
    let rows = EntriesBehind { group_id, seq }.load_iter::<(i64, i64, i16, i64), DefaultLoadingMode>(conn)?;
    for row in rows {
        let (group_id, seq, kind, actor_id) = row?;
        if (kind == 1 || kind == 2) && actor_id == user_id.get() {
            span.places.push((group_id, seq));
        }
        span.looked_at += 1;
        span.last = Some((group_id, seq));
        if span.looked_at >= SPAN {
            break;
        }
    }
    Ok(span)
}

/// Up to which message the content of a user is to go; `None` where nothing is to.
fn erase_up_to(conn: &mut SqliteConnection, user_id: UserId) -> Result<Option<i64>, Failure> {
    let up_to: Option<Option<i64>> = users::table
        .find(user_id.get())
        .select(users::erase_up_to)
        .get_result(conn)
        .optional()?;
    Ok(up_to.flatten())
}

fn erase(
    conn: &mut SqliteConnection,
    user_id: UserId,
    span: &Span,
) -> Result<Option<(GroupId, Seq)>, Failure> {
    // The user may have come back since.
    let Some(up_to) = erase_up_to(conn, user_id)? else {
        return Ok(None);
    };
    for (group_id, seq) in &span.places {
        EraseEntry {
            group_id: *group_id,
            seq: *seq,
            up_to,
        }
        .execute(conn)?;
    }
    let next = span.next()?;
    if next.is_none() {
        diesel::update(users::table.find(user_id.get()))
            .set(users::erase_up_to.eq(None::<i64>))
            .execute(conn)?;
    }
    Ok(next)
}
