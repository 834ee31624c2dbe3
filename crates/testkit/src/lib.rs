//! For tests of Sealroom and of what others build on it. Never part of a server.
//!
//! - [`memory`]: every port in memory, with exactly the contracts of the ports.
//! - [`faults`]: wrappers that make a store fail, wait, or lose an answer on command.
//! - [`conformance`]: one suite for each port, for adapters of one's own.
//! - [`Polls`]: callers that go away after any number of polls.
//! - [`network`]: a TCP proxy that delays, throttles, cuts and swallows.
//! - [`client`]: a small Socket.IO client that can also speak raw frames, and a plain HTTP helper.
//!
//! Helpers panic where a test cannot go on.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed check ends the test; nothing here runs in a server"
)]

pub mod client;
pub mod conformance;
pub mod faults;
pub mod memory;
pub mod network;
mod polls;

pub use polls::Polls;
