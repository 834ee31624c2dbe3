//! How often something may happen.

use std::num::NonZeroU32;

/// A rate with room for bursts, as a token bucket keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many a second in the long run.
    pub per_second: NonZeroU32,
    /// How many at once, after a rest.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate of these numbers; `None` where one of them is 0.
    pub const fn new(per_second: u32, burst: u32) -> Option<Self> {
        match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
            (Some(per_second), Some(burst)) => Some(Self { per_second, burst }),
            _ => None,
        }
    }
}
