//! Pages of a log, on any store: which places one may hold, and where its bytes end.

use sealroom_domain::{
    Entry,
    ports::{Cursor, Page, PageLimit},
};

use crate::{
    error::{Failure, Inconsistency},
    rows::{self, EntryRow},
};

/// A page that is being filled. The store gives it the rows of [`PageBuilder::rest`], in its direction.
#[derive(Debug)]
pub(crate) struct PageBuilder {
    direction: Direction,
    /// The places that the page may still take, both included; none where `low` is greater.
    low: i64,
    high: i64,
    head: i64,
    first: i64,
    free_bytes: usize,
    entries: Vec<Entry>,
}

/// In which order a page takes its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the lowest place on.
    Ascending,
    /// From the highest place down.
    Descending,
}

impl PageBuilder {
    /// A page of a log that reaches from `first` to `head`.
    pub(crate) fn new(cursor: Cursor, limit: PageLimit, head: i64, first: i64) -> Self {
        // The span from the first to the last entry of a full page.
        let span = i64::try_from(limit.entries.max(1))
            .unwrap_or(i64::MAX)
            .saturating_sub(1);
        let (direction, low, high) = match cursor {
            Cursor::After(seq) => {
                let low = seq.get().saturating_add(1).max(first);
                (Direction::Ascending, low, low.saturating_add(span).min(head))
            }
            Cursor::Before(_) | Cursor::Newest => {
                let high = match cursor {
                    Cursor::Before(seq) => seq.get().saturating_sub(1).min(head),
                    _ => head,
                };
                (Direction::Descending, high.saturating_sub(span).max(first), high)
            }
        };
        Self {
            direction,
            low,
            high,
            head,
            first,
            free_bytes: limit.bytes,
            entries: Vec::new(),
        }
    }

    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    /// The places that the page may still take, both included; `None` where it is complete.
    pub(crate) fn rest(&self) -> Option<(i64, i64)> {
        (self.low <= self.high).then_some((self.low, self.high))
    }

    /// Takes the next row; `false` where the page has no more room. The first entry always has.
    pub(crate) fn take(&mut self, row: EntryRow) -> Result<bool, Failure> {
        let entry = Entry::try_from(row)?;
        let expected = match self.direction {
            Direction::Ascending => self.low,
            Direction::Descending => self.high,
        };
        if entry.seq.get() != expected {
            return Err(hole());
        }
        let weight = entry.weight();
        if weight > self.free_bytes && !self.entries.is_empty() {
            (self.low, self.high) = (1, 0);
            return Ok(false);
        }
        self.free_bytes = self.free_bytes.saturating_sub(weight);
        match self.direction {
            Direction::Ascending => self.low = self.low.saturating_add(1),
            Direction::Descending => self.high = self.high.saturating_sub(1),
        }
        self.entries.push(entry);
        Ok(true)
    }

    /// The page. Rows that did not come are missing in the store.
    pub(crate) fn finish(mut self) -> Result<Page, Failure> {
        if self.rest().is_some() {
            return Err(hole());
        }
        let has_more = match self.direction {
            Direction::Ascending => self.entries.last().is_some_and(|last| last.seq.get() < self.head),
            Direction::Descending => {
                self.entries.reverse();
                self.entries
                    .first()
                    .is_some_and(|oldest| oldest.seq.get() > self.first)
            }
        };
        Ok(Page {
            entries: self.entries,
            has_more,
            head: rows::seq("groups", "head_seq", self.head)?,
            first: rows::seq("groups", "first_seq", self.first)?,
        })
    }
}

/// The places of a log are dense.
fn hole() -> Failure {
    Inconsistency {
        table: "entries",
        column: "seq",
    }
    .into()
}
