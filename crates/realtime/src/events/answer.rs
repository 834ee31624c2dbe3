//! The one answer of each request.

use std::{borrow::Cow, sync::Arc};

use sealroom_domain::{GroupId, Refusal, Timestamp, ports::MarkedRead};
use sealroom_engine::{EntriesPage, Joined, Published, Sent};
use sealroom_wire::{EventEntry, LogEntry, RawValue, RefusalBody, rfc3339, values::Count};
use serde::Serialize;
use serde_json::value::to_raw_value;
use socketioxide::{
    extract::AckSender,
    handler::{FromMessageParts, Value},
    socket::Socket,
};
use tracing::Span;

use super::requests::Request;
use crate::{metrics::METRICS, socket::ClientSocket};

/// Where the answer goes: to the ack, or, for an event that was sent without one, nowhere but for a refusal. One that
/// is dropped unused tells `unavailable`: nobody waits for ever.
pub(crate) struct Answer {
    pub(crate) client: Arc<ClientSocket>,
    /// Taken by the answer.
    to: Option<To>,
    /// The request's, from its arrival to its answer.
    pub(crate) span: Span,
}

enum To {
    Ack(i64),
    Nobody(Cow<'static, str>),
}

/// An event's name is told back up to here.
const NAME_CHARS: usize = 64;

impl Answer {
    pub(crate) fn new(client: Arc<ClientSocket>, event: &str, ack_id: Option<i64>) -> Self {
        let to = match ack_id {
            Some(id) => To::Ack(id),
            None => To::Nobody(match Request::known(event) {
                Some(known) => Cow::Borrowed(known),
                None => Cow::Owned(event.chars().take(NAME_CHARS).collect()),
            }),
        };
        let event = match &to {
            To::Nobody(Cow::Borrowed(event)) => event,
            To::Nobody(Cow::Owned(_)) | To::Ack(_) => Request::known(event).unwrap_or("unknown"),
        };
        let span = tracing::debug_span!("request", otel.name = event, event, socket = client.number());
        Self {
            client,
            to: Some(to),
            span,
        }
    }

    pub(crate) fn accept(mut self, ack: &impl Serialize) {
        if let Some(To::Ack(id)) = self.to.take() {
            self.client.acknowledge(id, ack);
        }
    }

    pub(crate) fn refuse(mut self, refusal: &Refusal) {
        self.tell(refusal);
    }

    fn tell(&mut self, refusal: &Refusal) {
        if self.to.is_some() {
            METRICS.refused(refusal.code);
        }
        match self.to.take() {
            Some(To::Ack(id)) => self.client.acknowledge(id, &RefusalBody(refusal)),
            Some(To::Nobody(event)) => self.client.request_error(&event, refusal),
            None => {}
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.tell(&Refusal::unavailable());
    }
}

/// The library's own way to answer the request of that number.
pub(crate) fn ack_sender(socket: &Arc<Socket>, ack_id: i64) -> AckSender {
    let mut unused = Value::Bytes(bytes::Bytes::new());
    match AckSender::from_message_parts(socket, &mut unused, &Some(ack_id)) {
        Ok(sender) => sender,
        Err(never) => match never {},
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct JoinAck<'a> {
    success: bool,
    group_id: i64,
    head_seq: i64,
    log_id: &'a str,
    recovered: bool,
    entries: Vec<LogEntry<'a>>,
    has_more: bool,
}

impl<'a> JoinAck<'a> {
    pub(crate) fn new(joined: &'a Joined) -> Self {
        Self {
            success: true,
            group_id: joined.group_id.get(),
            head_seq: joined.head.get(),
            log_id: joined.log_id.as_str(),
            recovered: joined.recovered,
            entries: joined.entries.iter().map(LogEntry).collect(),
            has_more: joined.has_more,
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct LeaveAck {
    success: bool,
    group_id: i64,
}

impl LeaveAck {
    pub(crate) fn new(group_id: GroupId) -> Self {
        Self {
            success: true,
            group_id: group_id.get(),
        }
    }
}

/// Never printed: it holds the content.
#[derive(Serialize)]
pub(crate) struct SendAck<'a> {
    success: bool,
    message: &'a RawValue,
    duplicate: bool,
}

/// The message as its event carries it, encoded once for all.
pub(crate) fn encoding(published: &Published) -> Option<&RawValue> {
    published
        .encoding(|entry| to_raw_value(&EventEntry(entry)).ok())?
        .as_deref()
}

impl<'a> SendAck<'a> {
    /// `None` where the message cannot be encoded.
    pub(crate) fn new(sent: &'a Sent) -> Option<Self> {
        Some(Self {
            success: true,
            message: encoding(&sent.message)?,
            duplicate: sent.duplicate,
        })
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct EntryAck<'a> {
    success: bool,
    entry: LogEntry<'a>,
}

impl<'a> EntryAck<'a> {
    pub(crate) fn new(published: &'a Published) -> Self {
        Self {
            success: true,
            entry: LogEntry(published.entry()),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct ReadAck {
    success: bool,
    read_seq: Count,
    unread: Count,
}

impl ReadAck {
    pub(crate) fn new(marked: MarkedRead) -> Self {
        Self {
            success: true,
            read_seq: marked.read.into(),
            unread: marked.into(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct DoneAck {
    success: bool,
}

impl DoneAck {
    pub(crate) const fn new() -> Self {
        Self { success: true }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct RefreshAck {
    success: bool,
    expires_at: String,
}

impl RefreshAck {
    pub(crate) fn new(expires_at: Timestamp) -> Self {
        Self {
            success: true,
            expires_at: rfc3339(expires_at),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct EntriesAck<'a> {
    success: bool,
    entries: Vec<LogEntry<'a>>,
    has_more: bool,
    head_seq: i64,
    log_id: &'a str,
}

impl<'a> EntriesAck<'a> {
    pub(crate) fn new(page: &'a EntriesPage) -> Self {
        Self {
            success: true,
            entries: page.entries.iter().map(LogEntry).collect(),
            has_more: page.has_more,
            head_seq: page.head.get(),
            log_id: page.log_id.as_str(),
        }
    }
}
