//! The promises of the server, proved through the real program over real sockets.
//!
//! Each test starts a server of its own as a process and plays its clients itself. One test binary, so that the parts
//! are compiled and linked once.

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
#[path = "../common/on_each_store.rs"]
#[macro_use]
mod on_each_store;

mod accounts;
mod content;
mod crash;
mod drain;
mod erasure;
mod fields;
mod groups;
mod guide;
mod handshakes;
mod history;
#[expect(dead_code, reason = "the hostile suite uses more of it")]
mod hold;
mod keys;
mod leases;
mod limits;
mod names;
mod order;
mod origins;
mod outside;
mod pages;
mod posting;
mod probe;
mod random;
mod rates;
mod raw;
mod reader;
mod reading;
mod recovery;
mod removal;
mod retention;
mod revocation;
mod rewriting;
mod signer;
mod slow_reader;
mod users;
#[expect(dead_code, reason = "the hostile suite uses more of it")]
mod watched;
mod world;
