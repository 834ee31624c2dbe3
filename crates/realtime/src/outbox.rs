//! What leaves for one socket, in the order in which it was sent.
//!
//! The library's queue holds a copy of every packet, so it gets no more than a window's worth at a time. What is behind
//! that waits here, where an entry of the log is one pointer however many sockets wait for it: readers that are slow
//! together cost little more than one. A socket that keeps up never has anything waiting here.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use sealroom_domain::UserId;
use sealroom_engine::{Gone, Published, Shared, Signal};
use sealroom_wire::{RawValue, event_name};
use socketioxide::{extract::AckSender, socket::Socket};
use tokio_util::task::TaskTracker;

use crate::{
    ConnectionRef,
    closer::SessionCloser,
    events::encoding,
    metrics::{METRICS, cause},
    notices::{encode_signal, signal_name},
    outbound::Outbound,
};

/// Bytes around an event's name and data: 4, 2, the brackets, the quotes and the comma.
const AROUND_EVENT: usize = 7;
/// Bytes around an answer's data at least: 4, 3, one digit of the ack's id, the brackets.
const AROUND_ACK: usize = 5;

/// One thing to send.
pub(crate) enum Outgoing {
    /// An entry of a log, which all sockets share.
    Entry(Arc<Published>),
    /// A signal, which all sockets share.
    Signal(Arc<Shared<Signal>>),
    /// An event of this socket alone.
    Event(&'static str, Box<RawValue>),
    /// The answer to a request.
    Ack(AckSender, Box<RawValue>),
}

impl Outgoing {
    /// What it takes on the wire; `None` where it cannot be encoded.
    fn bytes(&self) -> Option<usize> {
        let event = |name: &str, data: &RawValue| data.get().len() + name.len() + AROUND_EVENT;
        Some(match self {
            Self::Entry(published) => event(event_name(published.entry()), encoding(published)?),
            Self::Signal(signal) => event(signal_name(*signal.value()), encoded(signal)?),
            Self::Event(name, data) => event(name, data),
            Self::Ack(_, data) => data.get().len() + AROUND_ACK,
        })
    }

