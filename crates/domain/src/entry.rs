//! The entries of a group's log.

use crate::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, KeyEpoch, MessageId, RemovalReason, Role, Seq,
    Timestamp, UserId,
};

/// One entry of a group's log: what all members see, at the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The group.
    pub group_id: GroupId,
    /// The place in the group's log.
    pub seq: Seq,
    /// When the server accepted it. Order is by `seq`; clocks may jump.
    pub at: Timestamp,
    /// What happened.
    pub body: EntryBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// Somebody sent a message.
    Message(Message),
    /// Its sender replaced a message's content.
    MessageEdited {
        /// The message's place.
        target_seq: Seq,
        /// The new content; `None` where the message was deleted later.
        content: Option<EncryptedContent>,
        /// The key that the new content is encrypted with, where the client said so.
        key_epoch: Option<KeyEpoch>,
        /// Who did it.
        actor_id: UserId,
    },
    /// A message was deleted; its content is gone.
    MessageDeleted {
        /// The message's place.
        target_seq: Seq,
        /// Who did it.
        actor_id: UserId,
    },
    /// A user became a member, or a member's role changed.
    MemberAdded {
        /// The member.
        user_id: UserId,
        /// Its role from here on.
        role: Role,
        /// Who did it.
        actor_id: UserId,
    },
    /// A member is one no longer: nothing after this entry reaches it.
    MemberRemoved {
        /// The former member.
        user_id: UserId,
        /// Why.
        reason: RemovalReason,
        /// Who did it.
        actor_id: UserId,
    },
    /// The group's clients encrypt with another key from here on.
    KeyEpochChanged {
        /// The key's generation.
        key_epoch: KeyEpoch,
        /// Who did it.
        actor_id: UserId,
    },
}

/// A message, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id in the whole store.
    pub id: MessageId,
    /// The sender, from its verified token.
    pub sender_id: UserId,
    /// The sender's name when it was sent.
    pub sender_name: DisplayName,
    /// The ciphertext; `None` once the message was deleted or its sender erased.
    pub content: Option<EncryptedContent>,
    /// The client's own id of the message.
    pub client_message_id: Option<ClientMessageId>,
    /// The key that the content is encrypted with, where the client said so.
    pub key_epoch: Option<KeyEpoch>,
}

impl Entry {
    /// What an entry's fixed fields take at most on the wire.
    const FIXED_WEIGHT: usize = 360;

    /// At most this many bytes on the wire, with every character escaped that a text format may escape. Pages
    /// are bounded by the sum.
    pub fn weight(&self) -> usize {
        let variable = match &self.body {
            EntryBody::Message(message) => {
                escaped_len(message.sender_name.as_str())
                    + message
                        .client_message_id
                        .as_ref()
                        .map_or(0, |id| escaped_len(id.as_str()))
                    + message
                        .content
                        .as_ref()
                        .map_or(0, |content| escaped_len(content.as_str()))
            }
            EntryBody::MessageEdited { content, .. } => content
                .as_ref()
                .map_or(0, |content| escaped_len(content.as_str())),
            EntryBody::MessageDeleted { .. }
            | EntryBody::MemberAdded { .. }
            | EntryBody::MemberRemoved { .. }
            | EntryBody::KeyEpochChanged { .. } => 0,
        };
        Self::FIXED_WEIGHT + variable
    }

    /// The message in this entry, if it is one.
    pub const fn message(&self) -> Option<&Message> {
        match &self.body {
            EntryBody::Message(message) => Some(message),
            _ => None,
        }
    }
}

/// The length of a text where quotes and backslashes take two bytes and control characters six, as in JSON.
fn escaped_len(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum()
}
