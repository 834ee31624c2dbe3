//! The time of the records.

use std::time::Instant;

/// Milliseconds since 1970 that never go back: the server's clock is that of the same machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    epoch_ms: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            epoch_ms: u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.epoch_ms + millis(self.started.elapsed())
    }

    pub(crate) fn now_secs(&self) -> u64 {
        self.now() / 1000
    }
}

pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
