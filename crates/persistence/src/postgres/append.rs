//! The append: one batch, one transaction, one round trip or two.
//!
//! Messages whose place and whose senders' roles are known from the last appends take one: [`super::at_once`]. Where that
//! does not hold any more, and for everything else, there are two. The first locks the groups and asks everything that the
//! appender may want to know; it decides without asking further; the second writes and commits. Each is a pipeline: its
//! statements are sent together, and the server runs them one after the other. Under `READ COMMITTED` each sees what was
//! committed before it began, so that those behind the locks see the groups as they stay until the commit.

use std::time::Duration;

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::{try_join, try_join3, try_join5};
use sealroom_domain::{
    Entry,
    ports::{Appended, NewEntry},
};
use tokio::time::Instant;

use super::{
    at_once,
    facts::{Answers, Facts, Writes},
    inserts::{InsertEntries, InsertExpected},
    known::{Known, Learned},
    pool::Pool,
    questions::Questions,
    statements::{AtPlaces, Commit, LockGroups, PutIntoOutbox, RollBack},
    unknown::{ASK_AGAIN, Session, became_stored},
};
use crate::{
    append::{Appender, Outcomes},
    error::Failure,
    rows::{EntryRow, NewEntryRow},
};

/// Appends a batch durably, and puts its entries into the outbox where there is one. Whoever calls bounds the time, to
/// `patience`: a little before it is over, an outcome that is still not known is the failure that made it so.
pub(super) async fn append(
    writers: Pool,
    known: Known,
    batch: Vec<NewEntry>,
    has_outbox: bool,
    patience: Duration,
) -> Result<Outcomes, Failure> {
    let end = Instant::now() + patience.saturating_sub(ASK_AGAIN);
    if !has_outbox && let Some(outcomes) = at_once::append(&writers, &known, &batch, end).await? {
        return Ok(outcomes);
    }
    let lease = writers.lease().await?;
    let facts = begin_and_ask(&lease, Questions::of(&batch)).await?;
    let Decided {
        outcomes,
        writes,
        learned,
    } = decide(facts, batch, has_outbox)?;
    if writes.is_empty() && appended(&outcomes).next().is_none() {
        // A commit would wait for the disk, for the locks alone: that takes time, and an outsider would learn by it which
        // groups there are. Where this fails, the server ends the transaction with its connection.
        if (RollBack {}).execute(&mut &*lease).await.is_ok() {
            lease.done();
        }
        return Ok(outcomes);
    }
    match write_and_commit(&lease, &outcomes, writes).await {
        Ok(()) => lease.done(),
        Err(error) => {
            // The server ends the transaction of a connection that is gone, unless it was committed.
            drop(lease);
            became_stored(&writers, Session::HasLocks, &outcomes, end)
                .await
                .ok_or(error)?;
        }
    }
    known.learn(learned);
    Ok(outcomes)
}

/// Appends inside a transaction that is open already.
pub(super) async fn append_inside(
    conn: &AsyncPgConnection,
    batch: Vec<NewEntry>,
    has_outbox: bool,
) -> Result<Outcomes, Failure> {
    let facts = ask(conn, Questions::of(&batch)).await?;
    let decided = decide(facts, batch, has_outbox)?;
    write(conn, &decided.outcomes, decided.writes).await?;
    Ok(decided.outcomes)
}

/// Runs every statement of an append once, on nothing, so that all of them are prepared: one that is not costs a round
/// trip of its own in the middle of its pipeline.
pub(super) async fn rehearse(conn: &AsyncPgConnection) -> Result<(), Failure> {
    (&mut &*conn).batch_execute("BEGIN").await?;
    ask(conn, Questions::rehearsal()).await?;
    write(conn, &Vec::new(), Writes::rehearsal()).await?;
    InsertEntries::default().execute(&mut &*conn).await?;
    InsertExpected::default()
        .load::<(i64, i64, Option<i64>)>(&mut &*conn)
        .await?;
    AtPlaces::default().load::<EntryRow>(&mut &*conn).await?;
    Commit {}.execute(&mut &*conn).await?;
    (&mut &*conn).batch_execute("BEGIN").await?;
    RollBack {}.execute(&mut &*conn).await?;
    Ok(())
}

/// What becomes of a batch.
struct Decided {
    outcomes: Outcomes,
    writes: Writes,
    learned: Learned,
}

