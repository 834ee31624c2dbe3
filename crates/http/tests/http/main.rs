//! The routes over the in-memory ports, asked without a socket.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed helper ends the test"
)]

mod callers;
mod failures;
mod inputs;
mod members;
mod pages;
mod shapes;
mod sight;
mod support;
mod surface;
