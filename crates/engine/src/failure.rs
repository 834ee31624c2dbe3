//! What a client is told when a port fails, and what the operator is.

use std::{
    error::Error,
    fmt::Write as _,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

use futures_util::FutureExt as _;
use sealroom_domain::{
    ErrorCode, Extra, Refusal, Timestamp,
    ports::{BoxError, Clock, StoreError},
};

/// Turns failures into refusals, and logs each cause once with the id that the client gets.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    count: AtomicU64,
    last_unavailable: AtomicI64,
}

impl Failures {
    /// While a store is down every request fails: one line a second tells it.
    const UNAVAILABLE_LOG_INTERVAL_MICROS: i64 = 1_000_000;

    /// The refusal for a store's error; `attempt` says what was being done.
    pub(crate) fn store(&self, clock: &dyn Clock, attempt: &'static str, error: &StoreError) -> Refusal {
        if let StoreError::Unavailable { .. } = error {
            self.unavailable(clock.now(), attempt, error);
            return Refusal::unavailable();
        }
        self.internal(clock.now(), attempt, error)
    }

    /// The refusal for a defect.
    pub(crate) fn defect(
        &self,
        clock: &dyn Clock,
        attempt: &'static str,
        source: impl Into<BoxError>,
    ) -> Refusal {
        let source: BoxError = source.into();
        self.internal(clock.now(), attempt, source.as_ref())
    }

    fn unavailable(&self, now: Timestamp, attempt: &'static str, error: &(dyn Error + 'static)) {
        let last = self.last_unavailable.load(Ordering::Relaxed);
        if (now.as_micros() - last).abs() >= Self::UNAVAILABLE_LOG_INTERVAL_MICROS {
            self.last_unavailable.store(now.as_micros(), Ordering::Relaxed);
            tracing::warn!(attempt, cause = %chain(error), "the store is unavailable");
        }
    }

    fn internal(&self, now: Timestamp, attempt: &'static str, error: &(dyn Error + 'static)) -> Refusal {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("{:x}-{number:x}", now.as_micros());
        tracing::error!(attempt, request_id, cause = %chain(error), "request failed");
        Refusal::new(ErrorCode::Internal).with(Extra::RequestId(request_id.into()))
    }
}

/// A call of a port whose panic is a failure like any other: adapters may be a host's own code, and one that panics
/// must not take a task of ours along.
pub(crate) async fn unwinding<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(result) => result,
        Err(_panic) => Err(StoreError::internal("the adapter panicked")),
    }
}

/// An error with its sources, outermost first.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}
