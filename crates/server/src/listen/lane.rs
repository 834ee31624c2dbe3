//! The two that write to one WebSocket: the library, and the transport beside it.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, ready},
};

use parking_lot::{Mutex, MutexGuard};
use sealroom_realtime::{FrameWriter, FramesWritten, WrittenFrames};
use tokio::{net::TcpStream, sync::Notify};

use super::{
    progress::Progress,
    socket::{Handle, Socket},
};

/// Whose turn it is: frames of both are written one after the other.
#[derive(Debug, Default)]
pub(super) struct Lane {
    state: Mutex<State>,
    /// What the library wrote of events and answers.
    written_by_library: AtomicU64,
    /// Told when a frame that was under way has left.
    free: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Looked at once the connection becomes a WebSocket.
    library: Option<WrittenFrames>,
    /// Of a frame that was written beside the library and not taken as a whole. It leaves before anything else.
    rest: Vec<u8>,
}

impl Lane {
    /// Writes what the library has to write.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        (socket, progress): (&Socket, &Progress),
        bufs: &[IoSlice<'_>],
        write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.lock();
        while !state.rest.is_empty() {
            let written = socket.poll_write_with(cx, |tcp| tcp.try_write(&state.rest));
            progress.note(&written);
            self.take_rest(&mut state, progress, ready!(written)?);
        }
        let written = socket.poll_write_with(cx, write);
        progress.note(&written);
        if let Poll::Ready(Ok(bytes)) = written {
            self.wrote(state, bufs, bytes);
        }
        written
    }

    fn take_rest(&self, state: &mut State, progress: &Progress, written: usize) {
        progress.count(written);
        state.rest.drain(..written);
        if state.rest.is_empty() {
            // The room of a large one is given back.
            state.rest = Vec::new();
            self.free.notify_one();
        }
    }

    /// The library wrote so many of these bytes.
    fn wrote(&self, mut state: MutexGuard<'_, State>, bufs: &[IoSlice<'_>], mut bytes: usize) {
        let Some(library) = &mut state.library else { return };
        let was_between = library.is_between_frames();
        for buf in bufs {
            let of_this = bytes.min(buf.len());
            library.wrote(buf.get(..of_this).unwrap_or_default());
            bytes -= of_this;
        }
        self.written_by_library
            .store(library.events_and_acks(), Ordering::Release);
        if !was_between && library.is_between_frames() {
            self.free.notify_one();
        }
    }
}

impl FrameWriter for Handle {
    fn begin(&self) {
        self.lane().state.lock().library = Some(WrittenFrames::default());
    }

    fn written_by_library(&self) -> u64 {
        self.lane().written_by_library.load(Ordering::Acquire)
    }

    fn write(&self, bytes: &[u8], ends: &[usize]) -> io::Result<FramesWritten> {
        let socket = self.socket().ok_or(io::ErrorKind::NotConnected)?;
        let (lane, progress) = (self.lane(), self.progress());
        let mut state = lane.state.lock();
        if state.library.as_ref().is_none_or(WrittenFrames::is_ended) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        while !state.rest.is_empty() {
            match progress.try_write(&socket, &state.rest)? {
                0 => {
                    return Ok(FramesWritten {
                        frames: 0,
                        is_cut: true,
                    });
                }
                written => lane.take_rest(&mut state, progress, written),
            }
        }
        if bytes.is_empty()
            || !state
                .library
                .as_ref()
                .is_some_and(WrittenFrames::is_between_frames)
        {
            return Ok(FramesWritten {
                frames: 0,
                is_cut: false,
            });
        }
        let written = progress.try_write(&socket, bytes)?;
        progress.count(written);
        let whole = ends.partition_point(|end| *end <= written);
        let begin = whole.checked_sub(1).and_then(|last| ends.get(last)).copied();
        if written > begin.unwrap_or(0)
            && let Some(rest) = ends.get(whole).and_then(|end| bytes.get(written..*end))
        {
            state.rest = rest.to_vec();
            return Ok(FramesWritten {
                frames: whole + 1,
                is_cut: true,
            });
        }
        Ok(FramesWritten {
            frames: whole,
            is_cut: false,
        })
    }

    fn writable(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let Some(socket) = self.socket() else { return };
            let is_under_way = {
                let state = self.lane().state.lock();
                let library = state.library.as_ref();
                state.rest.is_empty() && !library.is_some_and(WrittenFrames::is_between_frames)
            };
            if is_under_way {
                // The library goes on with its frame when there is room.
                self.lane().free.notified().await;
            } else {
                // What went wrong is told by the write that follows.
                let _room_or_end = socket.tcp().writable().await;
            }
        })
    }
}
