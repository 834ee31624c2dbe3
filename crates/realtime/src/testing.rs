//! What unit tests need.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{Connection, ConnectionRef};

/// A connection that writes what it is told.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<State>);

#[derive(Debug, Default)]
struct State {
    written: AtomicU64,
    killed: AtomicBool,
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

    fn stalled_for(&self) -> Option<Duration> {
        None
    }

    fn is_open(&self) -> bool {
        !self.killed.load(Ordering::Relaxed)
    }

    fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }
}
