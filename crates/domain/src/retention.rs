//! How long entries are kept.

use std::time::Duration;

/// How long the entries of a log are kept; the default keeps them for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Entries that are older are forgotten.
    pub age: Option<Duration>,
    /// Entries before the last so many are forgotten; at least 1.
    pub count: Option<u64>,
}

impl Retention {
    /// What is left where both rules hold: the shorter of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            age: shorter(self.age, other.age),
            count: shorter(self.count, other.count),
        }
    }

    /// Whether everything is kept for ever.
    pub const fn is_unlimited(self) -> bool {
        self.age.is_none() && self.count.is_none()
    }
}

fn shorter<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_rule_holds() {
        let rule = |secs: Option<u64>, count| Retention {
            age: secs.map(Duration::from_secs),
            count,
        };
        let server = rule(Some(60), None);
        assert_eq!(server.and(rule(Some(5), Some(7))), rule(Some(5), Some(7)));
        assert_eq!(server.and(rule(Some(90), None)), server);
        assert!(Retention::default().and(Retention::default()).is_unlimited());
        assert!(!server.is_unlimited());
    }
}
