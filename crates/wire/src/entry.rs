//! Entries on the wire.

use sealroom_domain::{ClientMessageId, DisplayName, EncryptedContent, Entry, EntryBody, KeyEpoch, Message};
use serde::{Serialize, Serializer};

use crate::rfc3339;

/// The event that carries an entry, which is also its `type` in pages.
pub const fn event_name(entry: &Entry) -> &'static str {
    match entry.body {
        EntryBody::Message(_) => "new_message",
        EntryBody::MessageEdited { .. } => "message_edited",
        EntryBody::MessageDeleted { .. } => "message_deleted",
        EntryBody::MemberAdded { .. } => "member_added",
        EntryBody::MemberRemoved { .. } => "member_removed",
        EntryBody::KeyEpochChanged { .. } => "key_epoch_changed",
    }
}

/// An entry as its event carries it, and as acks carry a message.
#[derive(Debug, Clone, Copy)]
pub struct EventEntry<'a>(pub &'a Entry);

/// An entry as pages carry it: the same keys, and `type`.
#[derive(Debug, Clone, Copy)]
pub struct LogEntry<'a>(pub &'a Entry);

impl Serialize for EventEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        body(self.0, None).serialize(serializer)
    }
}

impl Serialize for LogEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        body(self.0, Some(event_name(self.0))).serialize(serializer)
    }
}

