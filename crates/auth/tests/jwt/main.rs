//! Tokens from outside: what is refused, what is accepted, and what holds for all.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod claims;
mod conformance;
mod properties;
mod signatures_and_headers;
mod support;
