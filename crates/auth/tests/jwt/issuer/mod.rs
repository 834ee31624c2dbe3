//! The keys of an issuer that is fetched from: in simulated time, and over HTTP.

pub(crate) mod fake;
mod http;
mod mixed;
mod outages;
mod rotation;
mod storms;
mod tls;
