//! What the engine counts, through the facade of the crate `metrics`: without a recorder nothing happens.
//!
//! The handles are made once, by [`crate::Chat::start`], so a recorder must be installed before it. No label ever names
//! a user or a group. To add a metric: a field, its line in [`Metrics::new`], and its row in docs/OPERATIONS.md, which a
//! test of the server compares with what the server tells.

use std::{sync::LazyLock, time::Duration};

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use sealroom_domain::{
    EntryBody,
    ports::{Appended, RefusedEntry},
};

/// The handles.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// One handle for each metric: looking one up by its name takes longer than counting.
pub(crate) struct Metrics {
    appended: [Counter; TYPES.len()],
    repeated: Counter,
    /// Entries of each append.
    pub(crate) batch: Histogram,
    answer: Histogram,
    /// Entries handed to sockets.
    pub(crate) deliveries: Counter,
    /// Subscriptions ended by a removal.
    pub(crate) evictions: Counter,
    /// Feeds whose gap could not be filled.
    pub(crate) positions_lost: Counter,
    /// Groups joined, over all sockets.
    pub(crate) subscriptions: Gauge,
    /// Set when somebody asks: [`crate::Chat::observe_metrics`].
    pub(crate) feeds: Gauge,
    pub(crate) queued_entries: Gauge,
    pub(crate) queued_bytes: Gauge,
}

/// The kinds of entries, as the label has them.
const TYPES: [&str; 6] = [
    "new_message",
    "message_edited",
    "message_deleted",
    "member_added",
    "member_removed",
    "key_epoch_changed",
];

impl Metrics {
    fn new() -> Self {
        describe_counter!("sealroom_entries_appended_total", "Entries stored, by type");
        describe_counter!(
            "sealroom_sends_repeated_total",
            "Messages sent again under a client_message_id that is stored"
        );
        describe_histogram!(
            "sealroom_append_batch_entries",
            "Entries of an append to the store"
        );
        describe_histogram!(
            "sealroom_answer_seconds",
            Unit::Seconds,
            "From the submission of an entry to its answer, after its delivery"
        );
        describe_counter!("sealroom_deliveries_total", "Entries handed to sockets");
        describe_counter!("sealroom_evictions_total", "Joined groups that a removal ended");
        describe_counter!(
            "sealroom_positions_lost_total",
            "Feeds whose gap could not be read, so that their sockets were sent away to recover"
        );
        describe_gauge!("sealroom_subscriptions", "Joined groups, over all sockets");
        describe_gauge!(
            "sealroom_feeds",
            "Groups that at least one socket of this server has joined"
        );
        describe_gauge!(
            "sealroom_writer_queue_entries",
            "Entries submitted and not yet answered"
        );
        describe_gauge!(
            "sealroom_writer_queue_bytes",
            Unit::Bytes,
            "Memory that these entries hold, roughly"
        );
        Self {
            appended: TYPES.map(|name| counter!("sealroom_entries_appended_total", "type" => name)),
            repeated: counter!("sealroom_sends_repeated_total"),
            batch: histogram!("sealroom_append_batch_entries"),
            answer: histogram!("sealroom_answer_seconds"),
            deliveries: counter!("sealroom_deliveries_total"),
            evictions: counter!("sealroom_evictions_total"),
            positions_lost: counter!("sealroom_positions_lost_total"),
            subscriptions: gauge!("sealroom_subscriptions"),
            feeds: gauge!("sealroom_feeds"),
            queued_entries: gauge!("sealroom_writer_queue_entries"),
            queued_bytes: gauge!("sealroom_writer_queue_bytes"),
        }
    }

    /// A batch was stored: one addition for each kind of entry in it.
    pub(crate) fn stored(&self, results: &[Result<Appended, RefusedEntry>]) {
        let (mut of_type, mut repeated) = ([0_u64; TYPES.len()], 0);
        for result in results {
            match result {
                Ok(Appended::New(entry)) => {
                    if let Some(count) = of_type.get_mut(place(&entry.body)) {
                        *count += 1;
                    }
                }
                Ok(Appended::Duplicate(_)) => repeated += 1,
                Ok(Appended::Unchanged) | Err(_) => {}
            }
        }
        for (counter, count) in self.appended.iter().zip(of_type) {
            if count > 0 {
                counter.increment(count);
            }
        }
        if repeated > 0 {
            self.repeated.increment(repeated);
        }
    }

    /// A submitted entry was answered after this time.
    pub(crate) fn answered(&self, after: Duration) {
        self.answer.record(after);
    }
}

/// The place of an entry's kind in [`TYPES`].
fn place(body: &EntryBody) -> usize {
    match body {
        EntryBody::Message(_) => 0,
        EntryBody::MessageEdited { .. } => 1,
        EntryBody::MessageDeleted { .. } => 2,
        EntryBody::MemberAdded { .. } => 3,
        EntryBody::MemberRemoved { .. } => 4,
        EntryBody::KeyEpochChanged { .. } => 5,
    }
}

/// Counts of this many are added at once, where they are known by a length.
pub(crate) fn many(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A number as a gauge has it: exact up to 2^32, more than anything here comes to.
pub(crate) fn level(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
