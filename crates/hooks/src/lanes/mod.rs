//! What is to be told, in order for each group, and never more of it in memory than a bound.
//!
//! The outbox is one list for all groups, and a group whose events are refused stays in it. So it is read twice over:
//! a *frontier* moves over everything once, and a group that has no room, since its events wait for a retry, keeps only
//! the place behind which its entries lie. When it has room again, a *sweep* reads on from there, for all such groups
//! together.

mod give_up;
mod lane;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use sealroom_domain::{
    GroupId, Timestamp,
    ports::{OutboxId, OutboxItem},
};
use tokio::time::Instant;

pub(crate) use self::give_up::{GiveUp, GivenUp};
use self::lane::{Lane, Pending, State};
use crate::event::{EventType, Held, Stage};

/// Everything that is known of the outbox.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_group: HashMap<GroupId, Lane>,
    /// Groups whose first event can be sent, the longest ready first. May name groups that are so no longer.
    ready: VecDeque<GroupId>,
    /// Groups whose first event waits for its next attempt.
    waiting: BTreeSet<(Instant, GroupId)>,
    /// Groups of which nothing is held and of which entries lie behind a place, by that place.
    hungry: BTreeMap<OutboxId, BTreeSet<GroupId>>,
    /// Everything up to here was looked at.
    frontier: OutboxId,
    /// The sweep has come so far.
    sweep: OutboxId,
    /// Entries in all lanes.
    held: usize,
}

impl Lanes {
    /// Entries of one group that are held at most.
    pub(crate) const OF_ONE: usize = 128;
    /// Entries of all groups that are held at most, but for one page.
    pub(crate) const OF_ALL: usize = 10_000;

    /// Where to read new entries from.
    pub(crate) fn frontier(&self) -> OutboxId {
        self.frontier
    }

    /// Whether there is room for a page of new entries.
    pub(crate) fn has_room(&self) -> bool {
        self.held < Self::OF_ALL && self.by_group.len() < Self::OF_ALL
    }

    /// Takes a new entry; `Some` where it need not be told and can go. One that is known already changes nothing.
    pub(crate) fn admit(&mut self, item: OutboxItem, wanted: &[EventType]) -> Option<OutboxId> {
        let id = item.id;
        self.frontier = self.frontier.max(id);
        let Some((held, stage)) = Held::of(item, wanted) else {
            return Some(id);
        };
        let group_id = held.group_id;
        let lane = self.by_group.entry(group_id).or_insert_with(Lane::new);
        if lane.knows(id) {
            return None;
        }
        match lane.queue.back().map(|last| last.held.id) {
            Some(last) if last < id && !lane.has_room() => lane.behind = Some(last),
            _ => {
                lane.insert(Pending { held, stage });
                self.held += 1;
                if lane.state == State::Empty {
                    self.settle(group_id);
                }
            }
        }
        None
    }

    /// Where to read on for groups that have room again.
    pub(crate) fn refill_from(&self) -> Option<OutboxId> {
        if self.held >= Self::OF_ALL {
            return None;
        }
        let ahead = self.hungry.range(self.sweep..).next();
        ahead
            .or_else(|| self.hungry.first_key_value())
            .map(|(place, _)| *place)
    }

    /// Takes a page that was read for those groups; `is_last` where nothing lies behind it. Answers what can go.
    pub(crate) fn refill(
        &mut self,
        from: OutboxId,
        page: Vec<OutboxItem>,
        is_last: bool,
        wanted: &[EventType],
    ) -> Vec<OutboxId> {
        let last = page.last().map_or(from, |item| item.id);
        let at_end = is_last || last >= self.frontier;
        self.sweep = if at_end { OutboxId(0) } else { last };
        let mut fed = self.take_hungry(from, (!at_end).then_some(last));
        let mut unwanted = Vec::new();
        for item in page {
            let id = item.id;
            if id > self.frontier {
                break;
            }
            let Some((held, stage)) = Held::of(item, wanted) else {
                unwanted.push(id);
                continue;
            };
            let group_id = held.group_id;
            let Some(lane) = self
                .by_group
                .get_mut(&group_id)
                .filter(|_| fed.contains(&group_id))
            else {
                continue;
            };
            if lane.behind.is_none_or(|behind| id <= behind) {
                continue;
            }
            if lane.queue.len() < Self::OF_ONE {
                lane.insert(Pending { held, stage });
                self.held += 1;
            } else {
                lane.behind = lane.queue.back().map(|last| last.held.id);
                fed.remove(&group_id);
                self.settle(group_id);
            }
        }
        for group_id in fed {
            if let Some(lane) = self.by_group.get_mut(&group_id) {
                lane.behind = (!at_end).then_some(last);
            }
            self.settle(group_id);
        }
        unwanted
    }

    /// The hungry groups that a page behind `from` and up to `to` (or to the end) speaks for.
    fn take_hungry(&mut self, from: OutboxId, to: Option<OutboxId>) -> BTreeSet<GroupId> {
        let mut taken = self.hungry.split_off(&from);
        if let Some(to) = to {
            let mut later = taken.split_off(&to);
            self.hungry.append(&mut later);
        }
        taken.into_values().flatten().collect()
    }

    /// The next event to send, of a group that is in flight from now on.
    pub(crate) fn start(&mut self) -> Option<(Held, Stage)> {
        while let Some(group_id) = self.ready.pop_front() {
            if let Some(started) = self.start_lane(group_id) {
                return Some(started);
            }
        }
        None
    }

