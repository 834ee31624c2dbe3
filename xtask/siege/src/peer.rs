//! A peer that does as little, or as wrong, as it likes.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

/// How long what must come may take; a besieged server is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// A TCP connection, or a WebSocket on it, whose bytes are written and read one by one.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    /// Connects from this address of the loopback network, as another client would: the last byte of 127.0.0.x.
    pub(crate) async fn connect(
        server: SocketAddr,
        from: u8,
        receive_buffer: Option<u32>,
    ) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(SocketAddr::from(([127, 0, 0, from], 0)))?;
        let stream = timeout(PATIENCE, socket.connect(server)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// A WebSocket after Engine.IO's open packet.
    pub(crate) async fn websocket(
        server: SocketAddr,
        from: u8,
        receive_buffer: Option<u32>,
    ) -> anyhow::Result<Self> {
        let mut peer = Self::connect(server, from, receive_buffer).await?;
        let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: siege\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        peer.stream.write_all(request.as_bytes()).await?;
        peer.read_until(b"\"sid\"").await.context("no open packet")?;
        Ok(peer)
    }

    /// A WebSocket of a member that joined.
    pub(crate) async fn joined(
        server: SocketAddr,
        (from, receive_buffer): (u8, Option<u32>),
        token: &str,
        group_id: u64,
    ) -> anyhow::Result<Self> {
        let mut peer = Self::websocket(server, from, receive_buffer).await?;
        peer.say(&format!("40{{\"token\":\"{token}\"}}")).await?;
        peer.read_until(b"40{\"sid\"").await.context("no CONNECT")?;
        peer.say(&format!("427[\"join_group\",{{\"group_id\":{group_id}}}]"))
            .await?;
        peer.read_until(b"437[{\"success\":true")
            .await
            .context("not joined")?;
        Ok(peer)
    }

    pub(crate) async fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.stream
            .write_all(&frame(0x81, text.as_bytes()))
            .await
            .context("it is gone")
    }

    /// Reads until these bytes were there.
    async fn read_until(&mut self, wanted: &[u8]) -> anyhow::Result<()> {
        let mut read = Vec::new();
        let reading = async {
            while !read.windows(wanted.len()).any(|window| window == wanted) {
                ensure!(self.stream.read_buf(&mut read).await? > 0, "it was closed");
            }
            Ok(())
        };
        timeout(PATIENCE, reading).await?
    }

    /// Reads so many bytes a second, for ever; ends when the connection does.
    pub(crate) async fn sip(&mut self, bytes_per_second: usize) {
        let mut bytes = vec![0; (bytes_per_second / 20).max(1)];
        while self.stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the connection is reset, without reading anything.
    pub(crate) async fn reset(&self) -> Duration {
        let begin = Instant::now();
        while self.stream.take_error().is_ok_and(|error| error.is_none()) {
            sleep(Duration::from_millis(50)).await;
        }
        begin.elapsed()
    }

    /// Writes all of it, or as much as the server takes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(PATIENCE, self.stream.write_all(bytes)).await, Ok(Ok(())))
    }
}

/// A frame whose first byte is given.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    xtask_load::frame::push(&mut bytes, first, &[payload]);
    bytes
}
