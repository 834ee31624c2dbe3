//! What the host is told, and what it is not: no content, no name.

use std::fmt;

use sealroom_domain::{
    ClientMessageId, Entry, EntryBody, GroupId, KeyEpoch, MessageId, RemovalReason, Role, Seq, Timestamp,
    UserId,
    ports::{OutboxId, OutboxItem},
};
use sealroom_wire::rfc3339;
use serde::Serialize;

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventType {
    /// A message was sent.
    MessageCreated,
    /// A user became a member of a group, or its role changed.
    MemberAdded,
    /// A user is a member of a group no longer.
    MemberRemoved,
    /// A message was sent, and these members have no socket to get it on. For senders of push notifications.
    UserOfflineMessage,
}

/// A text that names no kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook event type")]
pub struct EventTypeError;

impl EventType {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::MessageCreated,
        Self::MemberAdded,
        Self::MemberRemoved,
        Self::UserOfflineMessage,
    ];

    /// Its name, as `type` carries it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessageCreated => "message.created",
            Self::MemberAdded => "member.added",
            Self::MemberRemoved => "member.removed",
            Self::UserOfflineMessage => "user.offline_message",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for EventType {
    type Err = EventTypeError;

    fn from_str(text: &str) -> Result<Self, EventTypeError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(EventTypeError)
    }
}

/// What is kept of an entry until it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: OutboxId,
    pub(crate) group_id: GroupId,
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Message {
        id: MessageId,
        sender_id: UserId,
        client_message_id: Option<ClientMessageId>,
        key_epoch: Option<KeyEpoch>,
        /// `None` where the content is gone.
        content_bytes: Option<usize>,
    },
    Added {
        user_id: UserId,
        role: Role,
        actor_id: UserId,
    },
    Removed {
        user_id: UserId,
        reason: RemovalReason,
        actor_id: UserId,
    },
}

/// Which of an entry's events is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The entry itself.
    Entry,
    /// Those without a socket, among the members behind this one.
    Offline { after: Option<UserId> },
}

impl Held {
    /// What is told of an item, with the first of its events; `None` where nothing is.
    pub(crate) fn of(item: OutboxItem, wanted: &[EventType]) -> Option<(Self, Stage)> {
        let entry = item.entry?;
        let what = What::of(&entry)?;
        let held = Self {
            id: item.id,
            group_id: entry.group_id,
            seq: entry.seq,
            at: entry.at,
            what,
        };
        let stage = if wanted.contains(&held.entry_type()) {
            Stage::Entry
        } else if held.wants_offline(wanted) {
            Stage::Offline { after: None }
        } else {
            return None;
        };
        Some((held, stage))
    }

    /// Whether those who are not there are to be told of it. Of a message without content there is nothing to tell.
    pub(crate) fn wants_offline(&self, wanted: &[EventType]) -> bool {
        let has_content = matches!(
            self.what,
            What::Message {
                content_bytes: Some(_),
                ..
            }
        );
        has_content && wanted.contains(&EventType::UserOfflineMessage)
    }

    pub(crate) const fn entry_type(&self) -> EventType {
        match self.what {
            What::Message { .. } => EventType::MessageCreated,
            What::Added { .. } => EventType::MemberAdded,
            What::Removed { .. } => EventType::MemberRemoved,
        }
    }

    /// The `webhook-id` of the entry's own event. The time tells apart what a log that was restored from a backup
    /// numbers a second time.
    pub(crate) fn entry_webhook_id(&self) -> String {
        let kind = match self.what {
            What::Message { .. } => "message",
            What::Added { .. } => "added",
            What::Removed { .. } => "removed",
        };
        self.webhook_id(kind)
    }

    /// The `webhook-id` of an event about members behind `after` and up to `to`. It names these bounds, so that a part
    /// that was cut in another way, because members came or went, is another event and not taken for a repetition.
    pub(crate) fn offline_webhook_id(&self, after: Option<UserId>, to: Option<UserId>) -> String {
        let mut id = self.webhook_id("offline");
        if after.is_some() || to.is_some() {
            let part = |bound: Option<UserId>| bound.map_or(0, UserId::get);
            id = format!("{id}_{}_{}", part(after), part(to));
        }
        id
    }

