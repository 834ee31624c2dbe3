//! A Socket.IO client of its own: Socket.IO 5 over Engine.IO 4 over a WebSocket. It never comes back by itself.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{json, value::RawValue};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, Utf8Bytes},
};

use crate::log::Request;

/// How long a handshake may take: longer than the server takes to give up.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// How long a frame may wait to be written. Where it takes longer, the connection is given up.
const WRITE: Duration = Duration::from_secs(10);

/// A connection whose `CONNECT` was answered.
#[derive(Debug)]
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
}

/// What came over a connection.
#[derive(Debug)]
pub(crate) enum Incoming {
    Answer { id: u64, body: Box<RawValue> },
    Event { name: String, payload: Box<RawValue> },
    Ended { reason: String },
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NotConnected {
    /// `CONNECT_ERROR`
    Refused(String),
    /// Anything else, as while the server is down.
    Failed,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr, token: &str) -> Result<Self, NotConnected> {
        match timeout(HANDSHAKE, handshake(server, token)).await {
            Ok(Ok(socket)) => Ok(Self { socket, next_id: 0 }),
            Ok(Err(why)) => Err(why),
            Err(_elapsed) => Err(NotConnected::Failed),
        }
    }

    /// The id for the next request.
    pub(crate) fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Sends a request that wants an answer. Where that fails, [`Client::next`] tells the end.
    pub(crate) async fn send(&mut self, id: u64, request: &Request) {
        let (event, payload) = request.event();
        self.write(format!("42{id}{}", json!([event, payload]))).await;
    }

    async fn write(&mut self, text: String) {
        // A connection on which nothing can be written is over, and reading finds that out.
        let _ = timeout(WRITE, self.socket.send(Message::Text(text.into()))).await;
    }

    /// The next thing that comes; may be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Incoming {
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_))) | None => return ended("closed by the server"),
                Some(Ok(Message::Binary(_))) => return unreadable("an attachment"),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return ended(&error.to_string()),
            };
            match text.as_str() {
                "2" => self.write("3".into()).await,
                // Noop, and Engine.IO's close, after which the end comes by itself.
                "6" | "1" => {}
                packet => return read(packet).unwrap_or_else(|| unreadable(packet)),
            }
        }
    }

    /// Vanishes with a TCP reset.
    pub(crate) fn kill(self) {
        // Where the connection is gone already there is nothing to reset.
        let _ = self.socket.get_ref().set_zero_linger();
    }
}

fn read(packet: &str) -> Option<Incoming> {
    if let Some(ack) = packet.strip_prefix("43") {
        let (id, arguments) = ack.split_at(ack.find('[')?);
        let mut arguments: Vec<Box<RawValue>> = serde_json::from_str(arguments).ok()?;
        let body = arguments.pop()?;
        return arguments.is_empty().then_some(Incoming::Answer {
            id: id.parse().ok()?,
            body,
        });
    }
    let (name, payload) = serde_json::from_str(packet.strip_prefix("42")?).ok()?;
    Some(Incoming::Event { name, payload })
}

/// Told as an event that nobody expects, so that it is a violation.
fn unreadable(packet: &str) -> Incoming {
    Incoming::Event {
        name: format!("unreadable: {packet}"),
        payload: RawValue::NULL.to_owned(),
    }
}

fn ended(reason: &str) -> Incoming {
    Incoming::Ended {
        reason: reason.to_owned(),
    }
}

async fn handshake(server: SocketAddr, token: &str) -> Result<WebSocketStream<TcpStream>, NotConnected> {
    let failed = |_error| NotConnected::Failed;
    let tcp = TcpStream::connect(server)
        .await
        .map_err(|_down| NotConnected::Failed)?;
    tcp.set_nodelay(true).map_err(|_gone| NotConnected::Failed)?;
    let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket");
    let (mut socket, _response) = client_async(url, tcp).await.map_err(failed)?;
    if !next_text(&mut socket).await?.starts_with('0') {
        return Err(NotConnected::Refused(
            "the first packet is not Engine.IO's open".into(),
        ));
    }
    let connect = format!("40{}", json!({"token": token}));
    socket.send(Message::Text(connect.into())).await.map_err(failed)?;
    loop {
        let packet = next_text(&mut socket).await?;
        match packet.as_str() {
            "2" => socket.send(Message::Text("3".into())).await.map_err(failed)?,
            "1" | "6" => {}
            connected if connected.starts_with("40") => return Ok(socket),
            other => return Err(NotConnected::Refused(other.to_owned())),
        }
    }
}

async fn next_text(socket: &mut WebSocketStream<TcpStream>) -> Result<Utf8Bytes, NotConnected> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(NotConnected::Failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Incoming, read};

    #[test]
    fn packets_are_read_as_they_came() {
        let Some(Incoming::Answer { id: 12, body }) = read(r#"4312[{"success":true,"a":1.0}]"#) else {
            panic!("an answer");
        };
        assert_eq!(body.get(), r#"{"success":true,"a":1.0}"#);
        let Some(Incoming::Event { name, payload }) = read(r#"42["new_message",{"b":[1]}]"#) else {
            panic!("an event");
        };
        assert_eq!((name.as_str(), payload.get()), ("new_message", r#"{"b":[1]}"#));
    }

    #[test]
    fn what_is_no_packet_of_an_honest_server_is_none() {
        for packet in [
            "431[]",
            "431[1,2]",
            "43[1]",
            "42[1,2]",
            "41",
            "44{}",
            "x",
            "42[\"a\",1,2]",
        ] {
            assert!(read(packet).is_none(), "{packet}");
        }
    }
}
