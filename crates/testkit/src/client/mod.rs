//! A small Socket.IO client for tests: Engine.IO 4 over WebSocket, namespace `/`, text packets.
//!
//! It is cheap enough to play hundreds of sockets in one process: one task for each connection, frames that are parsed
//! only as far as somebody looks, writes that share a system call. It can also misbehave: send raw frames, stop
//! reading, or vanish. [`RawClient`] does nothing by itself at all, and [`http`] asks an HTTP server without a client
//! library.
//!
//! ```no_run
//! # async fn example(server: std::net::SocketAddr, token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use sealroom_testkit::client::Client;
//! use serde_json::json;
//!
//! let client = Client::connect(server, token).await?;
//! let joined = client.emit_with_ack("join_group", json!({"group_id": 5})).await?;
//! assert_eq!(joined["success"], true);
//!
//! // Many requests in flight: the frames leave in this order, the answers are awaited later.
//! let sends: Vec<_> = (0..16)
//!     .map(|_| client.request("send_message", json!({"group_id": 5, "encrypted_content": "x"})))
//!     .collect();
//! for send in sends {
//!     assert_eq!(send.answer().await?["success"], true);
//! }
//! let message = client.next_event("new_message").await?;
//! assert_eq!(message["group_id"], 5);
//! # Ok(())
//! # }
//! ```

mod builder;
mod connection;
mod error;
mod frame;
pub mod http;
mod raw;
mod socket;

use std::{fmt::Display, net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

pub use builder::ClientBuilder;
use connection::{Mode, Shared};
pub use error::{ClientError, Closed, ConnectError};
pub use frame::{Kind, Received};
pub use raw::{RawClient, RawFrame};

/// How long a test waits for an answer or an event before it fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A connected client. Dropping it drops the connection without a goodbye.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedSender<Message>,
    mode: watch::Sender<Mode>,
    local_addr: SocketAddr,
    connect_ack: Value,
    /// The one task of the connection; aborted with the client.
    tasks: JoinSet<()>,
}

impl Client {
    /// Connects with `auth: {"token": token}`.
    pub async fn connect(server: SocketAddr, token: &str) -> Result<Self, ConnectError> {
        Self::builder(server).token(token).connect().await
    }

    /// Connects in other ways.
    pub fn builder(server: SocketAddr) -> ClientBuilder {
        ClientBuilder::new(server)
    }

    /// What the server answered to CONNECT: `{"sid": …}`.
    pub fn connect_ack(&self) -> &Value {
        &self.connect_ack
    }

    /// The client's end of the TCP connection.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Sends an event without asking for an answer. The payload is a [`Value`] or any JSON text.
    pub fn emit(&self, event: &str, payload: impl Display) {
        self.raw(format!("42[{},{payload}]", quoted(event)));
    }

    /// Sends an event and waits for its answer.
    pub async fn emit_with_ack(&self, event: &str, payload: impl Display) -> Result<Value, ClientError> {
        self.request(event, payload).answer().await
    }

    /// Sends an event and returns at once; the answer may be awaited later, or never. Frames leave in the order of
    /// the calls, and ack ids grow from 0.
    pub fn request(&self, event: &str, payload: impl Display) -> PendingAck {
        self.request_with(event, &format!(",{payload}"))
    }

    /// Sends an event with any number of arguments and asks for an answer.
    pub fn request_args(&self, event: &str, args: &[Value]) -> PendingAck {
        let args = args
            .iter()
            .fold(String::new(), |args, arg| format!("{args},{arg}"));
        self.request_with(event, &args)
    }

    fn request_with(&self, event: &str, args: &str) -> PendingAck {
        let event = quoted(event);
        let (id, answer) = self.shared.expect_ack(|id| {
            self.raw(format!("42{id}[{event}{args}]"));
        });
        PendingAck { id, answer }
    }

    /// Sends a text frame as it is, Engine.IO and Socket.IO prefixes included.
    pub fn raw(&self, frame: impl Into<String>) {
        self.send(Message::Text(frame.into().into()));
    }

