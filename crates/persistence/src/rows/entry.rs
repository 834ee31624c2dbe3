//! Rows of `entries`.

use diesel::{Queryable, Selectable};
use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, Entry, EntryBody, KeyEpoch, Message, RemovalReason, Seq,
    Timestamp, UserId,
};

use super::{group_id, message_id, role, seq, user_id, valid};
use crate::{error::Inconsistency, schema::entries};

/// The kinds of entries in the store.
mod kind {
    pub(super) const MESSAGE: i16 = 1;
    pub(super) const MESSAGE_EDITED: i16 = 2;
    pub(super) const MESSAGE_DELETED: i16 = 3;
    pub(super) const MEMBER_ADDED: i16 = 4;
    pub(super) const MEMBER_REMOVED: i16 = 5;
    pub(super) const KEY_EPOCH_CHANGED: i16 = 6;
}

/// The value of a column of `entries` that an entry of this kind cannot be without.
fn present<T>(column: &'static str, value: Option<T>) -> Result<T, Inconsistency> {
    value.ok_or(Inconsistency {
        table: "entries",
        column,
    })
}

/// An entry that is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = entries)]
pub(crate) struct EntryRow {
    group_id: i64,
    seq: i64,
    kind: i16,
    at: i64,
    actor_id: i64,
    message_id: Option<i64>,
    target_seq: Option<i64>,
    user_id: Option<i64>,
    role: Option<String>,
    reason: Option<String>,
    key_epoch: Option<i64>,
    client_message_id: Option<String>,
    sender_name: Option<String>,
    content: Option<String>,
}

impl TryFrom<EntryRow> for Entry {
    type Error = Inconsistency;

    fn try_from(row: EntryRow) -> Result<Self, Inconsistency> {
        Ok(Self {
            group_id: group_id("entries", "group_id", row.group_id)?,
            seq: seq("entries", "seq", row.seq)?,
            at: Timestamp::from_micros(row.at),
            body: row.body()?,
        })
    }
}

impl EntryRow {
    fn body(self) -> Result<EntryBody, Inconsistency> {
        let actor_id = user_id("entries", "actor_id", self.actor_id)?;
        Ok(match self.kind {
            kind::MESSAGE => EntryBody::Message(self.message(actor_id)?),
            kind::MESSAGE_EDITED => EntryBody::MessageEdited {
                target_seq: self.target_seq()?,
                key_epoch: self.key_epoch()?,
                content: content(self.content)?,
                actor_id,
            },
            kind::MESSAGE_DELETED => EntryBody::MessageDeleted {
                target_seq: self.target_seq()?,
                actor_id,
            },
            kind::MEMBER_ADDED => EntryBody::MemberAdded {
                user_id: self.user_id()?,
                role: role("entries", &present("role", self.role)?)?,
                actor_id,
            },
            kind::MEMBER_REMOVED => EntryBody::MemberRemoved {
                user_id: self.user_id()?,
                reason: present(
                    "reason",
                    self.reason.as_deref().and_then(RemovalReason::from_name),
                )?,
                actor_id,
            },
            kind::KEY_EPOCH_CHANGED => EntryBody::KeyEpochChanged {
                key_epoch: present("key_epoch", self.key_epoch()?)?,
                actor_id,
            },
            _ => {
                return Err(Inconsistency {
                    table: "entries",
                    column: "kind",
                });
            }
        })
    }

    fn message(self, sender_id: UserId) -> Result<Message, Inconsistency> {
        let id = present("message_id", self.message_id)?;
        Ok(Message {
            id: message_id("entries", "message_id", id)?,
            sender_id,
            key_epoch: self.key_epoch()?,
            sender_name: valid(
                "entries",
                "sender_name",
                DisplayName::new(present("sender_name", self.sender_name)?),
            )?,
            content: content(self.content)?,
            client_message_id: self
                .client_message_id
                .map(|id| valid("entries", "client_message_id", ClientMessageId::new(id)))
                .transpose()?,
        })
    }

    fn target_seq(&self) -> Result<Seq, Inconsistency> {
        seq("entries", "target_seq", present("target_seq", self.target_seq)?)
    }

    fn user_id(&self) -> Result<UserId, Inconsistency> {
        user_id("entries", "user_id", present("user_id", self.user_id)?)
    }

