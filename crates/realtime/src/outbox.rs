//! What leaves for one socket, in the order in which it was sent.
//!
//! Where its connection has a way beside the library, a socket takes it as soon as the library has nothing more of it:
//! what is sent waits here until the [`Flusher`] writes it, which is at once. Elsewhere (it polls, or its connection is
//! encrypted) it goes through the library. That has a queue, which holds a copy of every packet, so it gets no more than
//! a window's worth at a time.
//!
//! What waits here longer waits for a slow reader. An entry of the log is one pointer however many sockets wait for it:
//! readers that are slow together cost little more than one.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use sealroom_domain::UserId;
use sealroom_engine::Gone;
use socketioxide::socket::Socket;
use tokio_util::task::TaskTracker;

use crate::{
    ConnectionRef,
    closer::SessionCloser,
    flusher::Flusher,
    metrics::{METRICS, cause},
    outbound::Outbound,
    outgoing::Outgoing,
};

/// The way out of one socket.
pub(crate) struct Outbox {
    /// What the log and traces call the socket: its session's id is a secret.
    number: u64,
    user_id: UserId,
    /// Weak: the socket holds the handlers, which hold this.
    socket: Weak<Socket>,
    outbound: Outbound,
    waiting: Mutex<Waiting>,
    /// The connection, once everything goes beside the library; for good.
    direct: OnceLock<ConnectionRef>,
    flusher: Arc<Flusher>,
    closer: SessionCloser,
    tasks: TaskTracker,
    /// Set for good once its transport was told to close, or is gone: from then on it takes nothing more.
    closing: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    /// With the bytes that each was counted as.
    queue: VecDeque<(u64, Outgoing)>,
    /// Somebody passes on what waits, until nothing does: the flusher, a task of the socket's own, or whoever opens it.
    is_passed_on: bool,
    /// Packets that the library was given.
    given: u64,
    /// Of the last packet that was written beside the library a part still waits at the connection.
    is_cut: bool,
    /// The socket is told to stay away once nothing waits.
    is_ending: bool,
}

/// Frames that are written together. Used again for each socket.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<usize>,
}

/// A batch is written once it has so many bytes.
const BATCH_BYTES: usize = 32 * 1024;

/// How many places for what waits are kept by a socket that has nothing waiting.
const PLACES_KEPT: usize = 8;

/// What became of what waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// It left.
    All,
    /// The peer takes no more at the moment.
    Some,
}

