//! A flag that is set once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Unset at first, then set for good.
#[derive(Debug, Default)]
pub(crate) struct Latch(AtomicBool);

impl Latch {
    /// Sets it; `true` for the first caller.
    pub(crate) fn set(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
