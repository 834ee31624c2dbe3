//! What an operator relies on: metrics, traces, readiness, the drain, a proxy in front.
//!
//! Each test starts a server of its own as a process. One test binary, so that the parts are compiled and linked once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "a failed check ends the test, and metrics are whole numbers"
)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod common;
#[path = "../common/on_each_store.rs"]
#[macro_use]
mod on_each_store;
#[path = "../e2e/world.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod world;

mod document;
mod drain;
mod logs;
mod metrics;
mod nginx;
mod readiness;
mod scrape;
mod telemetry;
