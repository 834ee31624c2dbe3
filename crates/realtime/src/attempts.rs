//! How often one session asks to be let in.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// CONNECTs of one session that are refused with an answer. The next one ends the session, whatever it carries.
const REFUSED_AT_MOST: u32 = 5;

/// The CONNECTs of one session of Engine.IO. It stays with the request that opened the session, and goes with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<Counts>);

/// The library handles one CONNECT of a session at a time, so nothing is counted twice at once.
#[derive(Debug, Default)]
struct Counts {
    made: AtomicU32,
    /// Since the last one that was accepted.
    refused: AtomicU32,
    accepted: AtomicBool,
}

/// What becomes of the next CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It was counted when the session was opened.
    First,
    /// One more, which costs as much as a new session would.
    Further,
    /// It is not looked at.
    TooMany,
}

impl Attempts {
    /// Counts one more.
    pub(crate) fn next(&self) -> Attempt {
        let counts = &*self.0;
        if counts.refused.load(Ordering::Relaxed) >= REFUSED_AT_MOST {
            Attempt::TooMany
        } else if counts.made.fetch_add(1, Ordering::Relaxed) == 0 {
            Attempt::First
        } else {
            Attempt::Further
        }
    }

    /// Whether one was accepted.
    pub(crate) fn has_accepted(&self) -> bool {
        self.0.accepted.load(Ordering::Relaxed)
    }

    /// It was accepted.
    pub(crate) fn accepted(&self) {
        self.0.accepted.store(true, Ordering::Relaxed);
        self.0.refused.store(0, Ordering::Relaxed);
    }

    /// It was refused; says whether it is the first one.
    pub(crate) fn refused(&self) -> bool {
        self.0.refused.fetch_add(1, Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_attempts_end() {
        let attempts = Attempts::default();
        assert_eq!(attempts.next(), Attempt::First);
        assert!(attempts.refused());
        for _ in 1..REFUSED_AT_MOST {
            assert_eq!(attempts.next(), Attempt::Further);
            assert!(!attempts.refused());
        }
        assert_eq!(attempts.next(), Attempt::TooMany);
        assert_eq!(attempts.clone().next(), Attempt::TooMany, "a copy counts along");
    }

    #[test]
    fn an_accepted_one_forgives_those_before_it() {
        let attempts = Attempts::default();
        for _ in 1..REFUSED_AT_MOST {
            attempts.next();
            attempts.refused();
        }
        assert_eq!(attempts.next(), Attempt::Further);
        assert!(!attempts.has_accepted());
        attempts.accepted();
        assert!(attempts.has_accepted());
        assert_eq!(attempts.next(), Attempt::Further);
        assert!(attempts.refused());
    }
}
