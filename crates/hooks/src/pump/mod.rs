//! Takes entries out of the outbox and has them told.

mod reading;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sealroom_domain::{
    GroupId,
    ports::{Clock, Outbox, OutboxId, StoreError},
};
use tokio::{
    sync::Notify,
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::{self, Breaker, Permit},
    courier::{Courier, Failure, Outcome},
    event::Stage,
    guard::unwinding,
    lanes::{GiveUp, Lanes},
    lease::{Asked, Lease},
    reader::Reader,
    report::{Report, gauges},
};

/// The one task that delivers.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) lease: Lease,
    /// Requests at a time.
    pub(crate) in_flight: usize,
    pub(crate) give_up_after: Duration,
    pub(crate) state: PumpState,
}

/// What the pump knows.
#[derive(Debug)]
pub(crate) struct PumpState {
    lanes: Lanes,
    reader: Reader,
    breaker: Breaker,
    report: Report,
    requests: JoinSet<(GroupId, Outcome)>,
    /// Entries that are told, or need not be, and are still in the outbox.
    done: BTreeSet<OutboxId>,
    /// When they are to be removed.
    flush_at: Instant,
    /// The store is not asked before.
    store_at: Instant,
    /// When old entries are given up next.
    give_up_at: Instant,
    /// When the gauges are set next.
    gauges_at: Instant,
}

impl PumpState {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            lanes: Lanes::default(),
            reader: Reader::new(now),
            breaker: Breaker::default(),
            report: Report::default(),
            requests: JoinSet::new(),
            done: BTreeSet::new(),
            flush_at: now,
            store_at: now,
            give_up_at: now + Pump::GIVE_UP_EVERY,
            gauges_at: now,
        }
    }
}

impl Pump {
    /// After a store that did not answer.
    const STORE_PAUSE: Duration = Duration::from_secs(1);
    /// Entries are removed from the outbox together.
    const FLUSH_AFTER: Duration = Duration::from_millis(100);
    /// Entries that are removed at once.
    const FLUSHED: usize = 500;
    /// With so many told entries that could not be removed, no more are told.
    const UNFLUSHED: usize = 1000;
    const GIVE_UP_EVERY: Duration = Duration::from_mins(1);
    /// Nothing is given up because of a shorter failure.
    const LONG_FAILURE: Duration = Duration::from_hours(1);
    const GAUGES_EVERY: Duration = Duration::from_secs(1);
    /// For requests that are under way when the pump is to end.
    const CLOSING: Duration = Duration::from_secs(5);
    /// For each of the last two calls of the store.
    const LAST_CALL: Duration = Duration::from_secs(1);
    /// How long the end takes at most.
    pub(crate) const END: Duration = Duration::from_secs(7);

