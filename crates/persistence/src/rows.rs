//! The rows, private to this crate, and their checked conversion to the model and back.

#![expect(
    clippy::ref_option_ref,
    reason = "diesel's derive makes references to the fields"
)]

use diesel::{Insertable, Queryable, Selectable};
use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, Entry, EntryBody, GroupId, GroupName, KeyEpoch, Message,
    MessageId, RemovalReason, Role, Seq, Timestamp, UserId, Username,
    ports::{Group, Member, Profile},
};

use crate::{
    error::Inconsistency,
    schema::{entries, groups, users},
};

/// The kinds of entries in the store.
mod kind {
    pub(super) const MESSAGE: i16 = 1;
    pub(super) const MESSAGE_EDITED: i16 = 2;
    pub(super) const MESSAGE_DELETED: i16 = 3;
    pub(super) const MEMBER_ADDED: i16 = 4;
    pub(super) const MEMBER_REMOVED: i16 = 5;
    pub(super) const KEY_EPOCH_CHANGED: i16 = 6;
}

/// The value, or the table and column that hold what they should not.
fn valid<T, E>(table: &'static str, column: &'static str, value: Result<T, E>) -> Result<T, Inconsistency> {
    value.ok().ok_or(Inconsistency { table, column })
}

/// The value of a column of `entries` that an entry of this kind cannot be without.
fn present<T>(column: &'static str, value: Option<T>) -> Result<T, Inconsistency> {
    value.ok_or(Inconsistency {
        table: "entries",
        column,
    })
}

/// A role by its name in the store.
pub(crate) fn role(table: &'static str, name: &str) -> Result<Role, Inconsistency> {
    Role::from_name(name).ok_or(Inconsistency {
        table,
        column: "role",
    })
}

/// A group's id in `members` or `groups`.
pub(crate) fn group_id(
    table: &'static str,
    column: &'static str,
    value: i64,
) -> Result<GroupId, Inconsistency> {
    valid(table, column, GroupId::new(value))
}

/// A user's id in `members` or `users`.
pub(crate) fn user_id(
    table: &'static str,
    column: &'static str,
    value: i64,
) -> Result<UserId, Inconsistency> {
    valid(table, column, UserId::new(value))
}

/// A message's id, in `entries` or where the next one comes from.
pub(crate) fn message_id(
    table: &'static str,
    column: &'static str,
    value: i64,
) -> Result<MessageId, Inconsistency> {
    valid(table, column, MessageId::new(value))
}

/// A place in a log, in `groups` or `entries`.
pub(crate) fn seq(table: &'static str, column: &'static str, value: i64) -> Result<Seq, Inconsistency> {
    valid(table, column, Seq::new(value))
}

/// A row of a user's groups.
pub(crate) fn group_and_role(id: i64, name: &str) -> Result<(GroupId, Role), Inconsistency> {
    Ok((group_id("members", "group_id", id)?, role("members", name)?))
}

/// A row of a group's members.
pub(crate) fn member(id: i64, name: &str) -> Result<Member, Inconsistency> {
    Ok(Member {
        user_id: user_id("members", "user_id", id)?,
        role: role("members", name)?,
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
        self.key_epoch
            .map(|epoch| valid("entries", "key_epoch", KeyEpoch::new(epoch)))
            .transpose()
    }
}

/// Content of any length: the limit is the rule of those who append, and may have been another one then.
fn content(text: Option<String>) -> Result<Option<EncryptedContent>, Inconsistency> {
    text.map(|text| valid("entries", "content", EncryptedContent::new(text, usize::MAX)))
        .transpose()
}

/// An entry that is written.
#[derive(Insertable)]
// Every column is bound, NULL too: one statement for all entries, and one that diesel caches.
#[diesel(table_name = entries, treat_none_as_default_value = false)]
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

/// A group that is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = groups)]
pub(crate) struct GroupRow {
    id: i64,
    name: String,
    head_seq: i64,
    created_at: i64,
}

impl TryFrom<GroupRow> for Group {
    type Error = Inconsistency;

    fn try_from(row: GroupRow) -> Result<Self, Inconsistency> {
        Ok(Self {
            group_id: group_id("groups", "id", row.id)?,
            name: valid("groups", "name", GroupName::new(row.name))?,
            head: seq("groups", "head_seq", row.head_seq)?,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}

/// A user that is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    id: i64,
    display_name: Option<String>,
    token_name: Option<String>,
    username: Option<String>,
}

impl TryFrom<UserRow> for Profile {
    type Error = Inconsistency;

    fn try_from(row: UserRow) -> Result<Self, Inconsistency> {
        Ok(Self {
            user_id: user_id("users", "id", row.id)?,
            display_name: row
                .display_name
                .map(|name| valid("users", "display_name", DisplayName::new(name)))
                .transpose()?,
            token_name: row
                .token_name
                .map(|name| valid("users", "token_name", DisplayName::new(name)))
                .transpose()?,
            username: row
                .username
                .map(|name| valid("users", "username", Username::new(name)))
                .transpose()?,
        })
    }
}
