//! What the stores measure, through the facade of the crate `metrics`: without a recorder nothing happens.
//!
//! The handles are made when the first store is opened, so a recorder must be installed before it.

use std::{
    future::Future,
    sync::LazyLock,
    time::{Duration, Instant},
};

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};
use sealroom_domain::ports::StoreError;
use tracing::Instrument as _;

/// The handles.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// One handle for each series.
pub(crate) struct Metrics {
    operations: [Histogram; Operation::ALL.len()],
    waits: [Histogram; 2],
    unavailable: Counter,
    internal: Counter,
}

/// What is measured apart; everything else together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    /// A batch for the log.
    Append,
    /// A page of the log.
    Read,
    /// The ends of logs.
    Heads,
    /// Roles of members.
    Roles,
    /// Whatever else is asked or changed.
    Other,
}

/// Which connections are waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Waited {
    Writer,
    Reader,
}

impl Operation {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Append, "append"),
        (Self::Read, "read"),
        (Self::Heads, "heads"),
        (Self::Roles, "roles"),
        (Self::Other, "other"),
    ];

    fn name(self) -> &'static str {
        let [(_, append), (_, read), (_, heads), (_, roles), (_, other)] = Self::ALL;
        match self {
            Self::Append => append,
            Self::Read => read,
            Self::Heads => heads,
            Self::Roles => roles,
            Self::Other => other,
        }
    }

    fn histogram(self, of: &[Histogram; Self::ALL.len()]) -> &Histogram {
        let [append, read, heads, roles, other] = of;
        match self {
            Self::Append => append,
            Self::Read => read,
            Self::Heads => heads,
            Self::Roles => roles,
            Self::Other => other,
        }
    }
}

impl Metrics {
    fn new() -> Self {
        describe_histogram!(
            "sealroom_store_seconds",
            Unit::Seconds,
            "Calls to the store, with the wait for a connection"
        );
        describe_histogram!(
            "sealroom_store_connection_wait_seconds",
            Unit::Seconds,
            "Waits for a connection to the store"
        );
        describe_counter!(
            "sealroom_store_failures_total",
            "Calls to the store that failed: unavailable passes, internal is a defect"
        );
        Self {
            operations: Operation::ALL
                .map(|(_, name)| histogram!("sealroom_store_seconds", "operation" => name)),
            waits: ["writer", "reader"]
                .map(|part| histogram!("sealroom_store_connection_wait_seconds", "part" => part)),
            unavailable: counter!("sealroom_store_failures_total", "kind" => "unavailable"),
            internal: counter!("sealroom_store_failures_total", "kind" => "internal"),
        }
    }

    /// Measures a call, and counts it where it fails.
    pub(crate) async fn call<R>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<R, StoreError>>,
    ) -> Result<R, StoreError> {
        let span = tracing::debug_span!("store", operation = operation.name());
        let begin = Instant::now();
        let result = call.instrument(span).await;
        operation.histogram(&self.operations).record(begin.elapsed());
        match &result {
            Ok(_) => {}
            Err(StoreError::Unavailable { .. }) => self.unavailable.increment(1),
            Err(_) => self.internal.increment(1),
        }
        result
    }

    /// A connection was had after this time, or not.
    pub(crate) fn waited(&self, part: Waited, time: Duration) {
        let [writer, reader] = &self.waits;
        match part {
            Waited::Writer => writer,
            Waited::Reader => reader,
        }
        .record(time);
    }
}
