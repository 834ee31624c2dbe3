//! How far the writing of one connection has come.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::socket::Socket;

/// What was written, and since when a write waits.
#[derive(Debug)]
pub(super) struct Progress {
    opened: Instant,
    bytes_written: AtomicU64,
    /// The same of all connections, below their encryption.
    sent_bytes: Arc<AtomicU64>,
    /// Since when a write waits, in milliseconds after `opened` plus one; 0 where none does.
    stalled_since: AtomicU64,
    /// Told whenever the library has written more.
    told: OnceLock<Arc<Notify>>,
}

impl Progress {
    /// Of a connection that was just accepted.
    pub(super) fn new(sent_bytes: Arc<AtomicU64>) -> Self {
        Self {
            opened: Instant::now(),
            bytes_written: AtomicU64::new(0),
            sent_bytes,
            stalled_since: AtomicU64::new(0),
            told: OnceLock::new(),
        }
    }

    /// So many bytes were written so far.
    pub(super) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// From now on tells a waiter of what the library writes.
    pub(super) fn tell_written(&self, told: Arc<Notify>) {
        self.told.get_or_init(|| told);
    }

    /// A write ended like this.
    pub(super) fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.sent_bytes.fetch_add(wide(*bytes), Ordering::Relaxed);
                self.stalled_since.store(0, Ordering::Relaxed);
            }
            Poll::Ready(Err(_)) => self.stalled_since.store(0, Ordering::Relaxed),
            Poll::Pending => self.stall(),
        }
    }

    /// Writes what the kernel takes now, which may be nothing.
    pub(super) fn try_write(&self, socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
        match socket.tcp().try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.stall();
                Ok(0)
            }
            written => {
                let written = written?;
                self.sent_bytes.fetch_add(wide(written), Ordering::Relaxed);
                self.stalled_since.store(0, Ordering::Relaxed);
                if written < bytes.len() {
                    self.stall();
                }
                Ok(written)
            }
        }
    }

    /// So many bytes left.
    pub(super) fn count(&self, bytes: usize) {
        self.bytes_written.fetch_add(wide(bytes), Ordering::Relaxed);
    }

    /// The same of the library's, for whose leaving somebody may wait.
    pub(super) fn count_and_tell(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.count(*bytes);
            if let Some(told) = self.told.get() {
                told.notify_one();
            }
        }
    }

    fn stall(&self) {
        if self.stalled_since.load(Ordering::Relaxed) == 0 {
            self.stalled_since
                .store(self.age_ms().saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Whether a write waits for the peer.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled_since.load(Ordering::Relaxed) != 0
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long one has been waiting.
    pub(super) fn stalled_for(&self) -> Option<Duration> {
        let since = self.stalled_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(self.age_ms().saturating_sub(since)))
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
