//! Entrances for fuzzing to what reads a client's bytes, without a socket around it. They are no part of what this crate
//! offers, and only there with the feature of their name.

use sealroom_domain::{EncryptedContent, GroupId, KeyEpoch, Refusal, Seq, ports::Cursor};
use socketioxide::handler::Value;

use crate::{
    events::{Packet, Request},
    handshake,
};

/// What was read of an event: each value that a client chose, under whatever key it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadEvent {
    /// The group.
    pub group_id: Option<GroupId>,
    /// The content of a message.
    pub content: Option<EncryptedContent>,
    /// The key that it is encrypted with.
    pub key_epoch: Option<KeyEpoch>,
    /// `seq`, or what stands for it.
    pub seq: Option<Seq>,
    /// `after_seq`.
    pub after_seq: Option<Seq>,
    /// `before_seq`.
    pub before_seq: Option<Seq>,
    /// `limit`, as it came.
    pub limit: Option<usize>,
    /// `is_typing`.
    pub is_typing: Option<bool>,
    /// `client_message_id`, `log_id` or `token`: no event has two of them.
    pub text: Option<String>,
}

/// The events that there are.
pub const EVENTS: &[&str] = &Request::EVENTS;

/// Reads `["event", argument]` as a socket does; `with_attachments` says that binary attachments came with it.
pub fn read_event(
    text: &str,
    with_attachments: bool,
    content_bytes: usize,
) -> (String, Result<ReadEvent, Refusal>) {
    let attachments = with_attachments.then(|| [].into());
    let value = Value::Str(text.to_owned().into(), attachments);
    let packet = Packet::read(&value);
    let read = Request::read(&packet.event, packet.payload, content_bytes).map(ReadEvent::from);
    (packet.event.into_owned(), read)
}

/// The token in the `auth` of a CONNECT; `None` where there is none, and the header counts.
pub fn auth_token(auth: &str) -> Result<Option<String>, Refusal> {
    handshake::auth_token(Some(auth))
}

impl From<Request> for ReadEvent {
    fn from(request: Request) -> Self {
        let of = |group_id| Self {
            group_id: Some(group_id),
            ..Self::default()
        };
        match request {
            Request::Join(join) => Self {
                after_seq: join.after_seq,
                limit: join.limit,
                text: join.log_id.map(|log_id| log_id.to_string()),
                ..of(join.group_id)
            },
            Request::Leave(group_id) => of(group_id),
            Request::Send(draft) => Self {
                content: Some(draft.content),
                key_epoch: draft.key_epoch,
                text: draft.client_message_id.map(|id| id.to_string()),
                ..of(draft.group_id)
            },
            Request::Edit(edit) => Self {
                seq: Some(edit.target_seq),
                content: Some(edit.content),
                key_epoch: edit.key_epoch,
                ..of(edit.group_id)
            },
            Request::Delete(group_id, seq) | Request::MarkRead(group_id, seq) => Self {
                seq: Some(seq),
                ..of(group_id)
            },
            Request::Entries(entries) => {
                let (after_seq, before_seq) = match entries.cursor {
                    Cursor::After(after) => (Some(after), None),
                    Cursor::Before(before) => (None, Some(before)),
                    Cursor::Newest => (None, None),
                };
                Self {
                    after_seq,
                    before_seq,
                    limit: entries.limit,
                    ..of(entries.group_id)
                }
            }
            Request::Typing(group_id, is_typing) => Self {
                is_typing: Some(is_typing),
                ..of(group_id)
            },
            Request::Refresh(token) => Self {
                text: Some(token.0),
                ..Self::default()
            },
        }
    }
}
