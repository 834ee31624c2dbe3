//! What a socket is told besides entries and answers.

use sealroom_domain::{GroupId, Refusal, RemovalReason, Timestamp};
use sealroom_engine::Signal;
use sealroom_wire::{RawValue, rfc3339};
use serde::Serialize;
use serde_json::value::to_raw_value;

/// A request without an ack id was refused.
#[derive(Serialize)]
pub(crate) struct RequestError<'a> {
    event: &'a str,
    code: &'static str,
    error: &'static str,
}

impl<'a> RequestError<'a> {
    pub(crate) fn new(event: &'a str, refusal: &Refusal) -> Self {
        Self {
            event,
            code: refusal.code.as_str(),
            error: refusal.text(),
        }
    }
}

/// The user is no longer a member.
#[derive(Serialize)]
pub(crate) struct RemovedFromGroup {
    group_id: i64,
    reason: &'static str,
}

impl RemovedFromGroup {
    pub(crate) fn new(group_id: GroupId, reason: RemovalReason) -> Self {
        Self {
            group_id: group_id.get(),
            reason: reason.as_str(),
        }
    }
}

/// The token is about to end.
#[derive(Serialize)]
pub(crate) struct TokenExpiring {
    expires_at: String,
}

impl TokenExpiring {
    pub(crate) fn new(expires_at: Timestamp) -> Self {
        Self {
            expires_at: rfc3339(expires_at),
        }
    }
}

/// The event of a signal.
pub(crate) const fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Typing { .. } => "typing",
        Signal::Read { .. } => "read",
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum SignalBody {
    Typing {
        group_id: i64,
        user_id: i64,
        is_typing: bool,
    },
    Read {
        group_id: i64,
        user_id: i64,
        read_seq: i64,
    },
}

/// The data of a signal's event; `None` where it cannot be encoded, which these types always can.
pub(crate) fn encode_signal(signal: &Signal) -> Option<Box<RawValue>> {
    let body = match *signal {
        Signal::Typing {
            group_id,
            user_id,
            is_typing,
        } => SignalBody::Typing {
            group_id: group_id.get(),
            user_id: user_id.get(),
            is_typing,
        },
        Signal::Read {
            group_id,
            user_id,
            read_seq,
        } => SignalBody::Read {
            group_id: group_id.get(),
            user_id: user_id.get(),
            read_seq: read_seq.get(),
        },
    };
    to_raw_value(&body).ok()
}
