//! The wall clock.

use std::fmt;

use crate::Timestamp;

/// Now, for every rule about time. May jump in both directions, like the clock of any machine.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}
