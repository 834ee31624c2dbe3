//! One client's socket: what the feeds deliver to, and how it is closed.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sealroom_domain::{ErrorCode, GroupId, Refusal, RemovalReason, UserId};
use sealroom_engine::{Chat, Gone, Published, Session, Shared, Signal, Subscriber};
use sealroom_wire::{RawValue, event_name};
use serde::Serialize;
use serde_json::value::to_raw_value;
use socketioxide::{extract::AckSender, socket::Socket};
use tokio_util::task::TaskTracker;

use crate::{
    ConnectionRef,
    closer::SessionCloser,
    events::encoding,
    jobs::Jobs,
    metrics::{METRICS, cause},
    notices::{RemovedFromGroup, RequestError, TokenExpiring, encode_signal, signal_name},
    outbound::Outbound,
};

/// The number of the next socket.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// A socket that passed the handshake.
#[derive(Debug)]
pub(crate) struct ClientSocket {
    pub(crate) chat: Arc<Chat>,
    pub(crate) session: Arc<Session>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) tasks: TaskTracker,
    /// What the log and traces call it: its session's id is a secret.
    number: u64,
    /// Weak: the socket holds the handlers, which hold this.
    socket: Weak<Socket>,
    outbound: Outbound,
    closer: SessionCloser,
    /// Set for good once its transport was told to close: from then on it takes nothing more.
    closing: AtomicBool,
}

/// Bytes around an event's name and data: 4, 2, the brackets, the quotes and the comma.
const AROUND_EVENT: usize = 7;
/// Bytes around an answer's data at least: 4, 3, one digit of the ack's id, the brackets.
const AROUND_ACK: usize = 5;

impl ClientSocket {
    pub(crate) fn new(
        chat: Arc<Chat>,
        session: Arc<Session>,
        socket: &Arc<Socket>,
        outbound: Outbound,
        closer: SessionCloser,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            chat,
            session,
            jobs: Arc::default(),
            tasks,
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            socket: Arc::downgrade(socket),
            outbound,
            closer,
            closing: AtomicBool::new(false),
        }
    }

    pub(crate) fn user_id(&self) -> UserId {
        self.session.user_id()
    }

    /// Counted from 1 in this process.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the transport has forgotten it.
    pub(crate) fn is_gone(&self) -> bool {
        self.socket.strong_count() == 0
    }

    /// Whether its transport was told to close.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// The connection of its WebSocket; `None` while it polls.
    pub(crate) fn connection(&self) -> Option<ConnectionRef> {
        self.outbound.connection()
    }

    /// It runs over this WebSocket, or goes on over it.
    pub(crate) fn attach(&self, connection: ConnectionRef) {
        self.outbound.attach(connection);
    }

    pub(crate) fn polled(&self, bytes: u64) {
        self.outbound.polled(bytes);
    }

    /// Sends an event, without waiting.
    pub(crate) fn emit(&self, event: &str, data: &impl Serialize) {
        if let Ok(raw) = to_raw_value(data) {
            // A socket that cannot take it is closed by the attempt.
            let _ = self.emit_raw(event, &raw);
        }
    }

    /// Answers a request, without waiting.
    pub(crate) fn acknowledge(&self, ack: AckSender, data: &impl Serialize) {
        if self.is_closing() {
            return;
        }
        let Ok(raw) = to_raw_value(data) else { return };
        let sent = self.outbound.hand(raw.get().len() + AROUND_ACK).is_ok() && ack.send(&*raw).is_ok();
        if !sent {
            self.close_transport(cause::QUEUE);
        }
    }

    /// Tells that a request without an ack id was refused.
    pub(crate) fn request_error(&self, event: &str, refusal: &Refusal) {
        self.emit("request_error", &RequestError::new(event, refusal));
    }

    /// Tells that the token is about to end.
    pub(crate) fn token_expiring(&self) {
        self.emit("token_expiring", &TokenExpiring::new(self.session.expires_at()));
    }

    /// Closes the transport at once: the client comes back by itself and recovers. The cause is one of
    /// [`crate::metrics::cause`].
    pub(crate) fn close_transport(&self, cause: &'static str) {
        if !self.closing.swap(true, Ordering::Relaxed) {
            METRICS.closed(cause);
            tracing::debug!(socket = self.number, user_id = %self.user_id(), cause, "closing a transport");
        }
        self.close_again();
    }

    /// Closes the transport once more, where the session may have moved to another one when it was told to close.
    pub(crate) fn close_again(&self) {
        if let Some(socket) = self.socket.upgrade() {
            self.closer.close(socket.id);
        }
    }

    /// Tells the client to stay away, then closes the transport.
    pub(crate) fn end(&self, cause: &'static str) {
        tracing::debug!(socket = self.number, user_id = %self.user_id(), cause, "ending a socket");
        let Some(socket) = self.socket.upgrade() else {
            return;
        };
        let sid = socket.id;
        // Where its queue is full the client does not hear it; the transport goes all the same.
        let _ = socket.disconnect();
        if !self.closing.swap(true, Ordering::Relaxed) {
            METRICS.closed(cause);
        }
        self.closer.close_soon(sid);
    }

    fn emit_raw(&self, event: &str, raw: &RawValue) -> Result<(), Gone> {
        if self.is_closing() {
            return Err(Gone);
        }
        let Some(socket) = self.socket.upgrade() else {
            return Err(Gone);
        };
        let bytes = raw.get().len() + event.len() + AROUND_EVENT;
        if self.outbound.hand(bytes).is_err() {
            self.close_transport(cause::OUTBOUND_BYTES);
            return Err(Gone);
        }
        socket.emit(event, raw).map_err(|_full_or_closed| {
            self.close_transport(cause::QUEUE);
            Gone
        })
    }
}

impl Subscriber for ClientSocket {
    fn deliver(&self, entries: &[Arc<Published>]) -> Result<(), Gone> {
        for published in entries {
            // Encoding cannot fail for these types; a socket that would miss an entry is closed all the same.
            let Some(raw) = encoding(published) else {
                self.close_transport(cause::DEFECT);
                return Err(Gone);
            };
            self.emit_raw(event_name(published.entry()), raw)?;
        }
        Ok(())
    }

    fn signal(&self, signal: &Arc<Shared<Signal>>) {
        if self.outbound.is_busy() {
            return;
        }
        let raw = signal.encoding(encode_signal).and_then(Option::as_deref);
        if let Some(raw) = raw {
            // A socket that cannot take it is closed by the attempt.
            let _ = self.emit_raw(signal_name(*signal.value()), raw);
        }
    }

    fn revoked(&self) {
        self.end(cause::TOKEN_REVOKED);
    }

    fn removed_from_group(&self, group_id: GroupId, reason: RemovalReason) {
        self.emit("removed_from_group", &RemovedFromGroup::new(group_id, reason));
    }

    fn position_lost(&self) {
        self.close_transport(cause::POSITION_LOST);
    }
}

/// The refusal for a queue that is full.
pub(crate) fn rate_limited() -> Refusal {
    const RETRY: Duration = Duration::from_millis(100);
    Refusal::new(ErrorCode::RateLimited).with(sealroom_domain::Extra::RetryAfter(RETRY))
}
