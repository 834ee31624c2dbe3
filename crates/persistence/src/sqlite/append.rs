//! The append: one batch, one transaction.

use std::collections::{HashMap, hash_map};

use diesel::{
    OptionalExtension, RunQueryDsl, SelectableHelper, SqliteConnection, query_dsl::methods::SelectDsl,
};
use sealroom_domain::{
    Entry, EntryBody, GroupId, Message, MessageId, Role, Seq, UserId,
    ports::{Appended, Guard, NewBody, NewEntry, RefusedEntry},
};

use super::{log, memberships};
use crate::{
    error::{Failure, Inconsistency},
    fragments::{self, SetHead, SetNextMessageId},
    rows::{self, EntryRow, NewEntryRow},
    schema::entries,
};

/// What became of an entry, unless the whole batch fails.
type Outcome = Result<Result<Appended, RefusedEntry>, Failure>;

/// Appends a batch inside an open transaction.
pub(super) fn append(
    conn: &mut SqliteConnection,
    batch: Vec<NewEntry>,
) -> Result<Vec<Result<Appended, RefusedEntry>>, Failure> {
    let mut appender = Appender::new(conn);
    let outcomes = batch
        .into_iter()
        .map(|entry| appender.entry(entry))
        .collect::<Result<Vec<_>, _>>()?;
    appender.finish()?;
    Ok(outcomes)
}

/// What a batch has read and will write at its end: heads and counters change once for each batch.
pub(super) struct Appender<'c> {
    conn: &'c mut SqliteConnection,
    /// The heads of the groups' logs; `None` where there is no such group.
    heads: HashMap<GroupId, Option<Counter>>,
    roles: HashMap<(GroupId, UserId), Option<Role>>,
    /// The id of the next message.
    message_ids: Option<Counter>,
}

/// A number of the store that the batch moves.
#[derive(Debug, Clone, Copy)]
struct Counter {
    /// As it was read.
    stored: i64,
    now: i64,
}

impl Counter {
    const fn read(stored: i64) -> Self {
        Self { stored, now: stored }
    }

    /// Where it is to be, if that is not where it is.
    fn moved(self) -> Option<i64> {
        (self.now != self.stored).then_some(self.now)
    }
}

impl<'c> Appender<'c> {
    pub(super) fn new(conn: &'c mut SqliteConnection) -> Self {
        Self {
            conn,
            heads: HashMap::new(),
            roles: HashMap::new(),
            message_ids: None,
        }
    }

    /// Appends one entry.
    pub(super) fn entry(&mut self, entry: NewEntry) -> Outcome {
        let NewEntry {
            group_id,
            actor_id,
            at,
            body,
            guard,
        } = entry;
        let Some(seq) = self.next_seq(group_id)? else {
            return Ok(Err(RefusedEntry::UnknownGroup));
        };
        if let Guard::Kept {
            actor_role: Some(least),
            ..
        } = guard
            && self.role(group_id, actor_id)? < Some(least)
        {
            return Ok(Err(RefusedEntry::ActorRole));
        }
        let body = match body {
            NewBody::Message {
                sender_name,
                content,
                client_message_id,
                key_epoch,
            } => EntryBody::Message(Message {
                id: self.next_message_id()?,
                sender_id: actor_id,
                sender_name,
                content: Some(content),
                client_message_id,
                key_epoch,
            }),
            NewBody::SetMember { user_id, role } => {
                if let Some(outcome) = self.change_member(group_id, user_id, Some(role), guard)? {
                    return Ok(outcome);
                }
                EntryBody::MemberAdded {
                    user_id,
                    role,
                    actor_id,
                }
            }
            NewBody::RemoveMember { user_id, reason } => {
                if let Some(outcome) = self.change_member(group_id, user_id, None, guard)? {
                    return Ok(outcome);
                }
                EntryBody::MemberRemoved {
                    user_id,
                    reason,
                    actor_id,
                }
            }
        };
        self.insert(Entry {
            group_id,
            seq,
            at,
            body,
        })
    }

    /// Writes the heads and the counter that changed.
    pub(super) fn finish(self) -> Result<(), Failure> {
        for (group_id, head) in self.heads {
            if let Some(head_seq) = head.and_then(Counter::moved) {
                SetHead {
                    group_id: group_id.get(),
                    head_seq,
                }
                .execute(self.conn)?;
            }
        }
        if let Some(next) = self.message_ids.and_then(Counter::moved) {
            SetNextMessageId { next }.execute(self.conn)?;
        }
        Ok(())
    }

