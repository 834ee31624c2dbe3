//! The task that fetches.

use std::{error::Error, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{FETCH_LIMIT, FetchError, FetchJwks, IssuerOptions, Phase, State, schedule};
use crate::{JwksError, keys::Jwks};

/// Why an attempt gave no keys.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("the issuer did not answer within 5 s")]
    TimedOut,
    #[error(transparent)]
    Fetch(FetchError),
    #[error(transparent)]
    Set(JwksError),
}

pub(super) struct Refresher<F> {
    fetch: F,
    options: IssuerOptions,
    publish: watch::Sender<State>,
    wanted: Arc<Notify>,
    /// From when on an unknown `kid` may cause a fetch.
    ask_from: Instant,
    /// Since when, and how often in a row, fetching failed.
    failing: Option<(Instant, u32)>,
}

impl<F: FetchJwks> Refresher<F> {
    pub(super) fn new(
        fetch: F,
        options: IssuerOptions,
        publish: watch::Sender<State>,
        wanted: Arc<Notify>,
    ) -> Self {
        Self {
            fetch,
            options,
            publish,
            wanted,
            ask_from: Instant::now(),
            failing: None,
        }
    }

    /// Fetches until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let pause = self.refresh().await;
            let due = Instant::now() + pause;
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.asked() => self.ask_from = Instant::now() + self.options.ask_at_most_every,
            }
            self.publish.send_modify(|state| state.phase = Phase::Fetching);
        }
    }

    /// Waits for a token with an unknown `kid`. One that came too early has been answered and asks for nothing more.
    async fn asked(&self) {
        loop {
            self.wanted.notified().await;
            if Instant::now() >= self.ask_from {
                return;
            }
        }
    }

    /// One fetch; then the time to the next.
    async fn refresh(&mut self) -> Duration {
        let outcome = self.attempt().await;
        let ask_from = self.ask_from;
        let idle = move |failed| Phase::Idle { failed, ask_from };
        match outcome {
            Ok((set, max_age)) => {
                self.note_success(&set);
                self.publish.send_modify(|state| {
                    state.keys = Some(Arc::new(set.keys));
                    state.phase = idle(false);
                });
                schedule::after_success(self.options.refresh_every, max_age)
            }
            Err(error) => {
                let failures = self.note_failure(&error);
                self.publish.send_modify(|state| state.phase = idle(true));
                schedule::after_failures(failures)
            }
        }
    }

    async fn attempt(&self) -> Result<(Jwks, Option<Duration>), RefreshError> {
        let fetched = timeout(FETCH_LIMIT, self.fetch.fetch())
            .await
            .or(Err(RefreshError::TimedOut))?
            .map_err(RefreshError::Fetch)?;
        let set = Jwks::parse(&fetched.body).map_err(RefreshError::Set)?;
        Ok((set, fetched.max_age))
    }

    /// The first of a row of failures is told, and its end.
    fn note_success(&mut self, set: &Jwks) {
        let (keys, skipped) = (set.keys.count(), set.skipped);
        if let Some((since, failures)) = self.failing.take() {
            let seconds = since.elapsed().as_secs();
            tracing::info!(
                keys,
                skipped,
                failures,
                seconds,
                "the issuer's keys can be fetched again"
            );
            return;
        }
        let before = self.publish.borrow().keys.clone();
        match before {
            None => tracing::info!(keys, skipped, "the issuer's keys are here"),
            Some(before) if !before.is_same(&set.keys) => {
                tracing::info!(keys, skipped, "the issuer's keys have changed");
            }
            Some(_) => {}
        }
    }

    fn note_failure(&mut self, error: &RefreshError) -> u32 {
        let (since, failures) = self.failing.unwrap_or((Instant::now(), 0));
        let failures = failures.saturating_add(1);
        self.failing = Some((since, failures));
        if failures == 1 {
            let cause = chain(error);
            if self.publish.borrow().keys.is_some() {
                tracing::warn!(
                    cause,
                    "the issuer's keys cannot be fetched; the last ones stand until they can"
                );
            } else {
                tracing::warn!(
                    cause,
                    "the issuer's keys cannot be fetched; its tokens are refused until they can"
                );
            }
        }
        failures
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