    /// Sends a binary frame: an attachment, or what should not be there.
    pub fn raw_binary(&self, frame: impl Into<Vec<u8>>) {
        self.send(Message::Binary(frame.into().into()));
    }

    fn send(&self, message: Message) {
        // A closed connection shows where something is awaited.
        let _ = self.outgoing.send(message);
    }

    /// The payload of the next event of this name that was not handed out yet. Waits for it.
    pub async fn next_event(&self, name: &str) -> Result<Value, ClientError> {
        match self.next_event_within(name, PATIENCE).await? {
            Some(payload) => Ok(payload),
            None => Err(ClientError::Timeout),
        }
    }

    /// The same with another patience; `None` where none came in time.
    pub async fn next_event_within(
        &self,
        name: &str,
        patience: Duration,
    ) -> Result<Option<Value>, ClientError> {
        let next = self.shared.wait_for(|inbox| inbox.take_event(name));
        match timeout(patience, next).await {
            Ok(received) => Ok(Some(received?.payload())),
            Err(_elapsed) => Ok(None),
        }
    }

    /// Everything that was received since the connection or the last [`Client::take_received`]: events, acks among
    /// them in their order, and at last the end of the connection. Empty where an observer gets it instead.
    pub fn received(&self) -> Vec<Received> {
        self.shared.with_inbox(|inbox| inbox.record.clone())
    }

    /// The same, and forgets it. [`Client::next_event`] goes on with what comes later.
    pub fn take_received(&self) -> Vec<Received> {
        self.shared.with_inbox(connection::Inbox::take_record)
    }

    /// The events among [`Client::received`].
    pub fn events(&self) -> Vec<Received> {
        self.shared.with_inbox(|inbox| {
            let events = inbox.record.iter();
            events
                .filter(|received| received.kind() == Kind::Event)
                .cloned()
                .collect()
        })
    }

    /// Stops reading the TCP socket, like a client that is stuck. Sending goes on; nothing is answered, pings neither.
    pub fn pause_reading(&self) {
        self.mode.send_replace(Mode::Paused);
    }

    /// Reads again.
    pub fn resume_reading(&self) {
        self.mode.send_replace(Mode::Running);
    }

    /// How the connection ended; `None` while it is open. A client that does not read does not notice.
    pub fn closed(&self) -> Option<Closed> {
        self.shared.with_inbox(|inbox| inbox.closed.clone())
    }

    /// Waits for the end of the connection.
    pub async fn wait_closed(&self) -> Result<Closed, ClientError> {
        let closed = self.shared.wait_for(|inbox| inbox.closed.clone());
        match timeout(PATIENCE, closed).await {
            Ok(closed) => closed,
            Err(_elapsed) => Err(ClientError::Timeout),
        }
    }

    /// Vanishes: resets the TCP connection without any goodbye. What was not written yet is lost.
    pub async fn kill(mut self) {
        self.mode.send_replace(Mode::Killed);
        self.tasks.join_next().await;
    }

    /// Leaves the way an official client does: namespace DISCONNECT, then a WebSocket close. Waits for the end.
    pub async fn disconnect(self) -> Result<(), ClientError> {
        self.raw("41");
        self.send(Message::Close(None));
        self.wait_closed().await.map(drop)
    }
}

/// The answer to an event, which may not be there yet.
#[derive(Debug)]
pub struct PendingAck {
    id: u64,
    answer: oneshot::Receiver<Received>,
}

impl PendingAck {
    /// The id under which the answer comes, as in [`Kind::Ack`].
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Waits for the answer: the only argument of the ack.
    pub async fn answer(self) -> Result<Value, ClientError> {
        self.received().await.map(|received| received.payload())
    }

    /// Waits for the answer and does not parse it.
    pub async fn received(self) -> Result<Received, ClientError> {
        match timeout(PATIENCE, self.answer).await {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(_dropped)) => Err(ClientError::Closed),
            Err(_elapsed) => Err(ClientError::Timeout),
        }
    }
}

fn quoted(event: &str) -> Value {
    Value::String(event.into())
}
