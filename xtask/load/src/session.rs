//! One client on one WebSocket, in one task.

use std::{future::Future, net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    frame::{self, CLOSE, FINAL, PING, PONG, TEXT},
    packet::{self, Packet},
};

/// How long each step of the beginning may take; a server under load is slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// What one read may bring.
const READ_BYTES: usize = 64 * 1024;

/// What a client says and hears.
pub trait Play {
    /// A packet came; pings are answered already.
    fn hear(&mut self, packet: Packet<'_>, out: &mut Outbox);

    /// It is time: called at the beginning, and when the time came that it gave. `None`: no more.
    fn due(&mut self, now: Instant, out: &mut Outbox) -> Option<Instant>;

    /// Whether it has had enough.
    fn is_over(&self) -> bool;

    /// Ends when [`Play::due`] is to be called before its time.
    fn woken(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// What waits to be written.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    next_id: u64,
}

impl Outbox {
    /// Emits an event with the JSON of its argument; gives the id of its answer.
    pub fn request(&mut self, name: &str, argument: &str) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let head = format!("42{id}[\"{name}\",");
        self.push(TEXT, &[head.as_bytes(), argument.as_bytes(), b"]"]);
        id
    }

    /// How many bytes the server has not taken yet.
    pub fn backlog(&self) -> usize {
        self.bytes.len() - self.written
    }

    fn push(&mut self, opcode: u8, payload: &[&[u8]]) {
        frame::push(&mut self.bytes, FINAL | opcode, payload);
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    fn took(&mut self, bytes: usize) {
        self.written += bytes;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        } else if self.written > READ_BYTES {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}

/// A connected client.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    inbox: BytesMut,
    /// The fragments of a message that is not whole yet.
    message: Vec<u8>,
    out: Outbox,
}

impl Session {
    /// Connects with a token.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn connect(server: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(server)).await??;
        stream.set_nodelay(true)?;
        let mut session = Self {
            stream,
            inbox: BytesMut::new(),
            message: Vec::new(),
            out: Outbox::default(),
        };
        timeout(PATIENCE, session.begin(server, token))
            .await
            .context("no answer")??;
        Ok(session)
    }

    async fn begin(&mut self, server: SocketAddr, token: &str) -> anyhow::Result<()> {
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).await?;
        let head = loop {
            if let Some(end) = self.inbox.windows(4).position(|four| four == b"\r\n\r\n") {
                break self.inbox.split_to(end + 4);
            }
            self.read().await?;
        };
        ensure!(
            head.starts_with(b"HTTP/1.1 101 "),
            "no WebSocket: {}",
            String::from_utf8_lossy(&head)
        );
        let connect = format!("40{{\"token\":\"{token}\"}}");
        self.out.push(TEXT, &[connect.as_bytes()]);
        self.flush().await?;
        let mut connected = None;
        while connected.is_none() {
            self.read().await?;
            self.each_packet(|packet, _| match packet {
                Packet::Connected(_) => connected = Some(Ok(())),
                Packet::Refused(reason) => connected = Some(Err(reason.to_owned())),
                _ => {}
            })?;
        }
        match connected {
            Some(Err(reason)) => bail!("refused: {reason}"),
            _ => Ok(()),
        }
    }

    /// Asks, and waits for the answer; what else comes meanwhile is passed over.
    ///
    /// # Errors
    /// The connection ends, or no answer comes within 30 s.
    pub async fn ask(&mut self, name: &str, argument: &str) -> anyhow::Result<String> {
        let mut answers = self.ask_all(name, argument, 1).await?;
        answers.pop().context("no answer")
    }

    /// Asks the same so many times at once, and waits for all answers.
    ///
    /// # Errors
    /// As [`Session::ask`].
    pub async fn ask_all(&mut self, name: &str, argument: &str, times: u64) -> anyhow::Result<Vec<String>> {
        let mut asked: Vec<_> = (0..times).map(|_| self.out.request(name, argument)).collect();
        let asking = async {
            let mut answers = Vec::new();
            self.flush().await?;
            while !asked.is_empty() {
                self.read().await?;
                self.each_packet(|packet, _| match packet {
                    Packet::Ack(id, text) if asked.contains(&id) => {
                        asked.retain(|other| *other != id);
                        answers.push(text.to_owned());
                    }
                    _ => {}
                })?;
                self.flush().await?;
            }
            Ok(answers)
        };
        timeout(PATIENCE, asking).await.context("no answer")?
    }

