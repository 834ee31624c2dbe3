//! The stream of one connection, and the handle that outlives it.

use std::{
    fmt,
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use sealroom_realtime::{Connection, FrameWriter};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

use super::{
    connections::Permit,
    hold::{Held, Hold},
    lane::Lane,
    progress::Progress,
};

/// Bytes that are read beyond those that are written, while a write waits for the peer. WebSocket answers each ping, into
/// a buffer that nothing else bounds; whoever takes no answers is not read any further. Two of the largest frames.
const READ_AHEAD: usize = 256 * 1024;

/// A TCP stream that notes since when a write waits for the peer.
///
/// Reading goes through the read half, which knows from a short read that the next one would wait and saves that
/// system call. Writing goes through the shared socket, because the [`Handle`] must reach it while a write waits.
pub(super) struct TrackedStream {
    read: OwnedReadHalf,
    socket: Arc<Socket>,
    progress: Arc<Progress>,
    lane: Arc<Lane>,
    /// What was read since a write began to wait, less what was written.
    read_ahead: usize,
    /// Waits until the peer takes something. A waiter of its own: polling for room would take that of the writer's task.
    room: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    held: Held,
    /// Dropped last: the connection counts until its descriptor is closed, whoever owns the stream by then.
    _permit: Permit,
}

/// The descriptor. It is closed when the stream is dropped: handles hold it weakly.
#[derive(Debug)]
pub(super) struct Socket(OwnedWriteHalf);

/// What is written to a connection is counted here, above its encryption if it has one: whoever hands bytes to it
/// compares them with what left, and the records of TLS would make that more than was handed.
#[derive(Debug)]
pub(super) struct Counted<S> {
    stream: S,
    progress: Arc<Progress>,
}

/// The connection as others see it.
#[derive(Debug)]
pub(super) struct Handle {
    socket: Weak<Socket>,
    progress: Arc<Progress>,
    lane: Arc<Lane>,
    hold: Arc<Hold>,
    /// It is encrypted: only whoever encrypts may write to it.
    is_encrypted: bool,
}

/// A connection that is not counted yet.
pub(super) struct Parts {
    read: OwnedReadHalf,
    socket: Arc<Socket>,
}

impl Parts {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self {
            read,
            socket: Arc::new(Socket(write)),
        }
    }

    pub(super) fn socket(&self) -> Weak<Socket> {
        Arc::downgrade(&self.socket)
    }

    pub(super) fn count(self, permit: Permit, is_encrypted: bool) -> (TrackedStream, Handle) {
        let progress = Arc::new(Progress::new(permit.sent_bytes()));
        let lane = Arc::new(Lane::default());
        let hold = Arc::new(Hold::new());
        let handle = Handle {
            socket: self.socket(),
            progress: progress.clone(),
            lane: lane.clone(),
            hold: hold.clone(),
            is_encrypted,
        };
        let stream = TrackedStream {
            read: self.read,
            socket: self.socket,
            progress,
            lane,
            read_ahead: 0,
            room: None,
            held: Held::new(hold),
            _permit: permit,
        };
        (stream, handle)
    }
}

impl Socket {
    pub(super) fn tcp(&self) -> &TcpStream {
        self.0.as_ref()
    }

    /// Ends the connection, also where its writer waits for a peer that does not read: both directions fail at
    /// once, which wakes the tasks of the stream, and closing discards what is unsent (linger 0: RST).
    pub(super) fn kill(&self) {
        let socket = SockRef::from(self.tcp());
        // Either fails only where the connection is gone already.
        let _ = socket.set_linger(Some(Duration::ZERO));
        let _ = socket.shutdown(Shutdown::Both);
    }

    pub(super) fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp().poll_write_ready(cx))?;
            match write(self.tcp()) {
                // The readiness was old, and is cleared now.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl Handle {
    pub(super) fn socket(&self) -> Option<Arc<Socket>> {
        self.socket.upgrade()
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Counts what is written to this stream of the connection.
    pub(super) fn counting<S>(&self, stream: S) -> Counted<S> {
        Counted {
            stream,
            progress: self.progress.clone(),
        }
    }
}

impl Connection for Handle {
    fn bytes_written(&self) -> u64 {
        self.progress.bytes_written()
    }

    fn tell_written(&self, told: Arc<Notify>) {
        self.progress.tell_written(told);
    }

    fn stalled_for(&self) -> Option<Duration> {
        // A connection that is gone waits for nobody.
        if !self.is_open() {
            return None;
        }
        self.progress.stalled_for()
    }

    fn is_open(&self) -> bool {
        self.socket.strong_count() > 0
    }

    fn hold_reading(&self, at_most: Duration) {
        self.hold.begin(at_most);
    }

    fn resume_reading(&self) {
        self.hold.end();
    }

    fn kill(&self) {
        if let Some(socket) = self.socket.upgrade() {
            socket.kill();
        }
    }

    fn frames(&self) -> Option<&dyn FrameWriter> {
        (!self.is_encrypted).then_some(self)
    }
}

impl TrackedStream {
    fn poll_write_bufs(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let to = (&*self.socket, &*self.progress);
        let written = self.lane.poll_write(cx, to, bufs, write);
        if let Poll::Ready(Ok(bytes)) = written {
            self.read_ahead = self.read_ahead.saturating_sub(bytes);
        }
        written
    }

    /// Waits where more was read than may be. Whoever goes on then writes first what waits, or finds the end.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.progress.is_stalled() {
            self.read_ahead = 0;
        }
        if self.read_ahead < READ_AHEAD {
            return Poll::Ready(());
        }
        let socket = &self.socket;
        let room = self.room.get_or_insert_with(|| {
            let socket = socket.clone();
            Box::pin(async move { socket.tcp().writable().await })
        });
        // What went wrong is told by the read that follows.
        let _room_or_end = ready!(room.as_mut().poll(cx));
        self.room = None;
        Poll::Ready(())
    }
}

impl fmt::Debug for TrackedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedStream")
            .field("socket", &self.socket)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for TrackedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_room(cx));
        let portion = ready!(self.held.poll_portion(cx));
        let before = buf.filled().len();
        let read = if portion < buf.remaining() {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(portion));
            let read = Pin::new(&mut self.read).poll_read(cx, &mut part);
            let bytes = part.filled().len();
            buf.advance(bytes);
            read
        } else {
            Pin::new(&mut self.read).poll_read(cx, buf)
        };
        if self.progress.is_stalled() {
            let bytes = buf.filled().len().saturating_sub(before);
            self.read_ahead = self.read_ahead.saturating_add(bytes);
        }
        read
    }
}

impl AsyncWrite for TrackedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_bufs(cx, &[IoSlice::new(buf)], |tcp| tcp.try_write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_bufs(cx, bufs, |tcp| tcp.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel has it already.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(self.socket.tcp()).shutdown(Shutdown::Write))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.progress.count_and_tell(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.progress.count_and_tell(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
