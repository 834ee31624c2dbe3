//! What only a server on PostgreSQL promises: several servers on one database, and a database that fails.
//!
//! Each test has a PostgreSQL server of its own, which it stops, pauses and locks as it likes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failed check ends the test, and figures are printed"
)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod common;
#[path = "../e2e/reader.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod reader;
#[path = "../e2e/world.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod world;

mod blocked_group;
mod database;
mod load;
mod outage;
mod starts_together;
mod two_servers;
