//! What an append decides, on any store: the next place, the guard, the repetition, the membership.
//!
//! A store adds a [`Ledger`]: SQLite asks and writes as the appender goes, PostgreSQL has asked for everything before
//! and writes everything after.

use std::collections::{HashMap, hash_map};

use sealroom_domain::{
    Entry, EntryBody, GroupId, Message, MessageId, Role, Seq, UserId,
    ports::{Appended, Guard, NewBody, NewEntry, RefusedEntry},
};

use crate::{error::Failure, rows};

/// What became of each entry of a batch, in their order.
pub(crate) type Outcomes = Vec<Result<Appended, RefusedEntry>>;

/// What became of an entry, unless the whole batch fails.
pub(crate) type Outcome = Result<Result<Appended, RefusedEntry>, Failure>;

/// The part of a store that an append works on, inside its transaction.
pub(crate) trait Ledger {
    /// The place of the last entry of a group's log before this batch; `None` where there is no such group. Asked once
    /// for each group.
    fn head(&mut self, group_id: GroupId) -> Result<Option<i64>, Failure>;

    /// The role of a user before this batch. Asked once for each pair.
    fn role(&mut self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Failure>;

    /// How many owners a group has now, with the changes of this batch.
    fn owners(&mut self, group_id: GroupId) -> Result<i64, Failure>;

    /// The id of the next message. Another one only after a message was inserted.
    fn next_message_id(&mut self) -> Result<MessageId, Failure>;

    /// Puts an entry at its place; answers the message that it repeats where it is none of its own.
    fn insert(&mut self, entry: &Entry) -> Result<Option<Entry>, Failure>;

    /// Changes a membership; `None` ends it.
    fn set_role(&mut self, group_id: GroupId, user_id: UserId, change: RoleChange) -> Result<(), Failure>;
}

/// A change of a membership; `None` is no membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoleChange {
    pub(crate) before: Option<Role>,
    pub(crate) after: Option<Role>,
}

/// Appends the entries of a batch one after the other.
pub(crate) struct Appender<L> {
    ledger: L,
    /// The heads of the groups' logs; `None` where there is no such group.
    heads: HashMap<GroupId, Option<Head>>,
    roles: HashMap<(GroupId, UserId), Option<Role>>,
}

/// The head of a log, which the batch moves.
#[derive(Debug, Clone, Copy)]
struct Head {
    before: i64,
    now: i64,
}

impl<L: Ledger> Appender<L> {
    pub(crate) fn new(ledger: L) -> Self {
        Self {
            ledger,
            heads: HashMap::new(),
            roles: HashMap::new(),
        }
    }

    /// Appends a whole batch.
    pub(crate) fn entries(&mut self, batch: Vec<NewEntry>) -> Result<Outcomes, Failure> {
        batch.into_iter().map(|entry| self.entry(entry)).collect()
    }

    /// The ledger, and the heads that moved: they are written once for the whole batch.
    pub(crate) fn finish(self) -> (L, Vec<(GroupId, i64)>) {
        let moved = self
            .heads
            .into_iter()
            .filter_map(|(group_id, head)| Some((group_id, head?)))
            .filter(|(_, head)| head.now != head.before)
            .map(|(group_id, head)| (group_id, head.now))
            .collect();
        (self.ledger, moved)
    }

    /// Appends one entry.
    pub(crate) fn entry(&mut self, entry: NewEntry) -> Outcome {
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
                id: self.ledger.next_message_id()?,
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

    fn insert(&mut self, entry: Entry) -> Outcome {
        if let Some(before) = self.ledger.insert(&entry)? {
            return Ok(repetition(before, &entry));
        }
        if let Some(Some(head)) = self.heads.get_mut(&entry.group_id) {
            head.now = entry.seq.get();
        }
        Ok(Ok(Appended::New(entry)))
    }

    /// Changes a membership where the store keeps it; `Some` where there is nothing to append.
    fn change_member(
        &mut self,
        group_id: GroupId,
        user_id: UserId,
        after: Option<Role>,
        guard: Guard,
    ) -> Result<Option<Result<Appended, RefusedEntry>>, Failure> {
        let Guard::Kept { keeps_owner, .. } = guard else {
            return Ok(None);
        };
        let before = self.role(group_id, user_id)?;
        if before == after {
            return Ok(Some(Ok(Appended::Unchanged)));
        }
        if keeps_owner && before == Some(Role::Owner) && self.ledger.owners(group_id)? <= 1 {
            return Ok(Some(Err(RefusedEntry::LastOwner)));
        }
        self.ledger
            .set_role(group_id, user_id, RoleChange { before, after })?;
        self.roles.insert((group_id, user_id), after);
        Ok(None)
    }

    /// The place of the group's next entry; `None` where there is no such group.
    fn next_seq(&mut self, group_id: GroupId) -> Result<Option<Seq>, Failure> {
        let head = match self.heads.entry(group_id) {
            hash_map::Entry::Occupied(known) => *known.get(),
            hash_map::Entry::Vacant(unknown) => {
                let head = self.ledger.head(group_id)?;
                *unknown.insert(head.map(|now| Head { before: now, now }))
            }
        };
        head.map(|head| rows::seq("groups", "head_seq", head.now.saturating_add(1)))
            .transpose()
            .map_err(Failure::from)
    }

    fn role(&mut self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Failure> {
        match self.roles.entry((group_id, user_id)) {
            hash_map::Entry::Occupied(known) => Ok(*known.get()),
            hash_map::Entry::Vacant(unknown) => Ok(*unknown.insert(self.ledger.role(group_id, user_id)?)),
        }
    }
}

/// A message under the `client_message_id` of another one is that one, or in conflict with it.
fn repetition(before: Entry, entry: &Entry) -> Result<Appended, RefusedEntry> {
    let same = match (before.message(), entry.message()) {
        (Some(before), Some(now)) => before.content == now.content && before.key_epoch == now.key_epoch,
        _ => false,
    };
    if same {
        Ok(Appended::Duplicate(before))
    } else {
        Err(RefusedEntry::IdempotencyConflict)
    }
}
