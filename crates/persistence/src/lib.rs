//! The stores of Sealroom through diesel: SQLite, embedded, and PostgreSQL.
//!
//! [`SqliteStore`] and [`PostgresStore`] each answer all store ports of `sealroom_domain::ports`. Which of them are
//! compiled is a matter of the features `sqlite` and `postgres`, both on by default; which of them is used is a matter of
//! run time.
//!
//! # How it is laid out
//!
//! Whatever does not depend on the backend is written once: `schema` (tables), `rows` (private rows and their checked
//! conversion to the model), `fragments` (queries without an executor), `statement` (how a statement is written that
//! diesel would not cache), `append`, `ledger` and `target` (what an append decides), `page` and `messages` (how a page is filled),
//! `founding` (how a group begins and ends), `login` (what becomes of a refresh), `trim` (what is forgotten), `outbox`,
//! `migrate` and `error` (what a failure means). `copy` moves a deployment from one to the other. A backend adds its
//! connections and executors: `sqlite`, `postgres`. The migrations of a backend are in `migrations/<backend>` and are
//! embedded.
//!
//! This crate must never know a rule of the chat, a wire type, the environment or the wall clock.

mod append;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod copy;
mod error;
mod founding;
mod fragments;
mod ledger;
mod log_id;
mod login;
mod messages;
mod metrics;
mod migrate;
mod outbox;
mod page;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;
mod target;
mod trim;

#[cfg(all(feature = "postgres", feature = "sqlite"))]
pub use copy::{CopyError, CopyProgress, CopyReport, Counts, copy};
pub use error::OpenError;
pub use log_id::new_log_id;
pub use migrate::MigrationStatus;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore, PostgresUrl, PostgresUrlError};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStore, Synchronous};
