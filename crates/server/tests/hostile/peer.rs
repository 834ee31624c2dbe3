//! A peer that writes its bytes itself: HTTP that no library would send, and WebSocket frames of any shape.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

/// How long a peer waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A TCP connection to the server.
pub(crate) struct Peer {
    stream: TcpStream,
    /// What was read and not taken yet.
    buffer: Vec<u8>,
}

/// A frame of RFC 6455, section 5.2, with every bit to choose.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    /// The three reserved bits, of which the first says that the frame is compressed.
    pub(crate) reserved: u8,
    pub(crate) opcode: u8,
    pub(crate) masked: bool,
    pub(crate) payload: Vec<u8>,
    /// The length that the header says, where it is not that of the payload.
    pub(crate) length: Option<u64>,
}

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

impl Frame {
    /// A whole frame as a client sends it.
    pub(crate) fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            fin: true,
            reserved: 0,
            opcode,
            masked: true,
            payload: payload.into(),
            length: None,
        }
    }

    /// A text as a client sends it.
    pub(crate) fn text(text: &str) -> Self {
        Self::new(TEXT, text)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = self
            .length
            .unwrap_or_else(|| u64::try_from(self.payload.len()).unwrap());
        let mut bytes = vec![u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode];
        let mask_bit = u8::from(self.masked) << 7;
        match length {
            0..126 => bytes.push(mask_bit | u8::try_from(length).unwrap()),
            126..65_536 => {
                bytes.push(mask_bit | 0x7e);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 0x7f);
                bytes.extend(length.to_be_bytes());
            }
        }
        let mask = if self.masked {
            [0x5a, 0xc3, 0x11, 0x7e]
        } else {
            [0; 4]
        };
        if self.masked {
            bytes.extend(mask);
        }
        bytes.extend(
            self.payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        bytes
    }
}

/// What came on a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Came {
    Text(String),
    /// Another frame: its opcode and payload.
    Other(u8, Vec<u8>),
    /// A close frame with its code, if it had one.
    Close(Option<u16>),
    /// The end of the connection, without a close frame.
    Gone,
}

impl Peer {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// A WebSocket at this path, after Engine.IO's open packet.
    pub(crate) async fn websocket(server: SocketAddr) -> Self {
        let mut peer = Self::connect(server).await;
        peer.upgrade("/socket.io/?EIO=4&transport=websocket").await;
        let Came::Text(open) = peer.next().await else {
            panic!("no open packet")
        };
        assert!(open.starts_with('0'), "{open}");
        peer
    }

    /// The same past CONNECT.
    pub(crate) async fn connected(server: SocketAddr, token: &str) -> Self {
        let mut peer = Self::websocket(server).await;
        peer.say(&format!("40{{\"token\":\"{token}\"}}")).await;
        let answer = peer.packet().await;
        assert!(answer.starts_with("40"), "{answer}");
        peer
    }

    /// Asks for a WebSocket; must be let in.
    pub(crate) async fn upgrade(&mut self, path: &str) {
        let head = self.ask_upgrade(path).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }

    /// Asks for a WebSocket; gives the head of the answer.
    pub(crate) async fn ask_upgrade(&mut self, path: &str) -> String {
        self.ask_upgrade_with(path, &[]).await
    }

    /// The same with further headers.
    pub(crate) async fn ask_upgrade_with(&mut self, path: &str, headers: &[(&str, &str)]) -> String {
        let headers = headers.iter().fold(String::new(), |head, (name, value)| {
            head + name + ": " + value + "\r\n"
        });
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: sealroom\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        self.write(request.as_bytes()).await;
        self.head().await
    }

