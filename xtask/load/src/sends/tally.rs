//! What all clients of a run count together.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::times::Times;

/// The counts.
#[derive(Debug)]
pub(super) struct Tally {
    /// Times in messages count from here.
    pub(super) begun: Instant,
    acknowledged: AtomicU64,
    delivered: AtomicU64,
    is_measuring: AtomicBool,
    is_over: AtomicBool,
    /// From the moment that a message was due to its answer.
    pub(super) acks: Times,
    /// From there to each socket that got it.
    pub(super) deliveries: Times,
    refused: Mutex<BTreeMap<String, u64>>,
}

/// How many there were so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            acknowledged: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            is_measuring: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            acks: Times::default(),
            deliveries: Times::default(),
            refused: Mutex::default(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
        }
    }

    pub(super) fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn deliver(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, code: &str) {
        *self.refused.lock().entry(code.to_owned()).or_default() += 1;
    }

    pub(super) fn refused(&self) -> BTreeMap<String, u64> {
        self.refused.lock().clone()
    }

    pub(super) fn measure(&self, is_measuring: bool) {
        self.is_measuring.store(is_measuring, Ordering::Relaxed);
    }

    pub(super) fn is_measuring(&self) -> bool {
        self.is_measuring.load(Ordering::Relaxed)
    }

    /// No more is sent.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}
