//! Entries on the wire.

use std::borrow::Cow;

use sealroom_domain::{ClientMessageId, EncryptedContent, Entry, EntryBody, Message, ports::CurrentMessage};
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{AllOf, ObjectBuilder, OneOf, Ref, RefOr, Schema},
};

use crate::values::{Count, Id, ReasonName, RoleName, Time, one_of};

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

impl PartialSchema for CurrentEntry<'_> {
    fn schema() -> RefOr<Schema> {
        let edited = Edited::schema();
        let mut both = AllOf::new();
        both.description = Some("A message as it stands now.".to_owned());
        both.items = vec![Ref::from_schema_name(MessageBody::name()).into(), edited];
        Schema::AllOf(both).into()
    }
}

impl ToSchema for CurrentEntry<'_> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("CurrentMessage")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        with_its_own::<MessageBody<'_>>(schemas);
        Edited::schemas(schemas);
    }
}

/// What a message as it stands now has besides.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of keys that `Current` writes")]
struct Edited {
    /// The place of the last edit, whose content and key epoch these are; only there where there is one.
    #[schema(nullable = false)]
    edited_seq: Option<Count>,
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

/// An entry as its event carries it may only be described where it is a message: nothing else is answered so.
impl PartialSchema for EventEntry<'_> {
    fn schema() -> RefOr<Schema> {
        MessageBody::schema()
    }
}

impl ToSchema for EventEntry<'_> {
    fn name() -> Cow<'static, str> {
        MessageBody::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        MessageBody::schemas(schemas);
    }
}

impl PartialSchema for LogEntry<'_> {
    fn schema() -> RefOr<Schema> {
        let mut kinds = OneOf::new();
        kinds.description = Some("An entry of a group's log: what its `type` says.".to_owned());
        kinds.items = vec![
            typed::<MessageBody<'_>>("new_message"),
            typed::<EditedBody<'_>>("message_edited"),
            typed::<DeletedBody>("message_deleted"),
            typed::<AddedBody>("member_added"),
            typed::<RemovedBody>("member_removed"),
            typed::<KeyEpochBody>("key_epoch_changed"),
        ];
        Schema::OneOf(kinds).into()
    }
}

impl ToSchema for LogEntry<'_> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Entry")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        with_its_own::<MessageBody<'_>>(schemas);
        with_its_own::<EditedBody<'_>>(schemas);
        with_its_own::<DeletedBody>(schemas);
        with_its_own::<AddedBody>(schemas);
        with_its_own::<RemovedBody>(schemas);
        with_its_own::<KeyEpochBody>(schemas);
    }
}

fn with_its_own<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// The keys of an entry, and its `type`.
fn typed<T: ToSchema>(kind: &str) -> RefOr<Schema> {
    let mut both = AllOf::new();
    let named = ObjectBuilder::new()
        .property("type", one_of([kind]))
        .required("type");
    both.items = vec![Ref::from_schema_name(T::name()).into(), named.into()];
    Schema::AllOf(both).into()
}

#[derive(Serialize)]
struct Typed<'a> {
    #[serde(flatten)]
    body: Body<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The keys in the order in which the wire has them.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
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
struct MessageBody<'a> {
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
struct EditedBody<'a> {
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
struct DeletedBody {
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
struct AddedBody {
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
struct RemovedBody {
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
struct KeyEpochBody {
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

#[cfg(test)]
mod tests {
    use sealroom_domain::{
        DisplayName, GroupId, KeyEpoch, MessageId, RemovalReason, Role, Seq, Timestamp, UserId,
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
