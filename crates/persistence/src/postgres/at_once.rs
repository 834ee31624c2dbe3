//! The append of messages in one round trip: decided by what is known, and stored by one statement if that still holds.

use std::collections::HashMap;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::RunQueryDsl;
use sealroom_domain::{
    Entry, EntryBody, GroupId,
    ports::{Appended, NewEntry},
};
use tokio::time::Instant;

use super::{
    append::appended,
    inserts::InsertExpected,
    known::{Expected, Known, Learned},
    pool::Pool,
    statements::RollBack,
    unknown::{Session, became_stored},
};
use crate::{
    append::{Appender, Outcomes},
    error::{Failure, Inconsistency},
    rows::{self, NewEntryRow},
};

/// `(group_id, seq, message_id)`
type Stored = (i64, i64, Option<i64>);

/// Appends a batch; `None` where that takes more than one round trip, and nothing was stored.
pub(super) async fn append(
    writers: &Pool,
    known: &Known,
    batch: &[NewEntry],
    end: Instant,
) -> Result<Option<Outcomes>, Failure> {
    let Some(expected) = known.of(batch) else {
        return Ok(None);
    };
    let mut appender = Appender::new(expected);
    let mut outcomes = appender.entries(batch.to_vec())?;
    if !outcomes
        .iter()
        .all(|outcome| matches!(outcome, Ok(Appended::New(_))))
    {
        // Who is refused is refused by what the server says.
        return Ok(None);
    }
    let (expected, mut moved) = appender.finish();
    moved.sort_unstable();
    let lease = writers.lease().await?;
    let process = lease.process();
    let answer: Result<Vec<Stored>, DieselError> =
        statement(&outcomes, &expected, &moved).load(&mut &*lease).await;
    let stored = match answer {
        Ok(stored) => {
            lease.done();
            stored
        }
        Err(error) if (RollBack {}).execute(&mut &*lease).await.is_ok() => {
            // The session answers: the statement was undone.
            let DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) = error else {
                return Err(error.into());
            };
            // A message repeats another one.
            lease.done();
            return Ok(None);
        }
        Err(error) => {
            drop(lease);
            let stored = became_stored(writers, Session::MayBegin(process), &outcomes, end).await;
            let id = |entry: &Entry| entry.message().map(|message| message.id.get());
            stored
                .ok_or(error)?
                .iter()
                .map(|entry| (entry.group_id.get(), entry.seq.get(), id(entry)))
                .collect()
        }
    };
    if stored.is_empty() {
        known.doubt(&expected);
        return Ok(None);
    }
    give_ids(&mut outcomes, stored)?;
    known.learn(Learned {
        heads: expected
            .heads
            .into_iter()
            .zip(moved)
            .map(|((group_id, before), (_, after))| (group_id, before, after))
            .collect(),
        roles: Vec::new(),
    });
    Ok(Some(outcomes))
}

fn statement<'a>(
    outcomes: &'a Outcomes,
    expected: &Expected,
    moved: &[(GroupId, i64)],
) -> InsertExpected<'a> {
    let mut insert = InsertExpected::default();
    insert.messages.extend(appended(outcomes).map(NewEntryRow::from));
    for (group_id, head) in &expected.heads {
        insert.groups.push(group_id.get());
        insert.heads.push(*head);
    }
    insert.moved.extend(moved.iter().map(|(_, head)| *head));
    for ((group_id, user_id), role) in &expected.roles {
        insert.member_groups.push(group_id.get());
        insert.members.push(user_id.get());
        insert.roles.push(role.as_str());
    }
    insert
}

/// The messages get the ids that the server gave them.
fn give_ids(outcomes: &mut Outcomes, stored: Vec<Stored>) -> Result<(), Inconsistency> {
    let ids: HashMap<(i64, i64), i64> = stored
        .into_iter()
        .filter_map(|(group_id, seq, id)| Some(((group_id, seq), id?)))
        .collect();
    for outcome in outcomes {
        if let Ok(Appended::New(entry)) = outcome
            && let EntryBody::Message(message) = &mut entry.body
        {
            let id = ids.get(&(entry.group_id.get(), entry.seq.get()));
            message.id = rows::message_id("entries", "message_id", id.copied().unwrap_or(0))?;
        }
    }
    Ok(())
}