    fn webhook_id(&self, kind: &str) -> String {
        format!(
            "msg_{}_{}_{}_{kind}",
            self.group_id,
            self.seq,
            self.at.as_micros()
        )
    }

    pub(crate) fn entry_body(&self) -> serde_json::Result<Vec<u8>> {
        let (group_id, seq) = (self.group_id.get(), self.seq.get());
        let data = match &self.what {
            What::Message {
                id,
                sender_id,
                client_message_id,
                key_epoch,
                content_bytes,
            } => Data::Message {
                id: id.get(),
                group_id,
                seq,
                sender_id: sender_id.get(),
                client_message_id: client_message_id.as_ref().map(ClientMessageId::as_str),
                key_epoch: key_epoch.map(KeyEpoch::get),
                content_bytes: *content_bytes,
            },
            What::Added {
                user_id,
                role,
                actor_id,
            } => Data::Added {
                group_id,
                seq,
                user_id: user_id.get(),
                role: role.as_str(),
                actor_id: actor_id.get(),
            },
            What::Removed {
                user_id,
                reason,
                actor_id,
            } => Data::Removed {
                group_id,
                seq,
                user_id: user_id.get(),
                reason: reason.as_str(),
                actor_id: actor_id.get(),
            },
        };
        self.body(self.entry_type(), data)
    }

    pub(crate) fn offline_body(
        &self,
        message_id: MessageId,
        sender_id: UserId,
        users: &[UserId],
    ) -> serde_json::Result<Vec<u8>> {
        let data = Data::Offline {
            group_id: self.group_id.get(),
            seq: self.seq.get(),
            message_id: message_id.get(),
            sender_id: sender_id.get(),
            user_ids: users.iter().copied().map(UserId::get).collect(),
        };
        self.body(EventType::UserOfflineMessage, data)
    }

    fn body(&self, kind: EventType, data: Data<'_>) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Envelope {
            kind: kind.as_str(),
            timestamp: rfc3339(self.at),
            data,
        })
    }
}

impl What {
    fn of(entry: &Entry) -> Option<Self> {
        match &entry.body {
            EntryBody::Message(message) => Some(Self::Message {
                id: message.id,
                sender_id: message.sender_id,
                client_message_id: message.client_message_id.clone(),
                key_epoch: message.key_epoch,
                content_bytes: message.content.as_ref().map(|content| content.as_str().len()),
            }),
            EntryBody::MemberAdded {
                user_id,
                role,
                actor_id,
            } => Some(Self::Added {
                user_id: *user_id,
                role: *role,
                actor_id: *actor_id,
            }),
            EntryBody::MemberRemoved {
                user_id,
                reason,
                actor_id,
            } => Some(Self::Removed {
                user_id: *user_id,
                reason: *reason,
                actor_id: *actor_id,
            }),
            EntryBody::MessageEdited { .. }
            | EntryBody::MessageDeleted { .. }
            | EntryBody::KeyEpochChanged { .. } => None,
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it happened, not when it is told.
    timestamp: String,
    data: Data<'a>,
}

/// The keys in the order in which the wire has them.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Message {
        id: i64,
        group_id: i64,
        seq: i64,
        sender_id: i64,
        client_message_id: Option<&'a str>,
        key_epoch: Option<i64>,
        content_bytes: Option<usize>,
    },
    Added {
        group_id: i64,
        seq: i64,
        user_id: i64,
        role: &'static str,
        actor_id: i64,
    },
    Removed {
        group_id: i64,
        seq: i64,
        user_id: i64,
        reason: &'static str,
        actor_id: i64,
    },
    Offline {
        group_id: i64,
        seq: i64,
        message_id: i64,
        sender_id: i64,
        user_ids: Vec<i64>,
    },
}

#[cfg(test)]
mod tests;
