//! Tokens from outside: what is refused, what is accepted, and what holds for all.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod algorithms;
mod claims;
mod conformance;
mod issuer;
mod jwk_sets;
mod pem;
mod properties;
mod signatures_and_headers;
mod signer;
mod support;
