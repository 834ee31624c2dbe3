//! The stores of Sealroom through diesel: SQLite, embedded.
//!
//! [`SqliteStore`] answers all four store ports of `sealroom_domain::ports` from one file.
//!
//! # How it is laid out
//!
//! Whatever does not depend on the backend is written once: `schema` (tables), `rows` (private rows and their checked
//! conversion to the model), `fragments` (queries without an executor) and `error` (what a failure means). A backend
//! adds its connections and executors: `sqlite`. The migrations of a backend are in `migrations/<backend>` and are
//! embedded.
//!
//! This crate must never know a rule of the chat, a wire type, the environment or the wall clock.

mod append;
mod error;
mod founding;
mod fragments;
mod log_id;
mod migrate;
mod page;
mod rows;
mod schema;
mod sqlite;

pub use error::OpenError;
pub use log_id::new_log_id;
pub use migrate::{MigrationStatus, migrate, migration_status};
pub use sqlite::{SqliteOptions, SqliteStore, Synchronous};