    /// An event to find out with whether the receiver works again: if possible of a group that did not fail so far, else of
    /// the one that is due first.
    pub(crate) fn start_probe(&mut self) -> Option<(Held, Stage)> {
        if let Some(place) = self.first_fresh() {
            let group_id = self.ready.remove(place)?;
            return self.start_lane(group_id);
        }
        if let Some(started) = self.start() {
            return Some(started);
        }
        self.waiting
            .iter()
            .map(|(_, group_id)| *group_id)
            .find(|group_id| {
                self.by_group
                    .get(group_id)
                    .is_some_and(|lane| !lane.queue.is_empty())
            })
            .and_then(|group_id| {
                self.end_wait(group_id);
                self.start()
            })
    }

    /// Whether a group is ready that did not fail so far.
    pub(crate) fn has_fresh(&self) -> bool {
        self.first_fresh().is_some()
    }

    fn first_fresh(&self) -> Option<usize> {
        self.ready.iter().position(|group_id| {
            self.by_group
                .get(group_id)
                .is_some_and(|lane| lane.state == State::Ready && lane.attempts == 0)
        })
    }

    fn start_lane(&mut self, group_id: GroupId) -> Option<(Held, Stage)> {
        let lane = self.by_group.get_mut(&group_id)?;
        if lane.state != State::Ready {
            return None;
        }
        let first = lane.queue.front()?;
        lane.state = State::InFlight;
        Some((first.held.clone(), first.stage))
    }

    /// The first event of the group was accepted, and `next` is the entry's next one. `Some` where the entry was told.
    pub(crate) fn accepted(&mut self, group_id: GroupId, next: Option<Stage>) -> Option<OutboxId> {
        let lane = self.by_group.get_mut(&group_id)?;
        lane.attempts = 0;
        lane.failing_since = None;
        lane.state = State::Empty;
        let mut told = None;
        if let Some(stage) = next {
            lane.queue.front_mut()?.stage = stage;
        } else {
            told = lane.queue.pop_front().map(|pending| pending.held.id);
            self.held = self.held.saturating_sub(1);
        }
        self.settle(group_id);
        told
    }

    /// The first event of the group was not accepted and is due again at this moment.
    pub(crate) fn failed(&mut self, group_id: GroupId, now: Instant, until: Instant) {
        if let Some(lane) = self.by_group.get_mut(&group_id) {
            lane.attempts = lane.attempts.saturating_add(1);
            lane.failing_since.get_or_insert(now);
        }
        self.postponed(group_id, until);
    }

    /// The first event of the group could not be sent for a reason that is not the receiver's.
    pub(crate) fn postponed(&mut self, group_id: GroupId, until: Instant) {
        let Some(lane) = self.by_group.get_mut(&group_id) else {
            return;
        };
        // It is read again when it is needed: a group that fails for long must not hold more than its first entry.
        if lane.queue.len() > 1 {
            self.held = self.held.saturating_sub(lane.queue.len() - 1);
            lane.queue.truncate(1);
            lane.behind = lane.queue.front().map(|first| first.held.id);
        }
        lane.state = State::Waiting(until);
        self.waiting.insert((until, group_id));
    }

    /// How often the first event of the group failed.
    pub(crate) fn attempts(&self, group_id: GroupId) -> u32 {
        self.by_group.get(&group_id).map_or(0, |lane| lane.attempts)
    }

    /// Whether any group's last attempt failed.
    pub(crate) fn any_failing(&self) -> bool {
        self.by_group.values().any(|lane| lane.attempts > 0)
    }

    /// Ends the waiting of those whose time has come.
    pub(crate) fn wake_due(&mut self, now: Instant) {
        while let Some((until, group_id)) = self.waiting.first().copied() {
            if until > now {
                return;
            }
            self.end_wait(group_id);
        }
    }

    /// Ends all waiting: the receiver works again.
    pub(crate) fn wake_all(&mut self) {
        while let Some((_, group_id)) = self.waiting.first().copied() {
            self.end_wait(group_id);
        }
    }

    /// When the next group is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(until, _)| *until)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// When the oldest entry that is held was appended.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.by_group
            .values()
            .filter_map(|lane| lane.queue.front())
            .map(|first| first.held.at)
            .min()
    }

    fn end_wait(&mut self, group_id: GroupId) {
        let Some(lane) = self.by_group.get_mut(&group_id) else {
            return;
        };
        if let State::Waiting(until) = lane.state {
            self.waiting.remove(&(until, group_id));
            lane.state = State::Empty;
            if !lane.queue.is_empty() {
                self.settle(group_id);
            }
        }
    }

    /// Puts the group where it belongs after its queue changed. One that waits goes on waiting; of one that is in flight
    /// nothing changes before it is answered.
    fn settle(&mut self, group_id: GroupId) {
        let Some(lane) = self.by_group.get_mut(&group_id) else {
            return;
        };
        if lane.state == State::InFlight {
            return;
        }
        let waits = if let State::Waiting(until) = lane.state {
            Some(until)
        } else {
            None
        };
        if lane.queue.is_empty() {
            if let Some(behind) = lane.behind {
                self.hungry.entry(behind).or_default().insert(group_id);
                if waits.is_none() {
                    lane.state = State::Empty;
                }
            } else {
                self.by_group.remove(&group_id);
                if let Some(until) = waits {
                    self.waiting.remove(&(until, group_id));
                }
            }
        } else if lane.state == State::Empty {
            lane.state = State::Ready;
            self.ready.push_back(group_id);
        }
    }
}

#[cfg(test)]
mod tests;
