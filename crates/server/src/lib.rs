//! The server: settings, wiring, accept loop, command line.
//!
//! This crate must never know rules, queries or event handlers: it puts the others together.

pub mod cli;
pub mod clock;
pub mod data_dir;
mod descriptors;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod run;
pub mod secret;
pub mod settings;
mod store;
#[cfg(feature = "otel")]
pub mod telemetry;
pub mod tokens;
pub mod webhooks;
