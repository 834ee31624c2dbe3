//! What a step of trimming forgets, on any store.
//!
//! A step first looks at groups without a lock, and then removes what it found under the locks of those that lose
//! anything. That stays right whatever happens in between: heads only grow, and no place ever names another entry.

use diesel::Queryable;
use sealroom_domain::{GroupId, Retention, Seq, Timestamp, ports::Trimmed};

use crate::{
    error::{Failure, Inconsistency},
    rows,
};

/// Groups that a step looks at.
pub(crate) const GROUPS: usize = 256;

/// Steps that one call takes on the first group of all, which no call can go on behind of.
pub(crate) const STEPS_ON_FIRST: usize = 64;

/// Entries that a step of an erasure looks at.
pub(crate) const SPAN: i64 = 5000;

/// The group behind which a call goes on that found no end of the first group.
pub(crate) fn first_group() -> Result<GroupId, Failure> {
    Ok(rows::group_id("groups", "id", 1)?)
}

/// The next entries of all groups, as an erasure sees them.
#[derive(Debug, Default)]
pub(crate) struct Span {
    /// Those of the user.
    pub(crate) places: Vec<(i64, i64)>,
    /// How many there were.
    pub(crate) looked_at: i64,
    /// The last one.
    pub(crate) last: Option<(i64, i64)>,
}

impl Span {
    /// The place to go on behind; `None` where these were the last ones.
    pub(crate) fn next(&self) -> Result<Option<(GroupId, Seq)>, Inconsistency> {
        let place = |(group_id, seq)| {
            Ok((
                rows::group_id("entries", "group_id", group_id)?,
                rows::seq("entries", "seq", seq)?,
            ))
        };
        self.last
            .filter(|_| self.looked_at >= SPAN)
            .map(place)
            .transpose()
    }
}

/// A group, as trimming sees it.
#[derive(Debug, Clone, Copy, Queryable)]
pub(crate) struct TrimRow {
    id: i64,
    head: i64,
    first: i64,
    deleted_at: Option<i64>,
    retention_age: Option<i64>,
    retention_count: Option<i64>,
}

/// The entries of a group whose age is to be asked: the places from `low` to `high`, both included, are forgotten up to
/// the first one that is not older than `cutoff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgeQuestion {
    pub(crate) group_id: i64,
    pub(crate) low: i64,
    pub(crate) high: i64,
    pub(crate) cutoff: i64,
}

/// The places of a group from `low` to `high`, both included, which are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) group_id: i64,
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Cut {
    /// The first place that is left.
    pub(crate) fn first_left(self) -> i64 {
        self.high.saturating_add(1)
    }

    fn len(self) -> i64 {
        self.first_left().saturating_sub(self.low).max(0)
    }
}

/// A step that is being planned: it takes the groups in ascending order.
#[derive(Debug)]
pub(crate) struct Trimmer {
    retention: Retention,
    now: Timestamp,
    /// Entries that the step may still remove.
    free: i64,
    cuts: Vec<Cut>,
    /// The last group that was done with.
    done: Option<GroupId>,
    /// The group that has more to forget than the step had room for.
    unfinished: Option<GroupId>,
}

/// What a step removes, and where the next one goes on.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) cuts: Vec<Cut>,
    next: Option<GroupId>,
    /// The first group of all has more to forget: the next step has to look at it again, and no place is before it.
    pub(crate) again: bool,
}

impl Trimmer {
    pub(crate) fn new(after: Option<GroupId>, retention: Retention, now: Timestamp) -> Self {
        Self {
            retention,
            now,
            free: i64::try_from(Trimmed::ENTRIES).unwrap_or(i64::MAX),
            cuts: Vec::new(),
            done: after,
            unfinished: None,
        }
    }

    /// What is to be asked about a group before it is planned.
    pub(crate) fn question(&self, row: &TrimRow) -> Option<AgeQuestion> {
        let rule = self.rule(row);
        let high = row.last().min(row.first.saturating_add(self.free - 1));
        let low = row.first.max(row.beyond_count(rule).saturating_add(1));
        if row.deleted_at.is_some() || low > high {
            return None;
        }
        Some(AgeQuestion {
            group_id: row.id,
            low,
            high,
            cutoff: self.now.minus(rule.age?).as_micros(),
        })
    }

    /// Plans a group. `young` is the first place of its question's that is not too old, where there is one; `None` where
    /// nothing was asked, or all of them are. `false` where the step has no room for the next group.
    pub(crate) fn plan(
        &mut self,
        row: &TrimRow,
        asked: Option<AgeQuestion>,
        young: Option<i64>,
    ) -> Result<bool, Failure> {
        let group_id = rows::group_id("groups", "id", row.id)?;
        let wanted = if row.deleted_at.is_some() {
            row.head
        } else {
            let by_age = asked.map_or(0, |asked| {
                young.map_or(asked.high, |young| young.saturating_sub(1))
            });
            row.beyond_count(self.rule(row)).max(by_age).min(row.last())
        };
        let high = wanted.min(row.first.saturating_add(self.free - 1));
        let cut = Cut {
            group_id: row.id,
            low: row.first,
            high,
        };
        if cut.len() > 0 {
            self.free = self.free.saturating_sub(cut.len());
            self.cuts.push(cut);
        }
        // Of a question that ended at the room of the step nobody knows whether more is too old.
        let maybe_more = asked.is_some_and(|asked| young.is_none() && asked.high < row.last());
        if wanted > high || (maybe_more && self.free == 0) {
            self.unfinished = Some(group_id);
            return Ok(false);
        }
        self.done = Some(group_id);
        Ok(self.free > 0)
    }

    /// The plan; the step ended by itself where `is_last`: there was no further group.
    pub(crate) fn finish(self, is_last: bool) -> Plan {
        let Some(unfinished) = self.unfinished else {
            return Plan {
                cuts: self.cuts,
                next: if is_last { None } else { self.done },
                again: false,
            };
        };
        // Going on behind the one before comes back to this one.
        let before = GroupId::new(unfinished.get().saturating_sub(1)).ok();
        Plan {
            cuts: self.cuts,
            next: before.or(Some(unfinished)),
            again: before.is_none(),
        }
    }

    fn rule(&self, row: &TrimRow) -> Retention {
        self.retention
            .and(rows::retention(row.retention_age, row.retention_count))
    }
}

impl Plan {
    /// What the caller hears, where so many entries were removed.
    pub(crate) fn outcome(&self, entries: u64) -> Trimmed {
        Trimmed {
            next: self.next,
            entries,
        }
    }
}

impl TrimRow {
    /// The last place that may ever be forgotten: the head of a group that exists stays the place of an entry.
    fn last(&self) -> i64 {
        self.head.saturating_sub(1)
    }

    /// The last place before those that a number keeps.
    fn beyond_count(&self, rule: Retention) -> i64 {
        rule.count.map_or(0, |count| {
            self.head
                .saturating_sub(i64::try_from(count.max(1)).unwrap_or(i64::MAX))
        })
    }
}
