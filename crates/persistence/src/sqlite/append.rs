//! The append: one batch, one transaction, asking and writing entry by entry.

use diesel::{
    OptionalExtension, RunQueryDsl, SelectableHelper, SqliteConnection, connection::DefaultLoadingMode,
    query_dsl::methods::SelectDsl,
};
use sealroom_domain::{Entry, GroupId, Message, MessageId, Role, Seq, UserId, ports::NewEntry};

use super::{
    known::Known,
    log, lookups, memberships,
    statements::{ClearEdits, ClearEntry, InsertEntry, PutIntoOutbox, SetHead, SetNextMessageId},
};
use crate::{
    append::{Appender, Outcomes},
    error::{Failure, Inconsistency},
    ledger::{Ledger, RoleChange},
    rows::{self, EntryRow, NewEntryRow},
    target::Target,
};

/// Appends a batch inside an open transaction, and puts its entries into the outbox where there is one.
pub(super) fn append(
    conn: &mut SqliteConnection,
    known: &mut Known,
    batch: Vec<NewEntry>,
    has_outbox: bool,
) -> Result<Outcomes, Failure> {
    known.begin(conn)?;
    let mut appender = Appender::new(SqliteLedger {
        conn,
        known,
        message_ids: None,
        has_outbox,
    });
    let outcomes = appender.entries(batch)?;
    let (ledger, heads) = appender.finish();
    ledger.finish(heads)?;
    Ok(outcomes)
}

/// The open transaction.
struct SqliteLedger<'c> {
    conn: &'c mut SqliteConnection,
    known: &'c mut Known,
    message_ids: Option<MessageIds>,
    has_outbox: bool,
}

/// The counter of message ids: read once for a batch, written once.
#[derive(Debug, Clone, Copy)]
struct MessageIds {
    stored: i64,
    next: i64,
}

impl SqliteLedger<'_> {
    /// Writes the heads and the counter that changed.
    fn finish(self, heads: Vec<(GroupId, i64)>) -> Result<(), Failure> {
        for (group_id, head_seq) in heads {
            SetHead {
                group_id: group_id.get(),
                head_seq,
            }
            .execute(self.conn)?;
            self.known.set_head(group_id, head_seq);
        }
        match self.message_ids {
            Some(MessageIds { stored, next }) if next != stored => {
                SetNextMessageId { next }.execute(self.conn)?;
                self.known.set_next_message_id(next);
            }
            _ => {}
        }
        Ok(())
    }

    /// What the message is a repetition of. An entry that is in the way for another reason is a broken head.
    fn repeated(&mut self, entry: &Entry) -> Result<Entry, Failure> {
        let before = match entry.message() {
            Some(Message {
                sender_id,
                client_message_id: Some(id),
                ..
            }) => lookups::by_client_message_id(entry.group_id.get(), sender_id.get(), id.as_str())
                .select(EntryRow::as_select())
                .get_result::<EntryRow>(self.conn)
                .optional()?,
            _ => None,
        };
        before.map(Entry::try_from).transpose()?.ok_or_else(|| {
            Inconsistency {
                table: "groups",
                column: "head_seq",
            }
            .into()
        })
    }
}

impl Ledger for SqliteLedger<'_> {
    fn head(&mut self, group_id: GroupId) -> Result<Option<i64>, Failure> {
        let ask = || Ok(log::bounds(self.conn, group_id)?.map(|(head, _)| head));
        self.known.head(group_id, ask)
    }

    fn role(&mut self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Failure> {
        let ask = || memberships::role(self.conn, group_id, user_id);
        self.known.role(group_id, user_id, ask)
    }

    fn owners(&mut self, group_id: GroupId) -> Result<i64, Failure> {
        Ok(memberships::count_role(self.conn, group_id, Role::Owner)?)
    }

    fn members(&mut self, group_id: GroupId) -> Result<i64, Failure> {
        Ok(lookups::count_members(group_id.get()).get_result(self.conn)?)
    }

    fn memberships(&mut self, user_id: UserId) -> Result<i64, Failure> {
        Ok(lookups::count_groups(user_id.get()).get_result(self.conn)?)
    }

    fn target(&mut self, group_id: GroupId, seq: Seq) -> Result<Option<Target>, Failure> {
        let (group_id, seq) = (group_id.get(), seq.get());
        let message: Option<EntryRow> = lookups::entry(group_id, seq)
            .select(EntryRow::as_select())
            .get_result(self.conn)
            .optional()?;
        let Some(message) = message.map(Entry::try_from).transpose()? else {
            return Ok(None);
        };
        let last_change = lookups::changes(group_id, seq)
            .select(EntryRow::as_select())
            .load_iter::<EntryRow, DefaultLoadingMode>(self.conn)?
            .next()
            .transpose()?;
        let last_change = last_change.map(Entry::try_from).transpose()?;
        Ok(Target::new(message, last_change))
    }

    fn next_message_id(&mut self) -> Result<MessageId, Failure> {
        let ids = if let Some(ids) = self.message_ids {
            ids
        } else {
            let ask = || lookups::next_message_id().get_result(self.conn);
            let stored = self.known.next_message_id(ask)?;
            *self.message_ids.insert(MessageIds { stored, next: stored })
        };
        Ok(rows::message_id("meta", "next_message_id", ids.next)?)
    }

    /// The insert itself finds the message that it may repeat: a look-up before each insert would read the same index
    /// twice.
    fn insert(&mut self, entry: &Entry) -> Result<Option<Entry>, Failure> {
        let row = NewEntryRow::from(entry);
        let inserted = if entry.message().is_some() {
            InsertEntry::message(row).execute(self.conn)?
        } else {
            InsertEntry::of_any_kind(row).execute(self.conn)?
        };
        if inserted == 0 {
            return self.repeated(entry).map(Some);
        }
        if let (Some(ids), Some(message)) = (&mut self.message_ids, entry.message()) {
            ids.next = message.id.get().saturating_add(1);
        }
        if self.has_outbox {
            PutIntoOutbox {
                group_id: entry.group_id.get(),
                seq: entry.seq.get(),
            }
            .execute(self.conn)?;
        }
        Ok(None)
    }

    fn clear(&mut self, message: &Entry) -> Result<(), Failure> {
        let (group_id, seq) = (message.group_id.get(), message.seq.get());
        ClearEntry { group_id, seq }.execute(self.conn)?;
        ClearEdits {
            group_id,
            target_seq: seq,
        }
        .execute(self.conn)?;
        Ok(())
    }

    fn set_role(&mut self, group_id: GroupId, user_id: UserId, change: RoleChange) -> Result<(), Failure> {
        match change.after {
            Some(role) => memberships::set(self.conn, group_id, user_id, role)?,
            None => {
                memberships::remove(self.conn, group_id, user_id)?;
            }
        }
        self.known.set_role(group_id, user_id, change.after);
        Ok(())
    }
}
