//! The message that an edit or a deletion is about, on any store.

use sealroom_domain::{
    EncryptedContent, Entry, EntryBody, KeyEpoch, UserId,
    ports::{Appended, RefusedEntry},
};

/// A message with the last of its changes, both as they are now.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    message: Entry,
    sender_id: UserId,
    last_change: Option<Entry>,
}

impl Target {
    /// `None` where the entry is no message.
    pub(crate) fn new(message: Entry, last_change: Option<Entry>) -> Option<Self> {
        let sender_id = message.message()?.sender_id;
        Some(Self {
            message,
            sender_id,
            last_change,
        })
    }

    /// The message's entry.
    pub(crate) fn message(&self) -> &Entry {
        &self.message
    }

    /// Notes a change that was appended.
    pub(crate) fn change(&mut self, entry: Entry) {
        if matches!(entry.body, EntryBody::MessageDeleted { .. })
            && let EntryBody::Message(message) = &mut self.message.body
        {
            message.content = None;
        }
        self.last_change = Some(entry);
    }

    /// What an edit is answered where it is none to append.
    pub(crate) fn edit(
        &self,
        actor_id: UserId,
        new: &EncryptedContent,
        new_epoch: Option<KeyEpoch>,
    ) -> Option<Result<Appended, RefusedEntry>> {
        if self.is_gone() {
            return Some(Err(RefusedEntry::NoSuchMessage));
        }
        if actor_id != self.sender_id {
            return Some(Err(RefusedEntry::NotItsSender));
        }
        let last = self.last_change.as_ref()?;
        match &last.body {
            EntryBody::MessageEdited {
                content: Some(content),
                key_epoch,
                ..
            } if content == new && *key_epoch == new_epoch => Some(Ok(Appended::Duplicate(last.clone()))),
            _ => None,
        }
    }

    /// What a deletion is answered where it is none to append.
    pub(crate) fn delete(
        &self,
        actor_id: UserId,
        may_others: bool,
    ) -> Option<Result<Appended, RefusedEntry>> {
        if actor_id != self.sender_id && !may_others {
            return Some(Err(RefusedEntry::NotItsSender));
        }
        match &self.last_change {
            Some(last) if matches!(last.body, EntryBody::MessageDeleted { .. }) => {
                Some(Ok(Appended::Duplicate(last.clone())))
            }
            _ => self.is_gone().then_some(Err(RefusedEntry::NoSuchMessage)),
        }
    }

    fn is_gone(&self) -> bool {
        self.message
            .message()
            .is_none_or(|message| message.content.is_none())
    }
}
