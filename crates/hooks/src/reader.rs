//! When and from where the outbox is read.

use std::time::Duration;

use sealroom_domain::{
    Timestamp,
    ports::{OutboxId, OutboxItem},
};
use tokio::time::Instant;

/// The places and times of reading new entries.
///
/// In a store with several writers an entry may become visible after one with a greater id, when its transaction took
/// longer. So what lies behind the place up to which everything has settled is looked at again now and then.
#[derive(Debug)]
pub(crate) struct Reader {
    /// When to read next.
    at: Instant,
    /// No transaction that appends anything up to here goes on.
    settled: OutboxId,
    /// Settled from the moment `mark_at` on.
    mark: OutboxId,
    mark_at: Instant,
    /// Where looking again has come to; `None` where it is not due.
    again: Option<OutboxId>,
    again_at: Instant,
}

impl Reader {
    /// Entries of one page.
    pub(crate) const PAGE: usize = 128;
    /// Between two looks where nobody said that there is something; other servers do not say.
    const POLL: Duration = Duration::from_secs(1);
    /// Between two looks at what was looked at already.
    const AGAIN: Duration = Duration::from_secs(5);
    /// Longer than any transaction that appends.
    const SETTLING: Duration = Duration::from_mins(1);
    /// After being woken, so that one look serves several appends.
    const GATHERING: Duration = Duration::from_millis(20);

    pub(crate) fn new(now: Instant) -> Self {
        Self {
            at: now,
            settled: OutboxId(0),
            mark: OutboxId(0),
            mark_at: now + Self::SETTLING,
            again: None,
            again_at: now + Self::AGAIN,
        }
    }

    /// Something was appended on this server.
    pub(crate) fn woken(&mut self, now: Instant) {
        self.at = self.at.min(now + Self::GATHERING);
    }

    /// When to read next.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Where to read from now.
    pub(crate) fn place(&mut self, now: Instant, frontier: OutboxId) -> OutboxId {
        if now >= self.mark_at {
            self.settled = self.settled.max(self.mark);
            self.mark = frontier;
            self.mark_at = now + Self::SETTLING;
        }
        if now >= self.again_at {
            self.again = Some(self.settled);
            self.again_at = now + Self::AGAIN;
        }
        self.again.unwrap_or(frontier)
    }

    /// A page was read.
    pub(crate) fn read(&mut self, now: Instant, wall: Timestamp, frontier: OutboxId, page: &[OutboxItem]) {
        // What was appended before an entry that is that old has settled with it.
        let old = wall.minus(Self::SETTLING);
        let settled = page
            .iter()
            .rfind(|item| item.entry.as_ref().is_some_and(|entry| entry.at <= old));
        if let Some(item) = settled {
            self.settled = self.settled.max(item.id);
        }
        let is_full = page.len() >= Self::PAGE;
        let last = page.last().map(|item| item.id);
        let looked_again = self.again.is_some();
        self.again = last.filter(|last| looked_again && is_full && *last < frontier);
        // After looking again, what is new is still to be read.
        self.at = if is_full || looked_again {
            now
        } else {
            now + Self::POLL
        };
    }
}
