//! Who delivers, where several servers have one store.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use sealroom_domain::ports::{Clock, Outbox, StoreError};
use tokio::time::Instant;

use crate::guard::unwinding;

/// The right to deliver. Nothing is begun that could last longer than it.
#[derive(Debug)]
pub(crate) struct Lease {
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    holder: String,
    term: Duration,
    valid_until: Option<Instant>,
    next_try: Instant,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It goes on.
    Kept,
    /// It was not held until now: somebody else may have delivered.
    Taken,
    /// Somebody else has it.
    Anothers,
}

impl Lease {
    /// After a store that did not answer.
    const AGAIN: Duration = Duration::from_secs(1);

    pub(crate) fn new(
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
        term: Duration,
    ) -> Result<Self, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let holder = random.iter().fold(String::new(), |mut text, byte| {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        Ok(Self {
            outbox,
            clock,
            holder,
            term,
            valid_until: None,
            next_try: Instant::now(),
        })
    }

    /// Takes or renews it where that is due.
    pub(crate) async fn keep(&mut self) -> Option<Result<Asked, StoreError>> {
        // Before the store is asked: its term begins then at the earliest.
        let asked_at = Instant::now();
        if asked_at < self.next_try {
            return None;
        }
        let now = self.clock.now();
        let answer = unwinding(self.outbox.lease(&self.holder, now, now.plus(self.term))).await;
        let held = self.is_held();
        Some(match answer {
            Ok(true) => {
                self.valid_until = Some(asked_at + self.term);
                self.next_try = asked_at + self.term / 3;
                Ok(if held { Asked::Kept } else { Asked::Taken })
            }
            Ok(false) => {
                self.valid_until = None;
                self.next_try = asked_at + self.term / 3;
                Ok(Asked::Anothers)
            }
            Err(error) => {
                self.next_try = Instant::now() + Self::AGAIN;
                Err(error)
            }
        })
    }

    pub(crate) fn is_held(&self) -> bool {
        self.lasts(Duration::ZERO)
    }

    /// Whether it is held for at least so long.
    pub(crate) fn lasts(&self, duration: Duration) -> bool {
        self.valid_until
            .is_some_and(|until| until > Instant::now() + duration)
    }

    /// When it is to be asked for again.
    pub(crate) fn next_try(&self) -> Instant {
        self.next_try
    }

    /// Gives it back, so that another server need not wait until it ends.
    pub(crate) async fn release(&mut self) -> Result<(), StoreError> {
        if self.is_held() {
            self.valid_until = None;
            let now = self.clock.now();
            unwinding(self.outbox.lease(&self.holder, now, now)).await?;
        }
        Ok(())
    }
}