    /// Delivers until it is stopped, then ends what is under way.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // A store's call that is under way is not cut off: all of them are bounded.
            self.round().await;
            let next = self.next_round();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(joined) = self.state.requests.join_next() => self.finished(joined),
                () = self.wake.notified() => self.state.reader.woken(Instant::now()),
                () = sleep_until(next) => {}
            }
        }
        self.end().await;
    }

    async fn round(&mut self) {
        self.keep_lease().await;
        while let Some(joined) = self.state.requests.try_join_next() {
            self.finished(joined);
        }
        self.flush_due().await;
        self.set_gauges();
        if !self.lease.is_held() {
            return;
        }
        self.state.lanes.wake_due(Instant::now());
        self.read_due().await;
        self.refill().await;
        self.give_up_due().await;
        self.start_requests();
    }

    /// When there is something to do, should nothing else happen.
    fn next_round(&self) -> Instant {
        let state = &self.state;
        let mut next = self.lease.next_try().min(state.gauges_at);
        if !state.done.is_empty() {
            next = next.min(state.flush_at.max(state.store_at));
        }
        if !self.lease.is_held() {
            return next;
        }
        next = next.min(state.give_up_at.max(state.store_at));
        if self.may_read() {
            next = next.min(state.reader.at().max(state.store_at));
        }
        if state.lanes.refill_from().is_some() {
            next = next.min(state.store_at);
        }
        // A probe that is due already waits for something to probe with.
        let now = Instant::now();
        let probe = state.breaker.next_probe().filter(|at| *at > now);
        [probe, state.lanes.next_due()]
            .into_iter()
            .flatten()
            .fold(next, Instant::min)
    }

    async fn keep_lease(&mut self) {
        let Some(asked) = self.lease.keep().await else {
            return;
        };
        match asked {
            Ok(Asked::Kept) => self.state.report.store_answered(),
            Ok(Asked::Taken) => {
                tracing::info!("this server sends the webhooks");
                self.forget();
            }
            Ok(Asked::Anothers) => self.forget(),
            // The next try is set; what is told already can perhaps be removed.
            Err(error) => self
                .state
                .report
                .store_failed("keep the lease of the outbox", &error),
        }
    }

    /// Begins anew: another server may have delivered in the meantime, or does so now.
    fn forget(&mut self) {
        let now = Instant::now();
        // Dropping the requests ends them.
        self.state.requests = JoinSet::new();
        self.state.lanes = Lanes::default();
        self.state.reader = Reader::new(now);
        self.state.breaker.probe_lost(now);
    }

    /// Removes what is told.
    async fn flush_due(&mut self) {
        let now = Instant::now();
        let state = &self.state;
        let is_due = now >= state.flush_at || state.done.len() >= Self::FLUSHED;
        if state.done.is_empty() || !is_due || now < state.store_at {
            return;
        }
        self.flush().await;
    }

    async fn flush(&mut self) {
        let ids: Vec<OutboxId> = self.state.done.iter().take(Self::FLUSHED).copied().collect();
        match unwinding(self.outbox.delivered(&ids)).await {
            Ok(()) => {
                for id in &ids {
                    self.state.done.remove(id);
                }
                self.state.report.store_answered();
            }
            Err(error) => self.store_failed("remove told entries from the outbox", &error),
        }
    }

    fn done(&mut self, ids: impl IntoIterator<Item = OutboxId>) {
        if self.state.done.is_empty() {
            self.state.flush_at = Instant::now() + Self::FLUSH_AFTER;
        }
        self.state.done.extend(ids);
    }

    fn store_failed(&mut self, attempt: &'static str, error: &StoreError) {
        self.state.store_at = Instant::now() + Self::STORE_PAUSE;
        self.state.report.store_failed(attempt, error);
    }

    /// Gives up what is too old, a page at a time.
    async fn give_up_due(&mut self) {
        let now = Instant::now();
        let is_stuck = self.state.done.len() >= Self::UNFLUSHED;
        if now < self.state.give_up_at || now < self.state.store_at || is_stuck {
            return;
        }
        let failing_since = now.checked_sub(Self::LONG_FAILURE.min(self.give_up_after));
        let breaker = &self.state.breaker;
        let long = breaker.failing_since().zip(failing_since);
        let all = breaker.is_gone() || long.is_some_and(|(since, moment)| since <= moment);
        if all && self.state.lanes.has_room() {
            // Otherwise the outbox would grow for as long as nothing is accepted.
            self.read_new().await;
        }
        let given_up = self.state.lanes.give_up(GiveUp {
            before: self.clock.now().minus(self.give_up_after),
            failing_since,
            all,
        });
        if given_up.is_empty() {
            self.state.give_up_at = now + Self::GIVE_UP_EVERY;
        }
        for group in given_up {
            self.state.report.given_up(&group);
            self.done(group.ids);
        }
    }

    fn start_requests(&mut self) {
        let lasts = self.lease.lasts(Courier::PREPARATION + self.courier.patience);
        if !lasts || self.state.done.len() >= Self::UNFLUSHED {
            return;
        }
        let state = &mut self.state;
        while state.requests.len() < self.in_flight {
            let started = match state.breaker.permit(Instant::now()) {
                Permit::All => state.lanes.start(),
                Permit::Probe if state.requests.is_empty() => state.lanes.start_probe(),
                Permit::Probe | Permit::Nothing => None,
            };
            let Some((held, next)) = started else {
                return;
            };
            state.breaker.probing();
            let courier = Arc::clone(&self.courier);
            state
                .requests
                .spawn(async move { (held.group_id, courier.attempt(&held, next).await) });
        }
    }

    fn finished(&mut self, joined: Result<(GroupId, Outcome), JoinError>) {
        // Attempts catch panics and are ended only together with everything that is known of them.
        let Ok((group_id, outcome)) = joined else {
            return;
        };
        let now = Instant::now();
        match outcome {
            Outcome::Accepted { sent, next } => self.accepted(now, group_id, sent, next),
            Outcome::Failed(failure) => self.failed(now, group_id, &failure),
            Outcome::Gone => {
                if self.state.breaker.gone() {
                    self.state.report.gone();
                }
                self.state.lanes.postponed(group_id, now + Self::GIVE_UP_EVERY);
            }
            Outcome::NotKnown(error) => {
                let again = now + Self::STORE_PAUSE;
                self.state.lanes.postponed(group_id, again);
                self.state.breaker.probe_lost(again);
                self.state.report.store_failed("find who is not there", &error);
            }
        }
    }

    fn accepted(&mut self, now: Instant, group_id: GroupId, sent: bool, next: Option<Stage>) {
        let told = self.state.lanes.accepted(group_id, next);
        self.done(told);
        let state = &mut self.state;
        if !sent {
            state.breaker.probe_lost(now);
            return;
        }
        if state.breaker.succeeded() {
            state.lanes.wake_all();
        }
        state.report.accepted(now, || !state.lanes.any_failing());
    }

    fn failed(&mut self, now: Instant, group_id: GroupId, failure: &Failure) {
        let state = &mut self.state;
        let failures = state.lanes.attempts(group_id).saturating_add(1);
        let until = now + backoff::delay(failures, failure.retry_after);
        state.lanes.failed(group_id, now, until);
        state
            .breaker
            .failed(now, group_id, failure.is_throttling(), failure.retry_after);
        state.report.failed(now, failure);
    }

    fn set_gauges(&mut self) {
        let now = Instant::now();
        if now < self.state.gauges_at {
            return;
        }
        self.state.gauges_at = now + Self::GAUGES_EVERY;
        gauges(&self.state.lanes, self.clock.now());
    }

    /// Waits for what is under way, removes what is told, and lets another server go on.
    async fn end(mut self) {
        let drained = async {
            while let Some(joined) = self.state.requests.join_next().await {
                self.finished(joined);
            }
        };
        if timeout(Self::CLOSING, drained).await.is_err() {
            self.state.requests.shutdown().await;
        }
        if !self.state.done.is_empty() {
            // What could not be removed is told once more, by whoever delivers next.
            let _ = timeout(Self::LAST_CALL, self.flush()).await;
        }
        // A lease that could not be given back ends by itself.
        let _ = timeout(Self::LAST_CALL, self.lease.release()).await;
    }
}
