//! What came of the races.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::RACES;

/// What the races came to, over all groups: where nothing races, nothing is proved.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) removals: AtomicUsize,
    pub(super) joins_in_time: AtomicUsize,
    pub(super) joins_too_late: AtomicUsize,
    pub(super) sends_in_time: AtomicUsize,
    pub(super) sends_too_late: AtomicUsize,
    pub(super) pages_in_time: AtomicUsize,
    pub(super) pages_too_late: AtomicUsize,
    pub(super) joins_with_adding_in_time: AtomicUsize,
    pub(super) joins_with_adding_too_early: AtomicUsize,
    pub(super) removals_undone: AtomicUsize,
    pub(super) removals_that_stand: AtomicUsize,
    /// Races at whose end a socket had more to come than its connection takes.
    pub(super) with_stuck: AtomicUsize,
}

impl Tally {
    /// Enough of everything has happened.
    pub(super) fn check(&self) {
        let both_ways = [
            &self.joins_in_time,
            &self.joins_too_late,
            &self.sends_in_time,
            &self.sends_too_late,
            &self.pages_in_time,
            &self.pages_too_late,
            &self.joins_with_adding_in_time,
            &self.joins_with_adding_too_early,
            &self.removals_undone,
            &self.removals_that_stand,
        ];
        for outcome in both_ways {
            assert!(outcome.load(Ordering::Relaxed) >= 20, "hardly a race: {self:?}");
        }
        assert!(self.removals.load(Ordering::Relaxed) >= RACES);
        assert!(
            self.with_stuck.load(Ordering::Relaxed) >= RACES / 2,
            "hardly stuck: {self:?}"
        );
    }
}
