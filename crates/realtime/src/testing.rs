//! What unit tests need.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::{Connection, ConnectionRef, FrameWriter, FramesWritten};

/// A connection that writes what it is told.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<State>);

#[derive(Debug, Default)]
struct State {
    written: AtomicU64,
    killed: AtomicBool,
    told: OnceLock<Arc<Notify>>,
    by_library: AtomicU64,
}

impl Wire {
    pub(crate) fn open() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn connection(&self) -> ConnectionRef {
        ConnectionRef(self.0.clone())
    }

    pub(crate) fn write(&self, bytes: u64) {
        self.0.written.fetch_add(bytes, Ordering::Relaxed);
        if let Some(told) = self.0.told.get() {
            told.notify_one();
        }
    }

    /// The library has written so many events and answers in all.
    pub(crate) fn written_by_library(&self, packets: u64) {
        self.0.by_library.store(packets, Ordering::Relaxed);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_open()
    }

    pub(crate) fn kill(&self) {
        self.0.kill();
    }
}

impl Connection for State {
    fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn tell_written(&self, told: Arc<Notify>) {
        self.told.get_or_init(|| told);
    }

    fn stalled_for(&self) -> Option<Duration> {
        None
    }

    fn hold_reading(&self, _at_most: Duration) {}

    fn resume_reading(&self) {}

    fn is_open(&self) -> bool {
        !self.killed.load(Ordering::Relaxed)
    }

    fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    fn frames(&self) -> Option<&dyn FrameWriter> {
        Some(self)
    }
}

impl FrameWriter for State {
    fn begin(&self) {}

    fn written_by_library(&self) -> u64 {
        self.by_library.load(Ordering::Relaxed)
    }

    fn write(&self, bytes: &[u8], ends: &[usize]) -> io::Result<FramesWritten> {
        self.written
            .fetch_add(u64::try_from(bytes.len()).unwrap(), Ordering::Relaxed);
        Ok(FramesWritten {
            frames: ends.len(),
            is_cut: false,
        })
    }

    fn writable(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}
