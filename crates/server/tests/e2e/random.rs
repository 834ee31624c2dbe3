//! Random numbers for moments and choices.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// `SplitMix64`: small, and good enough for a choice.
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by the operating system. The moments of a test with real sockets do not repeat with a seed.
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        Self(u64::from_le_bytes(seed))
    }

    /// A number under `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len().try_into().unwrap());
        choices[usize::try_from(index).unwrap()]
    }

    /// A time under `bound`.
    pub(crate) fn moment(&mut self, bound: Duration) -> Duration {
        Duration::from_micros(self.below(micros(bound)))
    }
}

/// How long something takes here and now: what is to meet it must come as late, on a slow machine as on a fast one.
pub(crate) struct Takes(AtomicU64);

impl Takes {
    pub(crate) fn at_first(time: Duration) -> Self {
        Self(AtomicU64::new(micros(time)))
    }

    /// It took this long. One time in which the store stood still tells little of the others.
    pub(crate) fn note(&self, time: Duration) {
        let took = micros(time.min(Duration::from_millis(50)));
        let before = self.0.load(Ordering::Relaxed);
        self.0.store((3 * before + took) / 4, Ordering::Relaxed);
    }

    /// Half as long again.
    pub(crate) fn and_a_half(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed) * 3 / 2)
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros().try_into().unwrap()
}
