//! What this crate asks of the accept loop.

use std::{fmt, future::Future, io, pin::Pin, sync::Arc, time::Duration};

use tokio::sync::Notify;

/// One TCP connection, as the accept loop sees it. The loop puts a [`ConnectionRef`] into the extensions of every
/// request, as `sealroom_server::listen::serve_connections` does. It is required: a reader that is too slow, and a
/// socket whose token is over, can only be closed through it. Requests without it are refused with 500.
pub trait Connection: fmt::Debug + Send + Sync {
    /// Bytes that the kernel took for the peer so far; above the encryption, where there is one.
    fn bytes_written(&self) -> u64;

    /// From now on, tells one waiter whenever [`Connection::bytes_written`] has grown. Asked once at most.
    fn tell_written(&self, told: Arc<Notify>);

    /// How long the oldest unfinished write has been waiting for the peer; `None` where none is.
    fn stalled_for(&self) -> Option<Duration>;

    /// Whether its descriptor is still open; once it is not, it never is again.
    fn is_open(&self) -> bool;

    /// Reads nothing more of the peer for so long, or until [`Connection::resume_reading`]; what was read already still
    /// comes. Its bytes wait in the kernel, and soon the peer itself waits.
    fn hold_reading(&self, at_most: Duration);

    /// Reads again, if it does not.
    fn resume_reading(&self);

    /// Ends the connection at once, whatever state its writer is in. Harmless where it is gone.
    fn kill(&self);

    /// The way for frames of a WebSocket beside the library; `None` where there is none, and everything goes through the
    /// library. It saves the library's queue, its task and two copies for each packet.
    fn frames(&self) -> Option<&dyn FrameWriter> {
        None
    }
}

/// Writes frames to a WebSocket beside the library, between the frames that it writes.
///
/// What the library has not written yet may be overtaken, so the transport goes this way only once that is nothing. It
/// counts for this what it gave to the library, and asks here what of it was written: [`crate::WrittenFrames`].
pub trait FrameWriter: Send + Sync {
    /// The next answer makes the connection a WebSocket.
    fn begin(&self);

    /// Frames with an event or an answer that the library wrote to their ends.
    fn written_by_library(&self) -> u64;

    /// Writes what is left of a frame, and then as many of these as the peer takes now; `ends` tells where in `bytes`
    /// each of them ends, the last at the end of `bytes`. An error is the end of the connection, or of what may be written
    /// to it.
    fn write(&self, bytes: &[u8], ends: &[usize]) -> io::Result<FramesWritten>;

    /// Waits until the peer takes more, after it took less than all.
    fn writable(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// How far [`FrameWriter::write`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramesWritten {
    /// So many of the frames were taken.
    pub frames: usize,
    /// Of the last one that was taken, now or before, a part still waits. It is kept here and leaves before anything else,
    /// when [`FrameWriter::write`] is called again: also with nothing more to write.
    pub is_cut: bool,
}

/// A shared [`Connection`].
#[derive(Debug, Clone)]
pub struct ConnectionRef(pub Arc<dyn Connection>);
