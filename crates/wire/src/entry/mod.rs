//! Entries on the wire.

mod body;
mod schema;

use sealroom_domain::{Entry, EntryBody, ports::CurrentMessage};
use serde::{Serialize, Serializer};

use self::body::Body;
use crate::values::Count;

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

/// A message as it stands now: the keys of its event, and `edited_seq` where it was edited.
#[derive(Debug, Clone, Copy)]
pub struct CurrentEntry<'a>(pub &'a CurrentMessage);

impl Serialize for CurrentEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let current = Current {
            body: Body::from(&self.0.entry),
            edited_seq: self.0.edited_seq.map(Count::from),
        };
        current.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Current<'a> {
    #[serde(flatten)]
    body: Body<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_seq: Option<Count>,
}

impl Serialize for EventEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Body::from(self.0).serialize(serializer)
    }
}

impl Serialize for LogEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let typed = Typed {
            body: Body::from(self.0),
            kind: event_name(self.0),
        };
        typed.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Typed<'a> {
    #[serde(flatten)]
    body: Body<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[cfg(test)]
mod tests {
    use sealroom_domain::{
        DisplayName, EncryptedContent, GroupId, KeyEpoch, Message, MessageId, RemovalReason, Role, Seq,
        Timestamp, UserId,
    };

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
