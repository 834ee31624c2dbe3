//! One client's socket: what the feeds deliver to, and how it is closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sealroom_domain::{ErrorCode, GroupId, Refusal, RemovalReason};
use sealroom_engine::{Chat, Gone, Published, Session, Shared, Signal, Subscriber};
use serde::Serialize;
use serde_json::value::to_raw_value;
use socketioxide::socket::Socket;
use tokio_util::task::TaskTracker;

use crate::{
    ConnectionRef,
    closer::SessionCloser,
    flusher::Flusher,
    jobs::Jobs,
    metrics::cause,
    notices::{RemovedFromGroup, RequestError, TokenExpiring},
    outbound::Outbound,
    outbox::Outbox,
    outgoing::Outgoing,
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
    outbox: Arc<Outbox>,
    /// Once held, it is read on when only so many of its writes wait for their answers: half of those that may.
    read_on_at: Option<usize>,
    /// It is not read at the moment, because too many do.
    is_held: AtomicBool,
}

/// How long a client is not read after a write was refused because too many wait for their answers, if they take that
/// long.
const HOLD_FULL: Duration = Duration::from_secs(1);
/// The same where its user writes too often.
const HOLD_OFTEN: Duration = Duration::from_millis(20);

impl ClientSocket {
    pub(crate) fn new(
        chat: Arc<Chat>,
        session: Arc<Session>,
        socket: &Arc<Socket>,
        outbound: Outbound,
        flusher: Arc<Flusher>,
        closer: SessionCloser,
        tasks: TaskTracker,
    ) -> Self {
        let name = (NUMBERS.fetch_add(1, Ordering::Relaxed), session.user_id());
        Self {
            read_on_at: chat.limits().unacked_sends.map(|most| most / 2),
            chat,
            session,
            jobs: Arc::default(),
            outbox: Outbox::new(name, socket, outbound, flusher, closer, tasks.clone()),
            is_held: AtomicBool::new(false),
            tasks,
        }
    }

    /// The client is connected.
    pub(crate) fn open(&self) {
        self.outbox.open();
    }

    /// Counted from 1 in this process.
    pub(crate) fn number(&self) -> u64 {
        self.outbox.number()
    }

    /// Whether the transport has forgotten it.
    pub(crate) fn is_gone(&self) -> bool {
        self.outbox.is_gone()
    }

    /// Whether its transport was told to close.
    pub(crate) fn is_closing(&self) -> bool {
        self.outbox.is_closing()
    }

    /// The connection of its WebSocket; `None` while it polls.
    pub(crate) fn connection(&self) -> Option<ConnectionRef> {
        self.outbox.connection()
    }

    /// It runs over this WebSocket, or goes on over it.
    pub(crate) fn attach(&self, connection: ConnectionRef) {
        self.outbox.outbound().attach(connection);
    }

    pub(crate) fn polled(&self, bytes: u64, packets: u64) {
        self.outbox.outbound().polled(bytes, packets);
    }

    /// Sends an event, without waiting.
    pub(crate) fn emit(&self, event: &'static str, data: &impl Serialize) {
        if let Ok(raw) = to_raw_value(data) {
            // A socket that cannot take it is closed by the attempt.
            let _ = self.outbox.send(Outgoing::Event(event, raw));
        }
    }

    /// Answers the request of that number, without waiting.
    pub(crate) fn acknowledge(&self, ack_id: i64, data: &impl Serialize) {
        if let Ok(raw) = to_raw_value(data) {
            let _ = self.outbox.send(Outgoing::Ack(ack_id, raw));
        }
    }

    /// A write was answered, or is about to be. A client whose writes are refused because they are too many is not read
    /// for a while: to refuse one costs nearly as much as to store it, and what waits on the client's side costs nothing.
    pub(crate) fn answered_write<T>(&self, answer: &Result<T, Refusal>) {
        let is_full = || self.read_on_at.is_some_and(|few| self.session.unacked() > few);
        if let Err(refusal) = answer
            && refusal.code == ErrorCode::RateLimited
            && let Some(connection) = self.connection()
        {
            let is_full = is_full();
            // Before the look at the room below, which another answer may make at the same time.
            self.is_held.fetch_or(is_full, Ordering::SeqCst);
            connection
                .0
                .hold_reading(if is_full { HOLD_FULL } else { HOLD_OFTEN });
        }
        if self.is_held.load(Ordering::SeqCst)
            && !is_full()
            && self.is_held.swap(false, Ordering::SeqCst)
            && let Some(connection) = self.connection()
        {
            connection.0.resume_reading();
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
        self.outbox.close_transport(cause);
    }

    /// Closes the transport once more, where the session may have moved to another one when it was told to close.
    pub(crate) fn close_again(&self) {
        self.outbox.close_again();
    }

    /// Tells the client to stay away, then closes the transport.
    pub(crate) fn end(&self, cause: &'static str) {
        self.outbox.end(cause);
    }

    /// The transport has let go of it.
    pub(crate) fn closed(&self) {
        self.outbox.gone();
        self.chat.close_session(&self.session);
    }
}

impl Subscriber for ClientSocket {
    fn deliver(&self, entries: &[Arc<Published>]) -> Result<(), Gone> {
        entries
            .iter()
            .try_for_each(|published| self.outbox.send(Outgoing::Entry(published.clone())))
    }

    fn signal(&self, signal: &Arc<Shared<Signal>>) {
        if !self.outbox.outbound().is_busy() {
            // A socket that cannot take it is closed by the attempt.
            let _ = self.outbox.send(Outgoing::Signal(signal.clone()));
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