    /// Writes bytes; the server may be gone already.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.try_write(bytes).await;
    }

    /// Writes bytes; `false` where the server does not take them.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(PATIENCE, self.stream.write_all(bytes)).await, Ok(Ok(())))
    }

    pub(crate) async fn frame(&mut self, frame: &Frame) {
        self.write(&frame.bytes()).await;
    }

    /// Sends a text.
    pub(crate) async fn say(&mut self, text: &str) {
        self.frame(&Frame::text(text)).await;
    }

    /// The head of an answer, with the empty line; empty where the server closes without one.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            if !self.read(Instant::now() + PATIENCE).await {
                return String::new();
            }
        }
    }

    /// The status of the next answer; `None` where the server closes without one.
    pub(crate) async fn status(&mut self) -> Option<u16> {
        self.head()
            .await
            .strip_prefix("HTTP/1.1 ")?
            .get(..3)?
            .parse()
            .ok()
    }

    /// The next answer with its body, which has a length: its status, and its body. No status where the server closes
    /// without one.
    pub(crate) async fn answer(&mut self) -> (Option<u16>, Vec<u8>) {
        let head = self.head().await.to_ascii_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.map_or(0, |length| length.trim().parse().unwrap());
        while self.buffer.len() < length {
            assert!(self.read(Instant::now() + PATIENCE).await, "a body ends early");
        }
        (status, self.buffer.drain(..length).collect())
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Came {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((opcode, payload)) = self.take_frame() {
                return match opcode {
                    TEXT => Came::Text(String::from_utf8(payload).unwrap()),
                    CLOSE => Came::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
                    _ => Came::Other(opcode, payload),
                };
            }
            if !self.read(deadline).await {
                return Came::Gone;
            }
        }
    }

    /// Everything that comes, to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read(Instant::now() + PATIENCE).await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }

    /// Reads whatever comes, to the end of the connection.
    pub(crate) async fn until_end(&mut self) {
        let mut bytes = vec![0; 4096];
        while self.stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    }

    /// The next text that is no ping of Engine.IO.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            match self.next().await {
                Came::Text(text) if text == "2" => {}
                Came::Text(text) => return text,
                other => panic!("no packet: {other:?}"),
            }
        }
    }

    /// The same; `None` at the end of the connection.
    pub(crate) async fn packet_or_end(&mut self) -> Option<String> {
        loop {
            match self.next().await {
                Came::Text(text) if text == "2" => {}
                Came::Text(text) => return Some(text),
                Came::Close(_) | Came::Gone => return None,
                other @ Came::Other(..) => panic!("no packet: {other:?}"),
            }
        }
    }

    /// Reads to the end of the connection, and gives how long it took and what its close frame said.
    pub(crate) async fn closed(&mut self, within: Duration) -> (Duration, Option<u16>) {
        let begin = Instant::now();
        let mut code = None;
        loop {
            match timeout_at(begin + within, self.next()).await {
                Ok(Came::Close(said)) => code = said,
                Ok(Came::Gone) => return (begin.elapsed(), code),
                Ok(_) => {}
                Err(elapsed) => panic!("still open after {within:?}: {elapsed}"),
            }
        }
    }

    /// A whole frame of a server, which is neither masked nor in parts.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, second] = *self.buffer.first_chunk()?;
        let (length, head) = match second & 0x7f {
            126 => (
                u64::from(u16::from_be_bytes(*self.buffer.get(2..)?.first_chunk()?)),
                4,
            ),
            127 => (u64::from_be_bytes(*self.buffer.get(2..)?.first_chunk()?), 10),
            length => (u64::from(length), 2),
        };
        let end = head + usize::try_from(length).unwrap();
        let payload = self.buffer.get(head..end)?.to_vec();
        self.buffer.drain(..end);
        Some((first & 0x0f, payload))
    }

    /// Reads more; `false` at the end of the connection.
    async fn read(&mut self, deadline: Instant) -> bool {
        match timeout_at(deadline, self.stream.read_buf(&mut self.buffer)).await {
            Ok(read) => read.is_ok_and(|bytes| bytes > 0),
            Err(elapsed) => panic!("nothing came in {PATIENCE:?}: {elapsed}"),
        }
    }

    /// The stream itself, for peers that reset, half-close or stop reading.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}
