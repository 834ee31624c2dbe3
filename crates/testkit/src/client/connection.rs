//! The task of a connection, and what it shares with the client.

use std::{collections::HashMap, convert::Infallible, fmt, future::pending, sync::Arc};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::Message;

use super::{
    ClientError, Closed, Kind, Received,
    socket::{self, Socket},
};

/// The most frames that leave with one system call.
const WRITE_BATCH: usize = 64;

/// Takes everything received instead of the record.
pub(super) type Observer = Box<dyn FnMut(&Received) + Send>;

/// What the client wants of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Running,
    Paused,
    Killed,
}

#[derive(Default)]
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    changed: Notify,
}

#[derive(Default)]
pub(super) struct Inbox {
    pub(super) record: Vec<Received>,
    pub(super) closed: Option<Closed>,
    /// Where the search for the next event of a name goes on in `record`.
    cursors: HashMap<String, usize>,
    next_ack: u64,
    pending: HashMap<u64, oneshot::Sender<Received>>,
}

impl Inbox {
    /// The next event of this name that was not handed out yet.
    pub(super) fn take_event(&mut self, name: &str) -> Option<Received> {
        let from = self.cursors.get(name).copied().unwrap_or(0);
        let found = self.record[from..]
            .iter()
            .position(|received| received.is_event(name));
        let next = found.map_or(self.record.len(), |ahead| from + ahead + 1);
        self.cursors.insert(name.into(), next);
        found.map(|ahead| self.record[from + ahead].clone())
    }

    pub(super) fn take_record(&mut self) -> Vec<Received> {
        self.cursors.clear();
        std::mem::take(&mut self.record)
    }
}

impl Shared {
    pub(super) fn with_inbox<T>(&self, look: impl FnOnce(&mut Inbox) -> T) -> T {
        look(&mut self.inbox.lock())
    }

    /// Gives the next ack id to `send`, under the lock: frames leave in the order of their ids.
    pub(super) fn expect_ack(&self, send: impl FnOnce(u64)) -> (u64, oneshot::Receiver<Received>) {
        let (sender, receiver) = oneshot::channel();
        let mut inbox = self.inbox.lock();
        let id = inbox.next_ack;
        inbox.next_ack += 1;
        // Nobody answers on a closed connection: dropping the sender says so.
        if inbox.closed.is_none() {
            inbox.pending.insert(id, sender);
        }
        send(id);
        (id, receiver)
    }

    /// Waits until `look` finds something, or the connection ends without it.
    pub(super) async fn wait_for<T>(
        &self,
        mut look: impl FnMut(&mut Inbox) -> Option<T>,
    ) -> Result<T, ClientError> {
        loop {
            let changed = self.changed.notified();
            {
                let mut inbox = self.inbox.lock();
                if let Some(found) = look(&mut inbox) {
                    return Ok(found);
                }
                if inbox.closed.is_some() {
                    return Err(ClientError::Closed);
                }
            }
            changed.await;
        }
    }

    fn receive(&self, received: Received, observer: Option<&mut Observer>) {
        let is_observed = observer.is_some();
        if let Some(observe) = observer {
            // Before the answer: whoever awaited it finds everything up to it observed.
            observe(&received);
        }
        let mut inbox = self.inbox.lock();
        if let Kind::Ack(id) = received.kind()
            && let Some(waiting) = inbox.pending.remove(&id)
        {
            // Whoever asked may have gone away.
            let _ = waiting.send(received.clone());
        }
        if !is_observed {
            inbox.record.push(received);
            drop(inbox);
            self.changed.notify_waiters();
        }
    }

    fn close(&self, closed: Closed, observer: Option<&mut Observer>) {
        self.receive(Received::closed(), observer);
        let mut inbox = self.inbox.lock();
        inbox.pending.clear();
        inbox.closed = Some(closed);
        drop(inbox);
        self.changed.notify_waiters();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Reads and writes until the connection ends or is killed. One task: reading and writing wait for each other
/// nowhere, so that a stuck side does not stop the other.
pub(super) async fn run(
    socket: Socket,
    shared: Arc<Shared>,
    mut observer: Option<Observer>,
    pongs: mpsc::UnboundedSender<Message>,
    mut outgoing: mpsc::UnboundedReceiver<Message>,
    mode: watch::Receiver<Mode>,
) {
    let (mut sink, mut stream) = socket.split();
    let mut killed = mode.clone();
    let closed = tokio::select! {
        closed = read(&mut stream, &shared, &mut observer, &pongs, mode) => closed,
        never = write(&mut sink, &mut outgoing) => match never {},
        _ = killed.wait_for(|mode| *mode == Mode::Killed) => Closed {
            code: None,
            reason: "killed by the test".into(),
        },
    };
    if *killed.borrow() == Mode::Killed
        && let Ok(socket) = sink.reunite(stream)
    {
        socket::reset(&socket);
    }
    shared.close(closed, observer.as_mut());
}

async fn read(
    stream: &mut SplitStream<Socket>,
    shared: &Shared,
    observer: &mut Option<Observer>,
    pongs: &mpsc::UnboundedSender<Message>,
    mut mode: watch::Receiver<Mode>,
) -> Closed {
    loop {
        if *mode.borrow_and_update() != Mode::Running {
            // The sender lives as long as the client; without it this task is aborted.
            if mode.changed().await.is_err() {
                pending::<()>().await;
            }
            continue;
        }
        let message = tokio::select! {
            biased;
            _ = mode.changed() => continue,
            message = stream.next() => message,
        };
        match message {
            Some(Ok(Message::Text(text))) => match text.as_bytes().first() {
                Some(b'2') => {
                    // The receiver lives in the same task.
                    let _ = pongs.send(Message::Text("3".into()));
                }
                Some(b'4') => shared.receive(Received::packet(text), observer.as_mut()),
                // Engine.IO's close and noop: the end of the connection speaks for itself.
                _ => {}
            },
            Some(Ok(Message::Binary(bytes))) => {
                shared.receive(Received::binary(bytes.len()), observer.as_mut());
            }
            Some(Ok(Message::Close(frame))) => {
                return match frame {
                    Some(frame) => Closed {
                        code: Some(frame.code.into()),
                        reason: frame.reason.as_str().into(),
                    },
                    None => closed("a close frame without a code"),
                };
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return closed(&error.to_string()),
            None => return closed("the end of the stream"),
        }
    }
}

/// Never ends: where writing fails, reading finds out why.
async fn write(
    sink: &mut SplitSink<Socket, Message>,
    outgoing: &mut mpsc::UnboundedReceiver<Message>,
) -> Infallible {
    let mut batch = Vec::with_capacity(WRITE_BATCH);
    while outgoing.recv_many(&mut batch, WRITE_BATCH).await > 0 {
        let written = async {
            for message in batch.drain(..) {
                sink.feed(message).await?;
            }
            sink.flush().await
        };
        if written.await.is_err() {
            break;
        }
    }
    pending().await
}

fn closed(reason: &str) -> Closed {
    Closed {
        code: None,
        reason: reason.into(),
    }
}