    /// Gives it to the library; `false` where that cannot take it.
    fn pass(self, socket: &Socket) -> bool {
        match self {
            Self::Entry(published) => encoding(&published)
                .is_some_and(|data| socket.emit(event_name(published.entry()), data).is_ok()),
            Self::Signal(signal) => {
                encoded(&signal).is_some_and(|data| socket.emit(signal_name(*signal.value()), data).is_ok())
            }
            Self::Event(name, data) => socket.emit(name, &*data).is_ok(),
            Self::Ack(sender, data) => sender.send(&*data).is_ok(),
        }
    }
}

fn encoded(signal: &Shared<Signal>) -> Option<&RawValue> {
    signal.encoding(encode_signal).and_then(Option::as_deref)
}

/// The way out of one socket.
pub(crate) struct Outbox {
    /// What the log and traces call the socket: its session's id is a secret.
    number: u64,
    user_id: UserId,
    /// Weak: the socket holds the handlers, which hold this.
    socket: Weak<Socket>,
    outbound: Outbound,
    waiting: Mutex<Waiting>,
    closer: SessionCloser,
    tasks: TaskTracker,
    /// Set for good once its transport was told to close, or is gone: from then on it takes nothing more.
    closing: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    /// With the bytes that each was counted as.
    queue: VecDeque<(u64, Outgoing)>,
    /// A task passes on what waits, and ends when nothing does.
    is_passed_on: bool,
}

impl Outbox {
    pub(crate) fn new(
        (number, user_id): (u64, UserId),
        socket: &Arc<Socket>,
        outbound: Outbound,
        closer: SessionCloser,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        Arc::new(Self {
            number,
            user_id,
            socket: Arc::downgrade(socket),
            outbound,
            waiting: Mutex::default(),
            closer,
            tasks,
            closing: AtomicBool::new(false),
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    pub(crate) fn connection(&self) -> Option<ConnectionRef> {
        self.outbound.connection()
    }

    /// Whether the transport has forgotten the socket.
    pub(crate) fn is_gone(&self) -> bool {
        self.socket.strong_count() == 0
    }

    /// Whether the transport was told to close.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Sends, without waiting. A socket that cannot take it is closed by the attempt.
    pub(crate) fn send(self: &Arc<Self>, outgoing: Outgoing) -> Result<(), Gone> {
        if self.is_closing() {
            return Err(Gone);
        }
        // Encoding cannot fail for these types; a socket that would miss something is closed all the same.
        let Some(bytes) = outgoing.bytes() else {
            return self.give_up(cause::DEFECT);
        };
        let Ok(bytes) = self.outbound.hand(bytes) else {
            return self.give_up(cause::OUTBOUND_BYTES);
        };
        let mut waiting = self.waiting.lock();
        if waiting.queue.is_empty() && self.outbound.has_window() {
            // Under the lock: nothing that is sent later may overtake it.
            let passed = self.pass(bytes, outgoing);
            drop(waiting);
            return if passed {
                Ok(())
            } else {
                self.give_up(cause::QUEUE)
            };
        }
        waiting.queue.push_back((bytes, outgoing));
        if !waiting.is_passed_on {
            waiting.is_passed_on = true;
            self.tasks.spawn(Arc::clone(self).pass_on());
        }
        Ok(())
    }

    /// Closes the transport at once: the client comes back by itself and recovers. The cause is one of
    /// [`crate::metrics::cause`].
    pub(crate) fn close_transport(&self, cause: &'static str) {
        if self.begin_closing() {
            METRICS.closed(cause);
            tracing::debug!(socket = self.number, user_id = %self.user_id, cause, "closing a transport");
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
        tracing::debug!(socket = self.number, user_id = %self.user_id, cause, "ending a socket");
        let Some(socket) = self.socket.upgrade() else {
            return;
        };
        let sid = socket.id;
        // Where its queue is full the client does not hear it; the transport goes all the same.
        let _ = socket.disconnect();
        if self.begin_closing() {
            METRICS.closed(cause);
        }
        self.closer.close_soon(sid);
    }

    /// The transport is gone: nothing waits any more.
    pub(crate) fn gone(&self) {
        self.begin_closing();
    }

    /// Whether it was not closing before.
    fn begin_closing(&self) -> bool {
        let is_first = !self.closing.swap(true, Ordering::Relaxed);
        // Whoever passes on what waits drops it.
        self.outbound.tell();
        is_first
    }

    fn give_up(&self, cause: &'static str) -> Result<(), Gone> {
        self.close_transport(cause);
        Err(Gone)
    }

    fn pass(&self, bytes: u64, outgoing: Outgoing) -> bool {
        let Some(socket) = self.socket.upgrade() else {
            return false;
        };
        self.outbound.passed(bytes);
        outgoing.pass(&socket)
    }

    /// Passes on what waits, as fast as it leaves.
    async fn pass_on(self: Arc<Self>) {
        loop {
            self.outbound
                .until(|outbound| outbound.has_window() || self.is_closing())
                .await;
            match self.pass_a_window() {
                Ok(true) => {}
                Ok(false) => return,
                Err(Gone) => self.close_transport(cause::QUEUE),
            }
        }
    }

    /// Passes on as much as may leave now; `false` where nothing waits any more.
    fn pass_a_window(&self) -> Result<bool, Gone> {
        let mut waiting = self.waiting.lock();
        while self.outbound.has_window() && !self.is_closing() {
            let Some((bytes, outgoing)) = waiting.queue.pop_front() else {
                break;
            };
            if !self.pass(bytes, outgoing) {
                return Err(Gone);
            }
        }
        if waiting.queue.is_empty() || self.is_closing() {
            // The room of a burst is given back.
            *waiting = Waiting::default();
            return Ok(false);
        }
        Ok(true)
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox")
            .field("number", &self.number)
            .field("outbound", &self.outbound)
            .finish_non_exhaustive()
    }
}
