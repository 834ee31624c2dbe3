//! One suite for each port: run it on your own adapter, and what Sealroom promises holds on it too.
//!
//! Each sentence of a port's contract is one or more properties: a public async function that takes a fixture and
//! panics where the adapter breaks it. A macro for each suite makes one named test of each property:
//!
//! ```
//! mod group_log {
//!     use sealroom_testkit::memory::MemoryStore;
//!
//!     // One test for each property; the expression is evaluated anew for each.
//!     sealroom_testkit::group_log_conformance!(async { MemoryStore::new() });
//! }
//!
//! mod group_log_on_threads {
//!     use sealroom_testkit::memory::MemoryStore;
//!
//!     // The same on a runtime with two worker threads.
//!     sealroom_testkit::group_log_conformance!(multi_thread, async { MemoryStore::new() });
//! }
//! ```
//!
//! The expression is a future of the adapter itself, or of the suite's fixture where there is more to say, such as a
//! second handle on the same store. Every call needs a store of its own. Put each call into a `mod` of its own, since
//! the tests of two suites may have the same name. Nothing but this crate is needed as a dev-dependency.
//!
//! The suites may gain properties in a minor release: an adapter that passes today and breaks the contract in a way
//! that nobody tested may fail tomorrow.

mod abandon;
pub mod accounts;
pub mod clock;
#[cfg(test)]
mod complete;
pub mod credentials;
mod entries;
mod fixture;
pub mod group_log;
pub mod groups;
mod macros;
pub mod memberships;
pub mod outbox;
pub mod read_marks;
mod run;
mod sample;
pub mod token_verifier;
pub mod upkeep;
pub mod users;

pub use fixture::Hook;
#[doc(hidden)]
pub use run::{run_current_thread, run_multi_thread};
