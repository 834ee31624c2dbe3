//! The log.

use async_trait::async_trait;
use sealroom_domain::{
    Entry, EntryBody, GroupId, LogId, Message, Role, Seq, UserId,
    ports::{
        Appended, Cursor, GroupLog, Guard, MemberLimits, MessagesPage, NewBody, NewEntry, OfOthers, Page,
        PageLimit, RefusedEntry, StoreError,
    },
};

use super::{
    MemoryStore,
    group::GroupState,
    page::{messages_page, page},
    state::State,
};

#[async_trait]
impl GroupLog for MemoryStore {
    async fn log_id(&self) -> Result<LogId, StoreError> {
        Ok(self.state.lock().log_id.clone())
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Result<Vec<Result<Appended, RefusedEntry>>, StoreError> {
        let mut state = self.state.lock();
        Ok(batch.into_iter().map(|entry| state.append(entry)).collect())
    }

    async fn read(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<Page>, StoreError> {
        let state = self.state.lock();
        Ok(state
            .groups
            .get(&group_id)
            .map(|group| page(group, cursor, limit)))
    }

    async fn messages(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<MessagesPage>, StoreError> {
        let state = self.state.lock();
        Ok(state
            .groups
            .get(&group_id)
            .map(|group| messages_page(group, cursor, limit)))
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let state = self.state.lock();
        Ok(groups
            .iter()
            .filter_map(|id| state.groups.get(id).map(|group| (*id, group.head())))
            .collect())
    }
}

/// What an entry comes to before it has a place: the body of a new one, or an answer without one.
enum Outcome {
    New(EntryBody),
    Not(Appended),
}

impl State {
    fn append(&mut self, new: NewEntry) -> Result<Appended, RefusedEntry> {
        let NewEntry { group_id, at, .. } = new;
        if !self.groups.contains_key(&group_id) {
            return Err(RefusedEntry::UnknownGroup);
        }
        self.check_actor(group_id, new.actor_id, new.guard)?;
        match self.outcome(new)? {
            Outcome::New(body) => Ok(Appended::New(self.push(group_id, at, body)?)),
            Outcome::Not(answer) => Ok(answer),
        }
    }

    fn check_actor(&self, group_id: GroupId, actor_id: UserId, guard: Guard) -> Result<(), RefusedEntry> {
        match guard {
            Guard::Kept {
                actor_role: Some(least),
                ..
            } if self.role(group_id, actor_id) < Some(least) => Err(RefusedEntry::ActorRole),
            Guard::Kept { .. } | Guard::Host => Ok(()),
        }
    }

    fn outcome(&mut self, new: NewEntry) -> Result<Outcome, RefusedEntry> {
        let NewEntry {
            group_id,
            actor_id,
            body,
            guard,
            ..
        } = new;
        match body {
            NewBody::Message {
                sender_name,
                content,
                client_message_id,
                key_epoch,
            } => {
                let message = Message {
                    id: self.take_message_id(),
                    sender_id: actor_id,
                    sender_name,
                    content: Some(content),
                    client_message_id,
                    key_epoch,
                };
                match self.group(group_id)?.repeated(&message) {
                    Some(first) => same_message(first, &message).map(Outcome::Not),
                    None => Ok(Outcome::New(EntryBody::Message(message))),
                }
            }
            NewBody::EditMessage { .. } => self.edit(group_id, actor_id, body),
            NewBody::DeleteMessage {
                target_seq,
                of_others,
            } => {
                let of_others = match (of_others, guard) {
                    (OfOthers::Never, _) | (OfOthers::FromRole(_), Guard::Host) => false,
                    (OfOthers::Always, _) => true,
                    (OfOthers::FromRole(least), Guard::Kept { .. }) => {
                        self.role(group_id, actor_id) >= Some(least)
                    }
                };
                self.group(group_id)?.delete(target_seq, actor_id, of_others)
            }
            NewBody::SetMember {
                user_id,
                role,
                limits,
            } => {
                if !self.set_member(group_id, user_id, role, limits, guard)? {
                    return Ok(Outcome::Not(Appended::Unchanged));
                }
                Ok(Outcome::New(EntryBody::MemberAdded {
                    user_id,
                    role,
                    actor_id,
                }))
            }
            NewBody::RemoveMember { user_id, reason } => {
                if !self.remove_member(group_id, user_id, guard)? {
                    return Ok(Outcome::Not(Appended::Unchanged));
                }
                Ok(Outcome::New(EntryBody::MemberRemoved {
                    user_id,
                    reason,
                    actor_id,
                }))
            }
        }
    }

    fn group(&self, group_id: GroupId) -> Result<&GroupState, RefusedEntry> {
        self.groups.get(&group_id).ok_or(RefusedEntry::UnknownGroup)
    }

    fn edit(&self, group_id: GroupId, actor_id: UserId, body: NewBody) -> Result<Outcome, RefusedEntry> {
        let NewBody::EditMessage {
            target_seq,
            content,
            key_epoch,
        } = body
        else {
            return Err(RefusedEntry::NoSuchMessage);
        };
        let group = self.group(group_id)?;
        let message = group.message(target_seq)?;
        if message.content.is_none() {
            return Err(RefusedEntry::NoSuchMessage);
        }
        if message.sender_id != actor_id {
            return Err(RefusedEntry::NotItsSender);
        }
        let content = Some(content);
        if let Some((entry, last)) = group.last_edit(target_seq)
            && last.content == content
            && last.key_epoch == key_epoch
        {
            return Ok(Outcome::Not(Appended::Duplicate(entry.clone())));
        }
        Ok(Outcome::New(EntryBody::MessageEdited {
            target_seq,
            content,
            key_epoch,
            actor_id,
        }))
    }

    /// `false` where nothing changes and no entry is due.
    fn set_member(
        &mut self,
        group_id: GroupId,
        user_id: UserId,
        role: Role,
        limits: MemberLimits,
        guard: Guard,
    ) -> Result<bool, RefusedEntry> {
        let Guard::Kept { keeps_owner, .. } = guard else {
            return Ok(true);
        };
        match self.role(group_id, user_id) {
            Some(present) if present == role => return Ok(false),
            Some(_) if keeps_owner && self.is_last_owner(group_id, user_id) => {
                return Err(RefusedEntry::LastOwner);
            }
            Some(_) => {}
            None => self.check_room(self.members(group_id).count(), user_id, limits)?,
        }
        self.memberships.insert((group_id, user_id), role);
        Ok(true)
    }

    /// `false` where nothing changes and no entry is due.
    fn remove_member(
        &mut self,
        group_id: GroupId,
        user_id: UserId,
        guard: Guard,
    ) -> Result<bool, RefusedEntry> {
        let Guard::Kept { keeps_owner, .. } = guard else {
            return Ok(true);
        };
        if keeps_owner && self.is_last_owner(group_id, user_id) {
            return Err(RefusedEntry::LastOwner);
        }
        Ok(self.memberships.remove(&(group_id, user_id)).is_some())
    }
}

impl GroupState {
    fn message(&self, seq: Seq) -> Result<&Message, RefusedEntry> {
        self.entry(seq)
            .and_then(Entry::message)
            .ok_or(RefusedEntry::NoSuchMessage)
    }

    fn delete(&self, target_seq: Seq, actor_id: UserId, of_others: bool) -> Result<Outcome, RefusedEntry> {
        let message = self.message(target_seq)?;
        if message.sender_id != actor_id && !of_others {
            return Err(RefusedEntry::NotItsSender);
        }
        match self.deletion(target_seq) {
            Some(first) => Ok(Outcome::Not(Appended::Duplicate(first.clone()))),
            None if message.content.is_none() => Err(RefusedEntry::NoSuchMessage),
            None => Ok(Outcome::New(EntryBody::MessageDeleted { target_seq, actor_id })),
        }
    }
}

/// A repetition says the same, as far as the first one still says anything; anything else under its id is refused.
fn same_message(first: &Entry, again: &Message) -> Result<Appended, RefusedEntry> {
    let same = first.message().is_some_and(|message| {
        message.content.is_none()
            || (message.content == again.content && message.key_epoch == again.key_epoch)
    });
    if same {
        Ok(Appended::Duplicate(first.clone()))
    } else {
        Err(RefusedEntry::IdempotencyConflict)
    }
}
