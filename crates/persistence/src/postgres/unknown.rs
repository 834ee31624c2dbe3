//! Appends of which nobody has heard how they ended.

use std::{
    collections::{BTreeSet, HashMap},
    error::Error,
    time::Duration,
};

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{Entry, EntryBody, GroupId, Seq};
use tokio::time::{Instant, timeout_at};

use super::{
    append::appended,
    connection::ServerProcess,
    pool::Pool,
    statements::{AtPlaces, Commit, EndSession, LockGroups},
};
use crate::{append::Outcomes, error::Failure, rows::EntryRow};

/// Between two questions for the outcome of a commit.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The session in which an append was under way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Session {
    /// It holds the locks of the groups, which are free only when the transaction has ended, in one way or the other.
    HasLocks,
    /// Its statement may be on its way still, and be run later: it is ended first.
    MayBegin(ServerProcess),
}

/// A commit failed, or nothing more was heard of it: what is in the log decides. Answers the entries as they are there,
/// where all of them are; none is where one is not, or where nobody can say until the end.
pub(super) async fn became_stored(
    writers: &Pool,
    session: Session,
    outcomes: &Outcomes,
    end: Instant,
) -> Option<Vec<Entry>> {
    let asked = async {
        loop {
            match stored(writers, session, outcomes).await {
                Ok(stored) => return stored,
                Err(failure) => {
                    note_unknown(&failure);
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    };
    timeout_at(end, asked).await.ok()?
}

fn note_unknown(error: &(dyn Error + 'static)) {
    tracing::debug!(error, "the outcome of a commit is not known yet");
}

async fn stored(
    writers: &Pool,
    session: Session,
    outcomes: &Outcomes,
) -> Result<Option<Vec<Entry>>, Failure> {
    let ours: HashMap<(GroupId, Seq), &Entry> = appended(outcomes)
        .map(|entry| ((entry.group_id, entry.seq), entry))
        .collect();
    let groups: BTreeSet<i64> = ours.keys().map(|(group_id, _)| group_id.get()).collect();
    let lock = LockGroups {
        ids: groups.into_iter().collect(),
    };
    let places = AtPlaces {
        groups: ours.keys().map(|(group_id, _)| group_id.get()).collect(),
        seqs: ours.keys().map(|(_, seq)| seq.get()).collect(),
    };
    let lease = writers.lease().await?;
    let conn = &*lease;
    if let Session::MayBegin(process) = session {
        end_session(conn, process).await?;
    }
    (&mut &*conn).batch_execute("BEGIN").await?;
    lock.load::<(i64, i64)>(&mut &*conn).await?;
    let found = places.load::<EntryRow>(&mut &*conn).await?;
    Commit {}.execute(&mut &*conn).await?;
    lease.done();
    let mut stored = Vec::with_capacity(ours.len());
    for row in found {
        let found = Entry::try_from(row)?;
        let place = (found.group_id, found.seq);
        if ours.get(&place).is_some_and(|entry| is_same(entry, &found)) {
            stored.push(found);
        }
    }
    Ok((!stored.is_empty() && stored.len() == ours.len()).then_some(stored))
}

/// Ends a session of ours, and waits until it is gone.
async fn end_session(conn: &AsyncPgConnection, process: ServerProcess) -> QueryResult<()> {
    loop {
        let running: Vec<bool> = (EndSession { process: process.0 }).load(&mut &*conn).await?;
        if running.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// A message is known by its sender, its moment and its client's id, as an edit is by its moment, whatever became of
/// their content since; another entry by all that it says. (Not by the id of a message, which the server may have given
/// it.)
fn is_same(ours: &Entry, found: &Entry) -> bool {
    let is_of_the_moment = ours.at == found.at;
    match (&ours.body, &found.body) {
        (EntryBody::Message(ours), EntryBody::Message(found)) => {
            is_of_the_moment
                && ours.sender_id == found.sender_id
                && ours.client_message_id == found.client_message_id
                && (found.content.is_none() || ours.content == found.content)
        }
        (
            EntryBody::MessageEdited {
                target_seq, actor_id, ..
            },
            EntryBody::MessageEdited {
                target_seq: found_target,
                actor_id: found_actor,
                content: None,
                ..
            },
        ) => is_of_the_moment && target_seq == found_target && actor_id == found_actor,
        _ => ours == found,
    }
}
