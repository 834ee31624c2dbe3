//! Brings the schema up to date: what is alike on all stores. Each runs it under a lock of its own.

use diesel::backend::Backend;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use crate::error::OpenError;

/// Which migrations a database has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// The versions that were applied, ascending.
    pub applied: Vec<String>,
    /// The versions that this build has and the database has not, ascending.
    pub pending: Vec<String>,
}

/// The harness blocks, so it must not run on the threads of the runtime.
pub(crate) async fn blocking<R: Send + 'static>(
    job: impl FnOnce() -> Result<R, OpenError> + Send + 'static,
) -> Result<R, OpenError> {
    tokio::task::spawn_blocking(job)
        .await
        .unwrap_or_else(|error| Err(OpenError::system(error)))
}

/// Applies what is pending, and answers the versions that it applied.
pub(crate) fn apply<DB: Backend>(
    conn: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> Result<Vec<String>, OpenError> {
    let applied = conn
        .run_pending_migrations(migrations)
        .map_err(OpenError::migration)?;
    Ok(applied.iter().map(ToString::to_string).collect())
}

/// What was applied and what is pending.
pub(crate) fn status<DB: Backend>(
    conn: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> Result<MigrationStatus, OpenError> {
    let mut applied: Vec<String> = conn
        .applied_migrations()
        .map_err(OpenError::migration)?
        .iter()
        .map(ToString::to_string)
        .collect();
    applied.sort_unstable();
    let pending = conn
        .pending_migrations(migrations)
        .map_err(OpenError::migration)?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    Ok(MigrationStatus { applied, pending })
}