/// The keys in the order in which the wire has them.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Message {
        id: i64,
        group_id: i64,
        sender_id: i64,
        sender_name: &'a str,
        encrypted_content: Option<&'a str>,
        timestamp: String,
        seq: i64,
        client_message_id: Option<&'a str>,
        key_epoch: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        deleted: Option<bool>,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
    Edited {
        group_id: i64,
        seq: i64,
        target_seq: i64,
        encrypted_content: Option<&'a str>,
        key_epoch: Option<i64>,
        actor_id: i64,
        timestamp: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        deleted: Option<bool>,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
    Deleted {
        group_id: i64,
        seq: i64,
        target_seq: i64,
        actor_id: i64,
        timestamp: String,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
    Member {
        group_id: i64,
        seq: i64,
        user_id: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        actor_id: i64,
        timestamp: String,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
    KeyEpoch {
        group_id: i64,
        seq: i64,
        key_epoch: i64,
        actor_id: i64,
        timestamp: String,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
}

fn body<'a>(entry: &'a Entry, kind: Option<&'static str>) -> Body<'a> {
    let (group_id, seq, timestamp) = (entry.group_id.get(), entry.seq.get(), rfc3339(entry.at));
    match &entry.body {
        EntryBody::Message(message) => message_body(entry, message, timestamp, kind),
        EntryBody::MessageEdited {
            target_seq,
            content,
            key_epoch,
            actor_id,
        } => Body::Edited {
            group_id,
            seq,
            target_seq: target_seq.get(),
            encrypted_content: content.as_ref().map(EncryptedContent::as_str),
            key_epoch: key_epoch.map(KeyEpoch::get),
            actor_id: actor_id.get(),
            timestamp,
            deleted: content.is_none().then_some(true),
            kind,
        },
        EntryBody::MessageDeleted { target_seq, actor_id } => Body::Deleted {
            group_id,
            seq,
            target_seq: target_seq.get(),
            actor_id: actor_id.get(),
            timestamp,
            kind,
        },
        EntryBody::MemberAdded {
            user_id,
            role,
            actor_id,
        } => Body::Member {
            group_id,
            seq,
            user_id: user_id.get(),
            role: Some(role.as_str()),
            reason: None,
            actor_id: actor_id.get(),
            timestamp,
            kind,
        },
        EntryBody::MemberRemoved {
            user_id,
            reason,
            actor_id,
        } => Body::Member {
            group_id,
            seq,
            user_id: user_id.get(),
            role: None,
            reason: Some(reason.as_str()),
            actor_id: actor_id.get(),
            timestamp,
            kind,
        },
        EntryBody::KeyEpochChanged { key_epoch, actor_id } => Body::KeyEpoch {
            group_id,
            seq,
            key_epoch: key_epoch.get(),
            actor_id: actor_id.get(),
            timestamp,
            kind,
        },
    }
}

fn message_body<'a>(
    entry: &'a Entry,
    message: &'a Message,
    timestamp: String,
    kind: Option<&'static str>,
) -> Body<'a> {
    Body::Message {
        id: message.id.get(),
        group_id: entry.group_id.get(),
        sender_id: message.sender_id.get(),
        sender_name: DisplayName::as_str(&message.sender_name),
        encrypted_content: message.content.as_ref().map(EncryptedContent::as_str),
        timestamp,
        seq: entry.seq.get(),
        client_message_id: message.client_message_id.as_ref().map(ClientMessageId::as_str),
        key_epoch: message.key_epoch.map(KeyEpoch::get),
        deleted: message.content.is_none().then_some(true),
        kind,
    }
}

#[cfg(test)]
mod tests {
    use sealroom_domain::{GroupId, MessageId, RemovalReason, Role, Seq, Timestamp, UserId};

    use super::*;

    fn entry(body: EntryBody) -> Entry {
        Entry {
            group_id: GroupId::new(5).unwrap(),
            seq: Seq::new(7).unwrap(),
            at: Timestamp::from_micros(1_705_314_600_000_000),
            body,
        }
    }

    fn user(id: i64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn json(value: impl Serialize) -> String {
        serde_json::to_string(&value).unwrap()
    }

    #[test]
    fn a_message_begins_with_the_six_keys_that_every_client_knows() {
        let mut message = Message {
            id: MessageId::new(123).unwrap(),
            sender_id: user(10),
            sender_name: DisplayName::new("Nguyễn Văn A").unwrap(),
            content: EncryptedContent::new("a\"b", 10).ok(),
            client_message_id: None,
            key_epoch: KeyEpoch::new(0).ok(),
        };
        let common = r#"{"id":123,"group_id":5,"sender_id":10,"sender_name":"Nguyễn Văn A","#;
        let rest = r#""timestamp":"2024-01-15T10:30:00.000Z","seq":7,"client_message_id":null,"key_epoch":0"#;
        let sent = entry(EntryBody::Message(message.clone()));
        let content = r#""encrypted_content":"a\"b","#;
        assert_eq!(json(EventEntry(&sent)), format!("{common}{content}{rest}}}"));
        assert_eq!(
            json(LogEntry(&sent)),
            format!(r#"{common}{content}{rest},"type":"new_message"}}"#)
        );
        message.content = None;
        let gone = entry(EntryBody::Message(message));
        assert_eq!(
            json(EventEntry(&gone)),
            format!(r#"{common}"encrypted_content":null,{rest},"deleted":true}}"#)
        );
    }

    #[test]
    fn the_other_kinds() {
        let added = entry(EntryBody::MemberAdded {
            user_id: user(2),
            role: Role::Admin,
            actor_id: user(1),
        });
        assert_eq!(
            json(LogEntry(&added)),
            r#"{"group_id":5,"seq":7,"user_id":2,"role":"admin","actor_id":1,"timestamp":"2024-01-15T10:30:00.000Z","type":"member_added"}"#
        );
        let removed = EntryBody::MemberRemoved {
            user_id: user(2),
            reason: RemovalReason::Left,
            actor_id: user(2),
        };
        assert_eq!(
            json(EventEntry(&entry(removed))),
            r#"{"group_id":5,"seq":7,"user_id":2,"reason":"left","actor_id":2,"timestamp":"2024-01-15T10:30:00.000Z"}"#
        );
        let deleted = EntryBody::MessageDeleted {
            target_seq: Seq::new(3).unwrap(),
            actor_id: user(1),
        };
        assert_eq!(
            json(EventEntry(&entry(deleted))),
            r#"{"group_id":5,"seq":7,"target_seq":3,"actor_id":1,"timestamp":"2024-01-15T10:30:00.000Z"}"#
        );
    }
}
