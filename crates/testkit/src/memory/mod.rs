//! The ports in memory: fast, exact, and gone with the last clone.
//!
//! They pass the same [`crate::conformance`] suites as the real adapters.

mod accounts;
mod clock;
mod credentials;
mod group;
mod groups;
mod log;
mod memberships;
mod outbox;
mod page;
mod read_marks;
mod state;
mod upkeep;
mod users;
mod verifier;

use std::{fmt, sync::Arc};

use parking_lot::Mutex;

pub use clock::FixedClock;
pub use credentials::MemoryCredentials;
use state::State;
pub use verifier::MemoryVerifier;

/// Every port of a store in memory: [`GroupLog`](sealroom_domain::ports::GroupLog),
/// [`Groups`](sealroom_domain::ports::Groups), [`Memberships`](sealroom_domain::ports::Memberships),
/// [`Users`](sealroom_domain::ports::Users), [`ReadMarks`](sealroom_domain::ports::ReadMarks),
/// [`Accounts`](sealroom_domain::ports::Accounts), [`Outbox`](sealroom_domain::ports::Outbox), which is always kept, and
/// [`Upkeep`](sealroom_domain::ports::Upkeep).
///
/// Clones share the same data, so one store can stand behind several ports, or play several processes on one
/// database. Every call does its work at once, under one lock, when it is first polled.
///
/// Memberships may be set for groups that this store does not know: it can stand for a host application that keeps
/// them in its own tables.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// An empty store with a log of its own.
    pub fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new())),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}
