//! What is told no more because it is too old.

use sealroom_domain::{GroupId, Seq, Timestamp, ports::OutboxId};
use tokio::time::Instant;

use super::{Lanes, lane::State};
use crate::event::Held;

/// Entries of one group that are told no more.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) group_id: GroupId,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    pub(crate) ids: Vec<OutboxId>,
}

/// Which entries are to be given up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GiveUp {
    /// Those from before this moment,
    pub(crate) before: Timestamp,
    /// of groups that fail since this moment at least (where there is such a moment),
    pub(crate) failing_since: Option<Instant>,
    /// or of all groups.
    pub(crate) all: bool,
}

impl Lanes {
    /// Forgets entries that are too old, but never one that is in flight.
    pub(crate) fn give_up(&mut self, rule: GiveUp) -> Vec<GivenUp> {
        let mut given_up = Vec::new();
        let failing: Vec<GroupId> = self
            .by_group
            .iter()
            .filter(|(_, lane)| {
                let long = lane.failing_since.zip(rule.failing_since);
                rule.all || long.is_some_and(|(since, moment)| since <= moment)
            })
            .map(|(group_id, _)| *group_id)
            .collect();
        for group_id in failing {
            given_up.extend(self.give_up_lane(group_id, rule.before));
        }
        given_up
    }

    fn give_up_lane(&mut self, group_id: GroupId, before: Timestamp) -> Option<GivenUp> {
        let lane = self.by_group.get_mut(&group_id)?;
        if lane.state == State::InFlight {
            return None;
        }
        let aged = lane
            .queue
            .iter()
            .take_while(|pending| pending.held.at <= before)
            .count();
        let aged: Vec<Held> = lane.queue.drain(..aged).map(|pending| pending.held).collect();
        self.held = self.held.saturating_sub(aged.len());
        let given_up = GivenUp {
            group_id,
            first: aged.first()?.seq,
            last: aged.last()?.seq,
            ids: aged.iter().map(|held| held.id).collect(),
        };
        if lane.queue.is_empty() {
            self.settle(group_id);
        }
        Some(given_up)
    }
}
