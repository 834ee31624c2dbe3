//! The log.

use async_trait::async_trait;
use sealroom_domain::{
    Entry, EntryBody, GroupId, LogId, Message, Role, Seq, UserId,
    ports::{
        Appended, Cursor, GroupLog, Guard, NewBody, NewEntry, Page, PageLimit, RefusedEntry, StoreError,
    },
};

use super::{MemoryStore, page::page, state::State};

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
            .map(|group| page(&group.entries, cursor, limit)))
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let state = self.state.lock();
        Ok(groups
            .iter()
            .filter_map(|id| state.groups.get(id).map(|group| (*id, group.head())))
            .collect())
    }
}

impl State {
    fn append(&mut self, new: NewEntry) -> Result<Appended, RefusedEntry> {
        let NewEntry {
            group_id,
            actor_id,
            at,
            body,
            guard,
        } = new;
        if !self.groups.contains_key(&group_id) {
            return Err(RefusedEntry::UnknownGroup);
        }
        self.check_actor(group_id, actor_id, guard)?;
        let body = match body {
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
                if let Some(first) = self.repeated(group_id, &message) {
                    return same_message(first, &message);
                }
                EntryBody::Message(message)
            }
            NewBody::SetMember { user_id, role } => {
                if !self.set_member(group_id, user_id, role, guard)? {
                    return Ok(Appended::Unchanged);
                }
                EntryBody::MemberAdded {
                    user_id,
                    role,
                    actor_id,
                }
            }
            NewBody::RemoveMember { user_id, reason } => {
                if !self.remove_member(group_id, user_id, guard)? {
                    return Ok(Appended::Unchanged);
                }
                EntryBody::MemberRemoved {
                    user_id,
                    reason,
                    actor_id,
                }
            }
        };
        let group = self.groups.get_mut(&group_id).ok_or(RefusedEntry::UnknownGroup)?;
        if let EntryBody::Message(Message {
            sender_id,
            client_message_id: Some(client_message_id),
            ..
        }) = &body
        {
            let key = (*sender_id, client_message_id.clone());
            group.by_client_id.insert(key, group.entries.len());
        }
        Ok(Appended::New(group.push(group_id, at, body)))
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

    /// The entry of the message with the same group, sender and client id.
    fn repeated(&self, group_id: GroupId, message: &Message) -> Option<&Entry> {
        let key = (message.sender_id, message.client_message_id.clone()?);
        let group = self.groups.get(&group_id)?;
        group.entries.get(*group.by_client_id.get(&key)?)
    }

    /// `false` where nothing changes and no entry is due.
    fn set_member(
        &mut self,
        group_id: GroupId,
        user_id: UserId,
        role: Role,
        guard: Guard,
    ) -> Result<bool, RefusedEntry> {
        let Guard::Kept { keeps_owner, .. } = guard else {
            return Ok(true);
        };
        if self.role(group_id, user_id) == Some(role) {
            return Ok(false);
        }
        if keeps_owner && self.is_last_owner(group_id, user_id) {
            return Err(RefusedEntry::LastOwner);
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

/// A repetition says the same; anything else under its id is refused.
fn same_message(first: &Entry, again: &Message) -> Result<Appended, RefusedEntry> {
    let same = first
        .message()
        .is_some_and(|message| message.content == again.content && message.key_epoch == again.key_epoch);
    if same {
        Ok(Appended::Duplicate(first.clone()))
    } else {
        Err(RefusedEntry::IdempotencyConflict)
    }
}
