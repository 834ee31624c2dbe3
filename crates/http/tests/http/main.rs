//! The routes over the in-memory ports, asked without a socket.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed helper ends the test"
)]

mod accounts;
mod callers;
mod changes;
mod contract;
mod cors;
mod docs;
mod every_route;
mod failures;
mod inputs;
mod kept;
mod links;
mod members;
mod openapi;
mod pages;
mod request_ids;
mod shapes;
mod sight;
mod support;
mod surface;
