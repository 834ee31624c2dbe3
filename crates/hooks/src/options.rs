//! How webhooks are sent.

use std::time::Duration;

use crate::{event::EventType, secret::Secrets};

/// How webhooks are sent.
#[derive(Debug, Clone)]
pub struct HookOptions {
    /// What requests are signed with.
    pub secrets: Secrets,
    /// Which events are sent; by default all. The entries of others leave the outbox untold.
    pub events: Vec<EventType>,
    /// Requests that are under way at a time, each for another group; 8 by default, at least 1.
    pub in_flight: usize,
    /// What is older than this, and could not be told, is given up; 3 days by default. Nothing is given up before its
    /// group failed for an hour without a success (or for this time, where it is shorter).
    pub give_up_after: Duration,
    /// How long the receiver has for its answer; 15 s by default.
    pub patience: Duration,
}

impl HookOptions {
    /// The defaults.
    pub fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            events: EventType::ALL.to_vec(),
            in_flight: 8,
            give_up_after: Duration::from_hours(72),
            patience: Duration::from_secs(15),
        }
    }
}