fn decide(facts: Facts, batch: Vec<NewEntry>, has_outbox: bool) -> Result<Decided, Failure> {
    let mut appender = Appender::new(facts);
    let outcomes = appender.entries(batch)?;
    let (facts, heads) = appender.finish();
    let learned = facts.learned(&heads);
    let mut writes = facts.writes(heads);
    if has_outbox {
        let (groups, seqs): (Vec<i64>, Vec<i64>) = appended(&outcomes)
            .map(|entry| (entry.group_id.get(), entry.seq.get()))
            .unzip();
        writes.outbox = (!groups.is_empty()).then_some(PutIntoOutbox { groups, seqs });
    }
    Ok(Decided {
        outcomes,
        writes,
        learned,
    })
}

async fn begin_and_ask(conn: &AsyncPgConnection, questions: Questions) -> Result<Facts, Failure> {
    let begin = async { Ok((&mut &*conn).batch_execute("BEGIN").await?) };
    // In this order: joined futures are polled, and so send, from the first to the last.
    let ((), facts) = try_join(begin, ask(conn, questions)).await?;
    Ok(facts)
}

/// Locks the groups of a batch, and asks what its entries depend on.
async fn ask(conn: &AsyncPgConnection, questions: Questions) -> Result<Facts, Failure> {
    let lock = LockGroups {
        ids: questions.groups,
    };
    let (places, last_changes) = questions.targets.unzip();
    let (lock_users, memberships) = questions.memberships.unzip();
    // Of joined futures each is polled, and so sends, after the one before it: the locks come first.
    let ((heads, roles, owners, repeated, message_ids), (targets, changes), (_, members, memberships)) =
        try_join3(
            try_join5(
                lock.load::<(i64, i64)>(&mut &*conn),
                if_asked(
                    questions
                        .roles
                        .map(|asked| asked.load::<(i64, i64, String)>(&mut &*conn)),
                ),
                if_asked(
                    questions
                        .owners
                        .map(|asked| asked.load::<(i64, i64)>(&mut &*conn)),
                ),
                if_asked(
                    questions
                        .client_ids
                        .map(|asked| asked.load::<EntryRow>(&mut &*conn)),
                ),
                if_asked(questions.message_ids.map(|asked| asked.load::<i64>(&mut &*conn))),
            ),
            try_join(
                if_asked(places.map(|asked| asked.load::<EntryRow>(&mut &*conn))),
                if_asked(last_changes.map(|asked| asked.load::<EntryRow>(&mut &*conn))),
            ),
            try_join3(
                if_asked(lock_users.map(|lock| lock.load::<i64>(&mut &*conn))),
                if_asked(
                    questions
                        .members
                        .map(|asked| asked.load::<(i64, i64)>(&mut &*conn)),
                ),
                if_asked(memberships.map(|asked| asked.load::<(i64, i64)>(&mut &*conn))),
            ),
        )
        .await?;
    Facts::new(Answers {
        heads,
        roles,
        owners,
        repeated,
        message_ids,
        targets,
        changes,
        members,
        memberships,
    })
}

async fn write_and_commit(conn: &AsyncPgConnection, outcomes: &Outcomes, writes: Writes) -> QueryResult<()> {
    try_join(write(conn, outcomes, writes), Commit {}.execute(&mut &*conn)).await?;
    Ok(())
}

async fn write(conn: &AsyncPgConnection, outcomes: &Outcomes, writes: Writes) -> QueryResult<()> {
    let mut insert = InsertEntries::default();
    insert.extend(appended(outcomes).map(NewEntryRow::from));
    let insert = (!insert.is_empty()).then_some(insert);
    let rows = try_join5(
        if_any(insert.map(|entries| entries.execute(&mut &*conn))),
        if_any(writes.heads.map(|heads| heads.execute(&mut &*conn))),
        if_any(writes.users.map(|users| users.execute(&mut &*conn))),
        if_any(writes.members.map(|members| members.execute(&mut &*conn))),
        if_any(writes.gone.map(|gone| gone.execute(&mut &*conn))),
    );
    // Behind the inserts: an entry of this batch may lose its content too.
    let contents = try_join(
        if_any(writes.cleared.map(|cleared| cleared.execute(&mut &*conn))),
        if_any(writes.outbox.map(|items| items.execute(&mut &*conn))),
    );
    try_join(rows, contents).await?;
    Ok(())
}

pub(super) fn appended(outcomes: &Outcomes) -> impl Iterator<Item = &Entry> {
    outcomes.iter().filter_map(|outcome| match outcome {
        Ok(Appended::New(entry)) => Some(entry),
        _ => None,
    })
}

async fn if_asked<T>(question: Option<impl Future<Output = QueryResult<Vec<T>>>>) -> QueryResult<Vec<T>> {
    match question {
        Some(question) => question.await,
        None => Ok(Vec::new()),
    }
}

async fn if_any(change: Option<impl Future<Output = QueryResult<usize>>>) -> QueryResult<usize> {
    match change {
        Some(change) => change.await,
        None => Ok(0),
    }
}
