//! The suites of the ports on each store.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made ends the test")]

mod fixtures;
mod postgres;
mod sqlite;
