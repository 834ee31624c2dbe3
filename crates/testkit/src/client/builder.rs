//! How a client connects.

use std::{fmt, net::SocketAddr, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::{
    Client, Received,
    connection::{self, Mode, Observer, Shared},
    error::ConnectError,
    socket::{self, HANDSHAKE, PATH, Socket},
};

/// Connects a [`Client`].
pub struct ClientBuilder {
    server: SocketAddr,
    path: String,
    auth: Option<Value>,
    headers: Vec<(String, String)>,
    receive_buffer: Option<u32>,
    observer: Option<Observer>,
}

impl ClientBuilder {
    pub(super) fn new(server: SocketAddr) -> Self {
        Self {
            server,
            path: PATH.into(),
            auth: None,
            headers: Vec::new(),
            receive_buffer: None,
            observer: None,
        }
    }

    /// `auth: {"token": token}`. Without it or [`ClientBuilder::auth`], CONNECT carries nothing.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.auth(json!({"token": token}))
    }

    /// Any `auth`.
    #[must_use]
    pub fn auth(mut self, auth: Value) -> Self {
        self.auth = Some(auth);
        self
    }

    /// A header of the handshake.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Path and query of the handshake, instead of `/socket.io/?EIO=4&transport=websocket`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    /// The size of the TCP receive buffer in bytes: with a small one, a client that stops reading is felt soon.
    #[must_use]
    pub fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Hands everything received to this closure instead of recording it: for a million messages. It runs in the
    /// task of the connection; [`Client::next_event`] finds nothing then, acks are answered as usual.
    #[must_use]
    pub fn observer(mut self, observer: impl FnMut(&Received) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Connects: the WebSocket, Engine.IO's open packet, CONNECT and its answer.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let mut socket = socket::open(self.server, &self.path, &self.headers, self.receive_buffer).await?;
        let connect = match &self.auth {
            Some(auth) => format!("40{auth}"),
            None => "40".into(),
        };
        let shaking = handshake(&mut socket, connect);
        let connect_ack = match timeout(HANDSHAKE, shaking).await {
            Ok(connected) => connected?,
            Err(elapsed) => return Err(ConnectError::other(elapsed)),
        };
        let local_addr = socket.get_ref().local_addr().map_err(ConnectError::other)?;
        let shared = Arc::new(Shared::default());
        let (outgoing, outgoing_receiver) = mpsc::unbounded_channel();
        let (mode, mode_receiver) = watch::channel(Mode::Running);
        let mut tasks = JoinSet::new();
        tasks.spawn(connection::run(
            socket,
            Arc::clone(&shared),
            self.observer,
            outgoing.clone(),
            outgoing_receiver,
            mode_receiver,
        ));
        Ok(Client {
            shared,
            outgoing,
            mode,
            local_addr,
            connect_ack,
            tasks,
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("server", &self.server)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Reads not one frame more than the answer to CONNECT: what follows belongs to the task of the connection.
async fn handshake(socket: &mut Socket, connect: String) -> Result<Value, ConnectError> {
    let open = next_text(socket).await?;
    if !open.starts_with('0') {
        return Err(ConnectError::other("the first packet is not Engine.IO's open"));
    }
    send(socket, connect).await?;
    loop {
        let packet = next_text(socket).await?;
        if packet.as_str() == "2" {
            send(socket, "3".into()).await?;
        } else if let Some(ack) = packet.strip_prefix("40") {
            return serde_json::from_str(ack).map_err(ConnectError::other);
        } else if let Some(refusal) = packet.strip_prefix("44") {
            let refusal: Value = serde_json::from_str(refusal).map_err(ConnectError::other)?;
            return Err(match refusal["message"].as_str() {
                Some(message) => ConnectError::refused(message),
                None => ConnectError::other("CONNECT_ERROR without a message"),
            });
        } else {
            return Err(ConnectError::other("a packet before the answer to CONNECT"));
        }
    }
}

async fn send(socket: &mut Socket, text: String) -> Result<(), ConnectError> {
    let message = Message::Text(text.into());
    socket.send(message).await.map_err(ConnectError::other)
}

async fn next_text(socket: &mut Socket) -> Result<Utf8Bytes, ConnectError> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(_)) | None => return Err(ConnectError::other("closed during the handshake")),
            Some(Err(error)) => return Err(ConnectError::other(error)),
        }
    }
}
