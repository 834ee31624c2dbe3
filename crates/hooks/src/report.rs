//! What the operator is told.

use std::time::Duration;

use sealroom_domain::{Timestamp, ports::StoreError};
use tokio::time::Instant;

use crate::{
    courier::Failure,
    lanes::{GivenUp, Lanes},
    post::chain,
};

/// Says when something begins to fail and when it works again, not for each time that it does.
#[derive(Debug, Default)]
pub(crate) struct Report {
    receiver_fails: bool,
    /// Before that a new failure is no news: a receiver that fails now and then must not fill the log.
    quiet_until: Option<Instant>,
    store_fails: bool,
}

impl Report {
    const QUIET: Duration = Duration::from_mins(1);

    /// The receiver did not accept an event.
    pub(crate) fn failed(&mut self, now: Instant, failure: &Failure) {
        metrics::counter!("sealroom_webhooks_failed_total").increment(1);
        if self.receiver_fails || self.quiet_until.is_some_and(|until| now < until) {
            return;
        }
        self.receiver_fails = true;
        tracing::warn!(
            status = failure.status,
            cause = failure.cause,
            "the webhook receiver fails; events are kept and tried again"
        );
    }

    /// The receiver accepted an event. `works` tells whether nothing waits for another attempt.
    pub(crate) fn accepted(&mut self, now: Instant, works: impl FnOnce() -> bool) {
        metrics::counter!("sealroom_webhooks_sent_total").increment(1);
        if self.receiver_fails && works() {
            self.receiver_fails = false;
            self.quiet_until = Some(now + Self::QUIET);
            tracing::info!("the webhook receiver works again");
        }
    }

    /// Entries are told no more.
    #[expect(clippy::unused_self, reason = "all lines of the log are here")]
    pub(crate) fn given_up(&self, given_up: &GivenUp) {
        tracing::error!(
            group_id = given_up.group_id.get(),
            first_seq = given_up.first.get(),
            last_seq = given_up.last.get(),
            entries = given_up.ids.len(),
            "webhooks were given up: they were not accepted for too long"
        );
    }

    /// The receiver answered 410.
    #[expect(clippy::unused_self, reason = "all lines of the log are here")]
    pub(crate) fn gone(&self) {
        tracing::error!(
            status = 410,
            "the webhook receiver wants no more webhooks; none are sent until this server is started again"
        );
    }

    /// A port did not answer.
    pub(crate) fn store_failed(&mut self, attempt: &'static str, error: &StoreError) {
        if !std::mem::replace(&mut self.store_fails, true) {
            tracing::warn!(attempt, cause = %chain(error), "the store fails; webhooks wait");
        }
    }

    /// The store answered.
    pub(crate) fn store_answered(&mut self) {
        self.store_fails = false;
    }
}

/// Shows how much is held, how many groups wait for another attempt, and how old the oldest entry is.
pub(crate) fn gauges(lanes: &Lanes, now: Timestamp) {
    let micros = lanes
        .oldest()
        .map_or(0, |at| now.as_micros().saturating_sub(at.as_micros()));
    let oldest = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    metrics::gauge!("sealroom_webhooks_pending").set(count(lanes.held()));
    metrics::gauge!("sealroom_webhooks_waiting_groups").set(count(lanes.waiting()));
    metrics::gauge!("sealroom_webhooks_oldest_seconds").set(oldest.as_secs_f64());
}
