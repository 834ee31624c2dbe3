//! What unit tests need.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::{Connection, ConnectionRef};

/// A connection that writes what it is told.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<State>);

#[derive(Debug, Default)]
struct State {
    written: AtomicU64,
    killed: AtomicBool,
    told: OnceLock<Arc<Notify>>,
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
}