    fn key_epoch(&self) -> Result<Option<KeyEpoch>, Inconsistency> {
        key_epoch(self.key_epoch)
    }
}

/// Content of any length: the limit is the rule of those who append, and may have been another one then.
pub(crate) fn content(text: Option<String>) -> Result<Option<EncryptedContent>, Inconsistency> {
    text.map(|text| valid("entries", "content", EncryptedContent::new(text, usize::MAX)))
        .transpose()
}

/// The key epoch of a message or an edit.
pub(crate) fn key_epoch(value: Option<i64>) -> Result<Option<KeyEpoch>, Inconsistency> {
    value
        .map(|epoch| valid("entries", "key_epoch", KeyEpoch::new(epoch)))
        .transpose()
}

/// An entry that is written.
pub(crate) struct NewEntryRow<'a> {
    pub(crate) group_id: i64,
    pub(crate) seq: i64,
    pub(crate) kind: i16,
    pub(crate) at: i64,
    pub(crate) actor_id: i64,
    pub(crate) message_id: Option<i64>,
    pub(crate) target_seq: Option<i64>,
    pub(crate) user_id: Option<i64>,
    pub(crate) role: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) key_epoch: Option<i64>,
    pub(crate) client_message_id: Option<&'a str>,
    pub(crate) sender_name: Option<&'a str>,
    pub(crate) content: Option<&'a str>,
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
impl NewEntryRow<'_> {
    /// Calls `take` with each column in turn; numbers as eight bytes.
    pub(crate) fn columns(&self, mut take: impl FnMut(Option<&[u8]>)) {
        let kind = i64::from(self.kind);
        for number in [self.group_id, self.seq, kind, self.at, self.actor_id] {
            take(Some(&number.to_be_bytes()));
        }
        for number in [self.message_id, self.target_seq, self.user_id, self.key_epoch] {
            take(number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        }
        for text in [
            self.role,
            self.reason,
            self.client_message_id,
            self.sender_name,
            self.content,
        ] {
            take(text.map(str::as_bytes));
        }
    }
}

impl<'a> From<&'a Entry> for NewEntryRow<'a> {
    fn from(entry: &'a Entry) -> Self {
        let blank = |kind, actor_id: UserId| Self {
            group_id: entry.group_id.get(),
            seq: entry.seq.get(),
            kind,
            at: entry.at.as_micros(),
            actor_id: actor_id.get(),
            message_id: None,
            target_seq: None,
            user_id: None,
            role: None,
            reason: None,
            key_epoch: None,
            client_message_id: None,
            sender_name: None,
            content: None,
        };
        match &entry.body {
            EntryBody::Message(message) => Self {
                message_id: Some(message.id.get()),
                key_epoch: message.key_epoch.map(KeyEpoch::get),
                client_message_id: message.client_message_id.as_ref().map(ClientMessageId::as_str),
                sender_name: Some(message.sender_name.as_str()),
                content: message.content.as_ref().map(EncryptedContent::as_str),
                ..blank(kind::MESSAGE, message.sender_id)
            },
            EntryBody::MessageEdited {
                target_seq,
                content,
                key_epoch,
                actor_id,
            } => Self {
                target_seq: Some(target_seq.get()),
                key_epoch: key_epoch.map(KeyEpoch::get),
                content: content.as_ref().map(EncryptedContent::as_str),
                ..blank(kind::MESSAGE_EDITED, *actor_id)
            },
            EntryBody::MessageDeleted { target_seq, actor_id } => Self {
                target_seq: Some(target_seq.get()),
                ..blank(kind::MESSAGE_DELETED, *actor_id)
            },
            EntryBody::MemberAdded {
                user_id,
                role,
                actor_id,
            } => Self {
                user_id: Some(user_id.get()),
                role: Some(role.as_str()),
                ..blank(kind::MEMBER_ADDED, *actor_id)
            },
            EntryBody::MemberRemoved {
                user_id,
                reason,
                actor_id,
            } => Self {
                user_id: Some(user_id.get()),
                reason: Some(reason.as_str()),
                ..blank(kind::MEMBER_REMOVED, *actor_id)
            },
            EntryBody::KeyEpochChanged { key_epoch, actor_id } => Self {
                key_epoch: Some(key_epoch.get()),
                ..blank(kind::KEY_EPOCH_CHANGED, *actor_id)
            },
        }
    }
}
