//! A client that does nothing by itself.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::{io::AsyncWriteExt, time::timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{
    ClientError, ConnectError, PATIENCE,
    socket::{self, PATH, Socket},
};

/// A frame of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawFrame {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// The end, with the code of the close frame where there was one.
    Close(Option<u16>),
}

/// A WebSocket without Engine.IO or Socket.IO: no handshake, no CONNECT, no pongs.
#[derive(Debug)]
pub struct RawClient {
    socket: Socket,
}

impl RawClient {
    /// Opens a WebSocket at `/socket.io/?EIO=4&transport=websocket`.
    pub async fn connect(server: SocketAddr) -> Result<Self, ConnectError> {
        Self::connect_with(server, PATH, &[]).await
    }

    /// Opens a WebSocket at another path, with headers.
    pub async fn connect_with(
        server: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, ConnectError> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        let socket = socket::open(server, path, &headers, None).await?;
        Ok(Self { socket })
    }

    /// Sends a text frame.
    pub async fn send(&mut self, text: impl Into<String>) -> Result<(), ClientError> {
        self.send_message(Message::Text(text.into().into())).await
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), ClientError> {
        self.send_message(Message::Binary(bytes.into().into())).await
    }

    /// Writes bytes past the WebSocket: frames that are none.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let written = self.socket.get_mut().write_all(bytes).await;
        written.map_err(|_broken| ClientError::Closed)
    }

    async fn send_message(&mut self, message: Message) -> Result<(), ClientError> {
        match timeout(PATIENCE, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|_broken| ClientError::Closed),
            Err(_elapsed) => Err(ClientError::Timeout),
        }
    }

    /// The next frame. The end of the connection, however it came, is [`RawFrame::Close`].
    pub async fn next(&mut self) -> Result<RawFrame, ClientError> {
        let next = async {
            loop {
                return match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => RawFrame::Text(text.as_str().into()),
                    Some(Ok(Message::Binary(bytes))) => RawFrame::Binary(bytes.into()),
                    Some(Ok(Message::Close(frame))) => RawFrame::Close(frame.map(|frame| frame.code.into())),
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => RawFrame::Close(None),
                };
            }
        };
        timeout(PATIENCE, next)
            .await
            .map_err(|_elapsed| ClientError::Timeout)
    }

    /// The next frame, which must be a text.
    pub async fn next_text(&mut self) -> Result<String, ClientError> {
        match self.next().await? {
            RawFrame::Text(text) => Ok(text),
            RawFrame::Binary(_) | RawFrame::Close(_) => Err(ClientError::Closed),
        }
    }

    /// Vanishes with a TCP reset.
    pub fn kill(self) {
        socket::reset(&self.socket);
    }
}
