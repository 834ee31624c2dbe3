//! Events and what they ask for.

use std::fmt;

use sealroom_domain::{ErrorCode, GroupId, Refusal, Seq, ports::Cursor};
use sealroom_engine::{JoinRequest, MessageDraft, MessageEdit};
use sealroom_wire::{RawValue, fields};
use serde::Deserialize;

/// A request that can be read.
#[derive(Debug)]
pub(crate) enum Request {
    Join(JoinRequest),
    Leave(GroupId),
    Send(MessageDraft),
    Edit(MessageEdit),
    Delete(GroupId, Seq),
    Entries(EntriesRequest),
    MarkRead(GroupId, Seq),
    Typing(GroupId, bool),
    Refresh(Token),
}

/// A token that a client wants to go by. Never printed.
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
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
    #[serde(borrow)]
    seq: Key<'a>,
    #[serde(borrow)]
    is_typing: Key<'a>,
    #[serde(borrow)]
    token: Key<'a>,
}

impl Request {
    /// The events that there are.
    pub(crate) const EVENTS: [&'static str; 9] = [
        "join_group",
        "leave_group",
        Self::SEND,
        "edit_message",
        "delete_message",
        "get_entries",
        "mark_read",
        "typing",
        Self::REFRESH,
    ];

    /// The event that has a rate of its own.
    pub(crate) const SEND: &'static str = "send_message";

    /// The event that is served after the end of a token.
    pub(crate) const REFRESH: &'static str = "refresh_token";

    /// The event's name, if there is such an event.
    pub(crate) fn known(event: &str) -> Option<&'static str> {
        Self::EVENTS.into_iter().find(|known| *known == event)
    }

    /// Reads an event.
    pub(crate) fn read(event: &str, payload: Key<'_>, content_bytes: usize) -> Result<Self, Refusal> {
        match event {
            "join_group" => Keys::read(payload)?.join(),
            "leave_group" => Ok(Self::Leave(Keys::read(payload)?.group()?)),
            Self::SEND => Keys::read(payload)?.send(content_bytes),
            "edit_message" => Keys::read(payload)?.edit(content_bytes),
            "delete_message" => Keys::read(payload)?.delete(),
            "get_entries" => Keys::read(payload)?.entries(),
            "mark_read" => Keys::read(payload)?.mark_read(),
            "typing" => Keys::read(payload)?.typing(),
            Self::REFRESH => Keys::read(payload)?.refresh(),
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

    fn place(&self) -> Result<Seq, Refusal> {
        fields::required("seq", fields::seq("seq", self.seq)?)
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

    fn edit(&self, content_bytes: usize) -> Result<Request, Refusal> {
        Ok(Request::Edit(MessageEdit {
            group_id: self.group()?,
            target_seq: self.place()?,
            content: fields::content("encrypted_content", self.encrypted_content, content_bytes)?,
            key_epoch: fields::key_epoch("key_epoch", self.key_epoch)?,
        }))
    }

    fn delete(&self) -> Result<Request, Refusal> {
        Ok(Request::Delete(self.group()?, self.place()?))
    }

    fn mark_read(&self) -> Result<Request, Refusal> {
        Ok(Request::MarkRead(self.group()?, self.place()?))
    }

    fn typing(&self) -> Result<Request, Refusal> {
        let group_id = self.group()?;
        let is_typing = fields::boolean("is_typing", self.is_typing)?;
        Ok(Request::Typing(
            group_id,
            fields::required("is_typing", is_typing)?,
        ))
    }

    fn refresh(&self) -> Result<Request, Refusal> {
        let token = fields::required("token", fields::text("token", self.token)?)?;
        Ok(Request::Refresh(Token(token.into_owned())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_tokens_nor_contents_are_printed() {
        for (event, payload, printed) in [
            (
                "refresh_token",
                r#"{"token":"canary"}"#,
                "Refresh(Token([redacted]))",
            ),
            (
                "send_message",
                r#"{"group_id":1,"encrypted_content":"canary"}"#,
                "EncryptedContent(6 bytes)",
            ),
            (
                "edit_message",
                r#"{"group_id":1,"seq":1,"encrypted_content":"canary"}"#,
                "EncryptedContent(6 bytes)",
            ),
        ] {
            let payload: &RawValue = serde_json::from_str(payload).unwrap();
            let request = format!("{:?}", Request::read(event, Some(payload), 100).unwrap());
            assert!(
                request.contains(printed) && !request.contains("canary"),
                "{request}"
            );
        }
    }
}
