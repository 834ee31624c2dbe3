//! The keys of each kind of entry.

use sealroom_domain::{ClientMessageId, EncryptedContent, Entry, EntryBody, Message};
use serde::Serialize;
use utoipa::ToSchema;

use crate::values::{Count, Id, ReasonName, RoleName, Time};

/// The keys in the order in which the wire has them.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Body<'a> {
    Message(MessageBody<'a>),
    Edited(EditedBody<'a>),
    Deleted(DeletedBody),
    Added(AddedBody),
    Removed(RemovedBody),
    KeyEpoch(KeyEpochBody),
}

/// A message.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
pub(super) struct MessageBody<'a> {
    id: Id,
    group_id: Id,
    sender_id: Id,
    /// The sender's name when it was sent.
    sender_name: &'a str,
    /// What the sender encrypted; `null` where it is gone.
    #[schema(required, min_length = 1)]
    encrypted_content: Option<&'a str>,
    timestamp: Time,
    seq: Count,
    #[schema(required, min_length = 1, max_length = 64)]
    client_message_id: Option<&'a str>,
    #[schema(required)]
    key_epoch: Option<Count>,
    /// `true`, and only there where the content is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deleted: Option<bool>,
}

/// A message has other content from here on.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageEdited)]
pub(super) struct EditedBody<'a> {
    group_id: Id,
    seq: Count,
    /// The message's place.
    target_seq: Count,
    /// `null` where it is gone.
    #[schema(required, min_length = 1)]
    encrypted_content: Option<&'a str>,
    #[schema(required)]
    key_epoch: Option<Count>,
    actor_id: Id,
    timestamp: Time,
    /// `true`, and only there where the content is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deleted: Option<bool>,
}

/// A message is gone from here on.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageDeleted)]
pub(super) struct DeletedBody {
    group_id: Id,
    seq: Count,
    /// The message's place.
    target_seq: Count,
    actor_id: Id,
    timestamp: Time,
}

/// A user is a member, or has another role, from here on.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberAdded)]
pub(super) struct AddedBody {
    group_id: Id,
    seq: Count,
    user_id: Id,
    role: RoleName,
    actor_id: Id,
    timestamp: Time,
}

/// A user is no longer a member from here on.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberRemoved)]
pub(super) struct RemovedBody {
    group_id: Id,
    seq: Count,
    user_id: Id,
    reason: ReasonName,
    actor_id: Id,
    timestamp: Time,
}

/// Members encrypt with another key from here on.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyEpochChanged)]
pub(super) struct KeyEpochBody {
    group_id: Id,
    seq: Count,
    key_epoch: Count,
    actor_id: Id,
    timestamp: Time,
}

impl<'a> From<&'a Entry> for Body<'a> {
    fn from(entry: &'a Entry) -> Self {
        let (group_id, seq, timestamp) = (entry.group_id.into(), entry.seq.into(), entry.at.into());
        match &entry.body {
            EntryBody::Message(message) => Self::Message(message_body(entry, message)),
            EntryBody::MessageEdited {
                target_seq,
                content,
                key_epoch,
                actor_id,
            } => Self::Edited(EditedBody {
                group_id,
                seq,
                target_seq: (*target_seq).into(),
                encrypted_content: content.as_ref().map(EncryptedContent::as_str),
                key_epoch: key_epoch.map(Count::from),
                actor_id: (*actor_id).into(),
                timestamp,
                deleted: content.is_none().then_some(true),
            }),
            EntryBody::MessageDeleted { target_seq, actor_id } => Self::Deleted(DeletedBody {
                group_id,
                seq,
                target_seq: (*target_seq).into(),
                actor_id: (*actor_id).into(),
                timestamp,
            }),
            EntryBody::MemberAdded {
                user_id,
                role,
                actor_id,
            } => Self::Added(AddedBody {
                group_id,
                seq,
                user_id: (*user_id).into(),
                role: (*role).into(),
                actor_id: (*actor_id).into(),
                timestamp,
            }),
            EntryBody::MemberRemoved {
                user_id,
                reason,
                actor_id,
            } => Self::Removed(RemovedBody {
                group_id,
                seq,
                user_id: (*user_id).into(),
                reason: (*reason).into(),
                actor_id: (*actor_id).into(),
                timestamp,
            }),
            EntryBody::KeyEpochChanged { key_epoch, actor_id } => Self::KeyEpoch(KeyEpochBody {
                group_id,
                seq,
                key_epoch: (*key_epoch).into(),
                actor_id: (*actor_id).into(),
                timestamp,
            }),
        }
    }
}

fn message_body<'a>(entry: &Entry, message: &'a Message) -> MessageBody<'a> {
    MessageBody {
        id: message.id.into(),
        group_id: entry.group_id.into(),
        sender_id: message.sender_id.into(),
        sender_name: message.sender_name.as_str(),
        encrypted_content: message.content.as_ref().map(EncryptedContent::as_str),
        timestamp: entry.at.into(),
        seq: entry.seq.into(),
        client_message_id: message.client_message_id.as_ref().map(ClientMessageId::as_str),
        key_epoch: message.key_epoch.map(Count::from),
        deleted: message.content.is_none().then_some(true),
    }
}
