//! The JSON shapes that both transports speak: entries, refusals, and the strict reading of requests.
//!
//! Keys are `snake_case`; numbers are integers up to 2^53 - 1; times are RFC 3339 in UTC with milliseconds.
//!
//! This crate must never know a transport, a use case or a driver: it turns values of the domain into JSON and back.

mod client_address;
mod entry;
pub mod fields;
mod origins;
mod refusal;
mod time;
pub mod values;

pub use client_address::{ClientAddress, TrustedProxies};
pub use entry::{CurrentEntry, EventEntry, LogEntry, event_name};
pub use origins::{AllowedOrigins, Origin};
pub use refusal::{FurtherKey, RefusalBody};
pub use time::rfc3339;

/// Raw JSON text, checked to be JSON and nothing more.
pub use serde_json::value::RawValue;
