//! Events and what they ask for.

use sealroom_domain::{ErrorCode, GroupId, Refusal, ports::Cursor};
use sealroom_engine::{JoinRequest, MessageDraft};
use sealroom_wire::{RawValue, fields};
use serde::Deserialize;

/// A request that can be read.
#[derive(Debug)]
pub(crate) enum Request {
    Join(JoinRequest),
    Leave(GroupId),
    Send(MessageDraft),
    Entries(EntriesRequest),
}

/// A page that a client asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntriesRequest {
    pub(crate) group_id: GroupId,
    pub(crate) cursor: Cursor,
    pub(crate) limit: Option<usize>,
}

type Key<'a> = Option<&'a RawValue>;

/// The keys of all events. Unknown ones are ignored, doubled ones refused.
#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    group_id: Key<'a>,
    #[serde(borrow)]
    encrypted_content: Key<'a>,
    #[serde(borrow)]
    client_message_id: Key<'a>,
    #[serde(borrow)]
    key_epoch: Key<'a>,
    #[serde(borrow)]
    after_seq: Key<'a>,
    #[serde(borrow)]
    before_seq: Key<'a>,
    #[serde(borrow)]
    log_id: Key<'a>,
    #[serde(borrow)]
    limit: Key<'a>,
}

impl Request {
    /// The events that there are.
    pub(crate) const EVENTS: [&'static str; 4] = ["join_group", "leave_group", "send_message", "get_entries"];

    /// The event's name, if there is such an event.
    pub(crate) fn known(event: &str) -> Option<&'static str> {
        Self::EVENTS.into_iter().find(|known| *known == event)
    }

    /// Reads an event.
    pub(crate) fn read(event: &str, payload: Key<'_>, content_bytes: usize) -> Result<Self, Refusal> {
        match event {
            "join_group" => Keys::read(payload)?.join(),
            "leave_group" => Ok(Self::Leave(Keys::read(payload)?.group()?)),
            "send_message" => Keys::read(payload)?.send(content_bytes),
            "get_entries" => Keys::read(payload)?.entries(),
            _ => Err(ErrorCode::UnknownEvent.into()),
        }
    }
}

impl<'a> Keys<'a> {
    fn read(payload: Key<'a>) -> Result<Self, Refusal> {
        payload
            .map(RawValue::get)
            // A list would be taken for the keys in their order.
            .filter(|json| json.starts_with('{'))
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or(ErrorCode::InvalidData.into())
    }

    fn group(&self) -> Result<GroupId, Refusal> {
        fields::required("group_id", fields::group_id("group_id", self.group_id)?)
    }

    fn join(&self) -> Result<Request, Refusal> {
        Ok(Request::Join(JoinRequest {
            group_id: self.group()?,
            after_seq: fields::seq("after_seq", self.after_seq)?,
            log_id: fields::log_id("log_id", self.log_id)?,
            limit: fields::limit("limit", self.limit)?,
        }))
    }

    fn send(&self, content_bytes: usize) -> Result<Request, Refusal> {
        Ok(Request::Send(MessageDraft {
            group_id: self.group()?,
            content: fields::content("encrypted_content", self.encrypted_content, content_bytes)?,
            client_message_id: fields::client_message_id("client_message_id", self.client_message_id)?,
            key_epoch: fields::key_epoch("key_epoch", self.key_epoch)?,
        }))
    }

    fn entries(&self) -> Result<Request, Refusal> {
        let group_id = self.group()?;
        let after = fields::seq("after_seq", self.after_seq)?;
        let before = fields::seq("before_seq", self.before_seq)?;
        let cursor = match (after, before) {
            (Some(_), Some(_)) => return Err(Refusal::invalid("before_seq")),
            (Some(after), None) => Cursor::After(after),
            (None, Some(before)) => Cursor::Before(before),
            (None, None) => Cursor::Newest,
        };
        let limit = fields::limit("limit", self.limit)?;
        Ok(Request::Entries(EntriesRequest {
            group_id,
            cursor,
            limit,
        }))
    }
}