impl Outbox {
    pub(crate) fn new(
        (number, user_id): (u64, UserId),
        socket: &Arc<Socket>,
        outbound: Outbound,
        flusher: Arc<Flusher>,
        closer: SessionCloser,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        Arc::new(Self {
            number,
            user_id,
            socket: Arc::downgrade(socket),
            outbound,
            waiting: Mutex::new(Waiting {
                // By whoever opens it.
                is_passed_on: true,
                ..Waiting::default()
            }),
            direct: OnceLock::new(),
            flusher,
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

    /// The library takes what is for the socket from now on. Before, it refuses that, although the client may know already
    /// that it is connected, and ask for something.
    pub(crate) fn open(self: &Arc<Self>) {
        match self.pass_a_window() {
            Ok(Passed::All) => {}
            Ok(Passed::Some) => {
                self.tasks.spawn(Arc::clone(self).pass_on());
            }
            Err(Gone) => self.close_transport(cause::QUEUE),
        }
    }

    /// Sends, without waiting. A socket that cannot take it is closed by the attempt.
    pub(crate) fn send(self: &Arc<Self>, outgoing: Outgoing) -> Result<(), Gone> {
        if self.is_closing() {
            return Err(Gone);
        }
        // Encoding cannot fail for these types; a socket that would miss something is closed all the same.
        let Some(bytes) = outgoing.packet().map(|packet| packet.bytes()) else {
            return self.give_up(cause::DEFECT);
        };
        let Ok(bytes) = self.outbound.hand(bytes) else {
            return self.give_up(cause::OUTBOUND_BYTES);
        };
        let mut waiting = self.waiting.lock();
        if waiting.is_ending {
            return Err(Gone);
        }
        let is_direct = self.is_direct(&waiting);
        if !is_direct && !waiting.is_passed_on && self.outbound.has_window() {
            // Under the lock: nothing that is sent later may overtake it.
            let passed = self.pass(&mut waiting, bytes, &outgoing);
            drop(waiting);
            return if passed {
                Ok(())
            } else {
                self.give_up(cause::QUEUE)
            };
        }
        waiting.queue.push_back((bytes, outgoing));
        if waiting.is_passed_on {
            return Ok(());
        }
        waiting.is_passed_on = true;
        drop(waiting);
        if is_direct {
            self.flusher.mark(self);
        } else {
            self.tasks.spawn(Arc::clone(self).pass_on());
        }
        Ok(())
    }

    /// Whether what is sent goes beside the library, which it does from the first moment on at which it can.
    fn is_direct(&self, waiting: &Waiting) -> bool {
        if self.direct.get().is_some() {
            return true;
        }
        if !waiting.queue.is_empty() {
            return false;
        }
        let Some(connection) = self.outbound.beside_library(waiting.given) else {
            return false;
        };
        self.direct.get_or_init(|| connection);
        true
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

    /// Tells the client to stay away, behind what waits for it, then closes the transport.
    pub(crate) fn end(&self, cause: &'static str) {
        tracing::debug!(socket = self.number, user_id = %self.user_id, cause, "ending a socket");
        let Some(socket) = self.socket.upgrade() else {
            return;
        };
        let mut waiting = self.waiting.lock();
        if !waiting.is_ending && !self.is_closing() {
            METRICS.closed(cause);
        }
        waiting.is_ending = true;
        if !waiting.is_passed_on {
            self.leave();
        }
        drop(waiting);
        // Also where something waits for ever.
        self.closer.close_soon(socket.id);
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

    fn pass(&self, waiting: &mut Waiting, bytes: u64, outgoing: &Outgoing) -> bool {
        let (Some(socket), Some(packet)) = (self.socket.upgrade(), outgoing.packet()) else {
            return false;
        };
        self.outbound.passed(bytes);
        waiting.given += 1;
        packet.pass(&socket)
    }

    /// Passes on what waits, as fast as it leaves through the library.
    async fn pass_on(self: Arc<Self>) {
        loop {
            self.outbound
                .until(|outbound| outbound.has_window() || self.is_closing())
                .await;
            match self.pass_a_window() {
                Ok(Passed::Some) => {}
                Ok(Passed::All) => return,
                Err(Gone) => self.close_transport(cause::QUEUE),
            }
        }
    }

    /// Passes on as much as may leave now.
    fn pass_a_window(&self) -> Result<Passed, Gone> {
        let mut waiting = self.waiting.lock();
        while self.outbound.has_window() && !self.is_closing() {
            let Some((bytes, outgoing)) = waiting.queue.pop_front() else {
                break;
            };
            if !self.pass(&mut waiting, bytes, &outgoing) {
                return Err(Gone);
            }
        }
        Ok(self.rest(&mut waiting))
    }

    /// Writes what waits beside the library. What the peer does not take now is left to a task.
    pub(crate) fn flush(self: &Arc<Self>, batch: &mut Batch) {
        if self.write(batch) == Passed::Some {
            self.tasks.spawn(Arc::clone(self).write_on());
        }
    }

    /// Writes what waits as fast as the peer takes it.
    async fn write_on(self: Arc<Self>) {
        let Some(frames) = self.direct.get().and_then(|connection| connection.0.frames()) else {
            return;
        };
        // Of its own: nothing is kept for a socket that keeps up.
        let mut batch = Batch::default();
        while self.write(&mut batch) == Passed::Some {
            tokio::select! {
                () = frames.writable() => {}
                () = self.outbound.left_more() => {}
            }
        }
    }

    /// Writes as much as the peer takes now. One at a time does: who set `is_passed_on`.
    fn write(&self, batch: &mut Batch) -> Passed {
        let Some(frames) = self.direct.get().and_then(|connection| connection.0.frames()) else {
            return Passed::All;
        };
        loop {
            {
                let mut waiting = self.waiting.lock();
                batch.fill(&waiting.queue);
                if self.is_closing() || batch.ends.is_empty() && !waiting.is_cut {
                    return self.rest(&mut waiting);
                }
            }
            // Without the lock: whoever sends does not wait for the system.
            let Ok(written) = frames.write(&batch.bytes, &batch.ends) else {
                self.begin_closing();
                self.close_again();
                continue;
            };
            let mut waiting = self.waiting.lock();
            waiting.queue.drain(..written.frames);
            waiting.is_cut = written.is_cut;
            if written.is_cut || written.frames < batch.ends.len() || waiting.queue.is_empty() {
                return self.rest(&mut waiting);
            }
        }
    }

    /// What is left after something was passed on. Nobody passes on any more where nothing is.
    fn rest(&self, waiting: &mut Waiting) -> Passed {
        if self.is_closing() {
            waiting.queue.clear();
            waiting.is_cut = false;
        }
        if waiting.is_cut || !waiting.queue.is_empty() {
            return Passed::Some;
        }
        // The room of a burst is given back.
        waiting.queue.shrink_to(PLACES_KEPT);
        waiting.is_passed_on = false;
        if waiting.is_ending {
            self.leave();
        }
        Passed::All
    }

    /// Leaves the namespace. Where the library's queue is full the client does not hear it; the transport goes all the
    /// same.
    fn leave(&self) {
        if let Some(socket) = self.socket.upgrade() {
            let _ = socket.disconnect();
        }
        self.begin_closing();
    }
}

impl Batch {
    /// Encodes what waits longest.
    fn fill(&mut self, queue: &VecDeque<(u64, Outgoing)>) {
        self.bytes.clear();
        self.ends.clear();
        // One packet alone may be far larger.
        self.bytes.shrink_to(2 * BATCH_BYTES);
        for packet in queue.iter().map_while(|(_, outgoing)| outgoing.packet()) {
            packet.put(&mut self.bytes);
            self.ends.push(self.bytes.len());
            if self.bytes.len() >= BATCH_BYTES {
                break;
            }
        }
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
