//! The clock of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use sealroom_domain::{Timestamp, ports::Clock};

/// The wall clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the `Clock` port")]
        let now = SystemTime::now();
        // A machine that believes to be before 1970 has no time at all; in microseconds `i64` lasts for 292 000 years.
        let micros = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        Timestamp::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_later_than_this_was_written() {
        assert!(SystemClock.now() > Timestamp::from_secs(1_735_689_600));
    }
}
