//! What is done in the background: old entries are forgotten, erasures are finished.

use std::{sync::Arc, time::Duration};

use sealroom_domain::{
    Retention, UserId,
    ports::{Clock, StoreError, Trimmed, Upkeep},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failures, unwinding};

/// Between two steps, so that sends come first.
const PAUSE: Duration = Duration::from_millis(5);

/// Everything that a round of the upkeep needs.
#[derive(Debug, Clone)]
pub(crate) struct Caretaker {
    pub(crate) upkeep: Arc<dyn Upkeep>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) failures: Arc<Failures>,
    /// What holds for all groups.
    pub(crate) retention: Retention,
    /// Between two rounds.
    pub(crate) every: Duration,
    /// Asks for a round ahead of time.
    pub(crate) wake: Arc<Notify>,
}

impl Caretaker {
    /// Makes a round every so often, until it is stopped.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let round = self.round();
            if let Some(Err(error)) = stop.run_until_cancelled(round).await {
                self.failures.store(&*self.clock, "forget old entries", &error);
            }
            let next = async {
                tokio::select! {
                    () = tokio::time::sleep(self.every) => {}
                    () = self.wake.notified() => {}
                }
            };
            if stop.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }

    async fn round(&self) -> Result<(), StoreError> {
        // Each for itself: one that fails comes again in the next round and holds nothing else up.
        let erased = self.finish_erasures().await;
        self.trim().await?;
        erased
    }

    async fn finish_erasures(&self) -> Result<(), StoreError> {
        let mut finished = Ok(());
        for user_id in unwinding(self.upkeep.unfinished_erasures()).await? {
            if let Err(error) = self.erase_content(user_id).await {
                finished = Err(error);
            }
        }
        finished
    }

    async fn trim(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let now = self.clock.now();
            let Trimmed { next, entries } = unwinding(self.upkeep.trim(after, self.retention, now)).await?;
            if entries > 0 {
                tracing::debug!(entries, "old entries were forgotten");
            }
            let Some(next) = next else { return Ok(()) };
            after = Some(next);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Removes everything that an erased user wrote.
    pub(crate) async fn erase_content(&self, user_id: UserId) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            after = unwinding(self.upkeep.erase_content(user_id, after)).await?;
            if after.is_none() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}
