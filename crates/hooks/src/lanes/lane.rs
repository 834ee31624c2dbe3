//! One group's entries.

use std::collections::VecDeque;

use sealroom_domain::ports::OutboxId;
use tokio::time::Instant;

use super::Lanes;
use crate::event::{Held, Stage};

/// The entries of one group.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) queue: VecDeque<Pending>,
    /// Entries of the group behind this place are known to be in the outbox, or may be, and are not held.
    pub(super) behind: Option<OutboxId>,
    pub(super) state: State,
    /// Attempts that failed since the last one that did not.
    pub(super) attempts: u32,
    pub(super) failing_since: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) held: Held,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is held.
    Empty,
    Ready,
    InFlight,
    Waiting(Instant),
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            behind: None,
            state: State::Empty,
            attempts: 0,
            failing_since: None,
        }
    }

    pub(super) fn knows(&self, id: OutboxId) -> bool {
        self.behind.is_some_and(|behind| id > behind)
            || self
                .queue
                .binary_search_by_key(&id, |pending| pending.held.id)
                .is_ok()
    }

    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < Lanes::OF_ONE && !matches!(self.state, State::Waiting(_))
    }

    /// At its place by its id, but never before one that is in flight.
    pub(super) fn insert(&mut self, pending: Pending) {
        let place = self
            .queue
            .partition_point(|present| present.held.id < pending.held.id);
        let first = usize::from(self.state == State::InFlight);
        self.queue.insert(place.max(first).min(self.queue.len()), pending);
    }
}