    /// Inserts the entry at its place. The insert itself finds the message that it may repeat: a look-up before each
    /// insert would read the same index twice.
    fn insert(&mut self, entry: Entry) -> Outcome {
        let inserted = diesel::insert_into(entries::table)
            .values(NewEntryRow::from(&entry))
            .on_conflict_do_nothing()
            .execute(self.conn)?;
        if inserted == 0 {
            return self.repeated(&entry);
        }
        if let Some(Some(head)) = self.heads.get_mut(&entry.group_id) {
            head.now = entry.seq.get();
        }
        if let (Some(ids), Some(message)) = (&mut self.message_ids, entry.message()) {
            ids.now = message.id.get().saturating_add(1);
        }
        Ok(Ok(Appended::New(entry)))
    }

    /// What the message is a repetition of. An entry that is in the way for another reason is a broken head.
    fn repeated(&mut self, entry: &Entry) -> Outcome {
        let before = match entry.message() {
            Some(Message {
                sender_id,
                client_message_id: Some(id),
                ..
            }) => fragments::by_client_message_id(entry.group_id.get(), sender_id.get(), id.as_str())
                .select(EntryRow::as_select())
                .get_result::<EntryRow>(self.conn)
                .optional()?,
            _ => None,
        };
        let before = before.map(Entry::try_from).transpose()?.ok_or(Inconsistency {
            table: "groups",
            column: "head_seq",
        })?;
        let same = match (before.message(), entry.message()) {
            (Some(before), Some(now)) => before.content == now.content && before.key_epoch == now.key_epoch,
            _ => false,
        };
        Ok(if same {
            Ok(Appended::Duplicate(before))
        } else {
            Err(RefusedEntry::IdempotencyConflict)
        })
    }

    /// Changes a membership where the store keeps it; `Some` where there is nothing to append.
    fn change_member(
        &mut self,
        group_id: GroupId,
        user_id: UserId,
        role: Option<Role>,
        guard: Guard,
    ) -> Result<Option<Result<Appended, RefusedEntry>>, Failure> {
        let Guard::Kept { keeps_owner, .. } = guard else {
            return Ok(None);
        };
        let before = self.role(group_id, user_id)?;
        if before == role {
            return Ok(Some(Ok(Appended::Unchanged)));
        }
        if keeps_owner
            && before == Some(Role::Owner)
            && memberships::count_role(self.conn, group_id, Role::Owner)? <= 1
        {
            return Ok(Some(Err(RefusedEntry::LastOwner)));
        }
        match role {
            Some(role) => memberships::set(self.conn, group_id, user_id, role)?,
            None => {
                memberships::remove(self.conn, group_id, user_id)?;
            }
        }
        self.roles.insert((group_id, user_id), role);
        Ok(None)
    }

    /// The place of the group's next entry; `None` where there is no such group.
    fn next_seq(&mut self, group_id: GroupId) -> Result<Option<Seq>, Failure> {
        let head = match self.heads.entry(group_id) {
            hash_map::Entry::Occupied(known) => *known.get(),
            hash_map::Entry::Vacant(unknown) => {
                let head = log::bounds(self.conn, group_id)?.map(|(head, _)| Counter::read(head));
                *unknown.insert(head)
            }
        };
        head.map(|head| rows::seq("groups", "head_seq", head.now.saturating_add(1)))
            .transpose()
            .map_err(Failure::from)
    }

    fn role(&mut self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Failure> {
        match self.roles.entry((group_id, user_id)) {
            hash_map::Entry::Occupied(known) => Ok(*known.get()),
            hash_map::Entry::Vacant(unknown) => {
                Ok(*unknown.insert(memberships::role(self.conn, group_id, user_id)?))
            }
        }
    }

    /// The id of the next message; taken only when the message is inserted.
    fn next_message_id(&mut self) -> Result<MessageId, Failure> {
        let ids = if let Some(ids) = self.message_ids {
            ids
        } else {
            let stored = fragments::next_message_id().get_result(self.conn)?;
            *self.message_ids.insert(Counter::read(stored))
        };
        MessageId::new(ids.now).ok().ok_or_else(|| {
            Inconsistency {
                table: "meta",
                column: "next_message_id",
            }
            .into()
        })
    }
}