    /// Joins a group; gives the end of its log, behind which this socket gets everything.
    ///
    /// # Errors
    /// As [`Session::ask`], and where the answer is no success.
    pub async fn join(&mut self, group_id: u64) -> anyhow::Result<u64> {
        let answer = self.ask_join(&format!("{{\"group_id\":{group_id}}}")).await?;
        packet::number(&answer, "head_seq").context("an answer without head_seq")
    }

    /// Joins a group where it left it; gives the answer, with what it missed.
    ///
    /// # Errors
    /// As [`Session::join`].
    pub async fn rejoin(&mut self, group_id: u64, after_seq: u64) -> anyhow::Result<String> {
        self.ask_join(&format!("{{\"group_id\":{group_id},\"after_seq\":{after_seq}}}"))
            .await
    }

    async fn ask_join(&mut self, argument: &str) -> anyhow::Result<String> {
        let answer = self.ask("join_group", argument).await?;
        ensure!(answer.contains("\"success\":true"), "join: {answer}");
        Ok(answer)
    }

    /// Plays until it is over.
    ///
    /// # Errors
    /// The connection ends before.
    pub async fn play(&mut self, play: &mut impl Play) -> anyhow::Result<()> {
        let mut next = play.due(Instant::now(), &mut self.out);
        while !play.is_over() {
            // Tried first: it nearly always takes it at once.
            self.try_write()?;
            let has_more = self.out.backlog() > 0;
            let time = next.unwrap_or_else(|| Instant::now() + PATIENCE);
            tokio::select! {
                readable = self.stream.readable() => {
                    readable?;
                    if self.try_read()? {
                        self.each_packet(|packet, out| play.hear(packet, out))?;
                    }
                }
                writable = self.stream.writable(), if has_more => writable?,
                () = sleep_until(time) => {
                    if next.is_some() {
                        next = play.due(Instant::now(), &mut self.out);
                    }
                }
                () = play.woken() => next = play.due(Instant::now(), &mut self.out),
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(self.out.rest()).await?;
        self.out.took(self.out.backlog());
        Ok(())
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.inbox.reserve(READ_BYTES);
        ensure!(
            self.stream.read_buf(&mut self.inbox).await? > 0,
            "the server closed"
        );
        Ok(())
    }

    fn try_read(&mut self) -> anyhow::Result<bool> {
        self.inbox.reserve(READ_BYTES);
        match self.stream.try_read_buf(&mut self.inbox) {
            Ok(0) => bail!("the server closed"),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn try_write(&mut self) -> anyhow::Result<()> {
        if self.out.backlog() == 0 {
            return Ok(());
        }
        match self.stream.try_write(self.out.rest()) {
            Ok(bytes) => self.out.took(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Takes all whole frames out of what was read.
    fn each_packet(&mut self, mut hear: impl FnMut(Packet<'_>, &mut Outbox)) -> anyhow::Result<()> {
        while let Some(frame) = frame::first(&self.inbox) {
            let payload = self
                .inbox
                .get(frame.payload.clone())
                .context("a frame ends in its bytes")?;
            match frame.opcode {
                PING => self.out.push(PONG, &[payload]),
                CLOSE => bail!("the server closed the WebSocket"),
                // The most frequent one is not copied.
                TEXT if frame.is_final => take(payload, &mut self.out, &mut hear)?,
                0 | TEXT => {
                    self.message.extend_from_slice(payload);
                    if frame.is_final {
                        take(&self.message, &mut self.out, &mut hear)?;
                        self.message.clear();
                    }
                }
                _ => {}
            }
            self.inbox.advance(frame.payload.end);
        }
        Ok(())
    }
}

fn take(text: &[u8], out: &mut Outbox, hear: &mut impl FnMut(Packet<'_>, &mut Outbox)) -> anyhow::Result<()> {
    let text = std::str::from_utf8(text).context("text that is none")?;
    match Packet::read(text) {
        Packet::Ping => out.push(TEXT, &[b"3"]),
        packet => hear(packet, out),
    }
    Ok(())
}
