//! What one socket got of one group's log, held against what it should have got.

use std::{
    collections::BTreeSet,
    ops::{Add, AddAssign},
};

/// What went wrong with deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Faults {
    /// Never came.
    pub lost: u64,
    /// Came again.
    pub doubled: u64,
    /// Came after one that has its place behind it.
    pub disordered: u64,
}

impl Faults {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Add for Faults {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            disordered: self.disordered + other.disordered,
        }
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The entries of one group that one socket got. A group's numbers are dense, so each has its one place.
#[derive(Debug)]
pub struct Stream {
    /// The highest so far.
    head: u64,
    /// Those below that have not come.
    missing: BTreeSet<u64>,
    faults: Faults,
}

impl Stream {
    /// A socket that is to get everything behind `head`.
    pub fn after(head: u64) -> Self {
        Self {
            head,
            missing: BTreeSet::new(),
            faults: Faults::default(),
        }
    }

    /// It got this one.
    pub fn got(&mut self, seq: u64) {
        if seq > self.head {
            self.missing.extend(self.head + 1..seq);
            self.head = seq;
        } else if self.missing.remove(&seq) {
            self.faults.disordered += 1;
        } else {
            self.faults.doubled += 1;
        }
    }

    /// What went wrong, where the log ends at `head`.
    pub fn faults(&self, head: u64) -> Faults {
        let missing = u64::try_from(self.missing.len()).unwrap_or(u64::MAX);
        Faults {
            lost: missing + head.saturating_sub(self.head),
            ..self.faults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(after: u64, got: &[u64], head: u64) -> [u64; 3] {
        let mut stream = Stream::after(after);
        for seq in got {
            stream.got(*seq);
        }
        let faults = stream.faults(head);
        [faults.lost, faults.doubled, faults.disordered]
    }

    #[test]
    fn each_fault_is_counted_as_what_it_is() {
        assert_eq!(faults(3, &[4, 5, 6], 6), [0, 0, 0]);
        assert_eq!(faults(3, &[4, 6], 6), [1, 0, 0]);
        assert_eq!(faults(3, &[4, 5], 7), [2, 0, 0]);
        assert_eq!(faults(3, &[], 7), [4, 0, 0]);
        assert_eq!(faults(3, &[4, 6, 5], 6), [0, 0, 1]);
        assert_eq!(faults(3, &[4, 4, 5], 5), [0, 1, 0]);
        assert_eq!(faults(3, &[3, 4], 4), [0, 1, 0], "it had that before");
        assert_eq!(faults(0, &[3, 1, 1], 3), [1, 1, 1]);
    }
}
