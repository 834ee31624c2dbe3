//! Brings the schema up to date.

use std::{ffi::OsString, path::PathBuf};

use diesel::{SqliteConnection, connection::SimpleConnection, sqlite::Sqlite};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{
    error::OpenError,
    sqlite::{SqliteOptions, connection},
};

/// The migrations of SQLite, inside the binary.
pub(crate) const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Which migrations a database has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// The versions that were applied, ascending.
    pub applied: Vec<String>,
    /// The versions that this build has and the database has not, ascending.
    pub pending: Vec<String>,
}

/// Applies what is pending, and answers the versions that it applied. Creates the database where there is none.
///
/// Any number of processes may do this at once: one works, the others wait, at most for the busy timeout.
/// [`crate::SqliteStore::open`] does it too.
pub async fn migrate(options: &SqliteOptions) -> Result<Vec<String>, OpenError> {
    let options = options.clone();
    blocking(move || run(&options)).await
}

/// Which migrations the database has; creates an empty one where there is none.
pub async fn migration_status(options: &SqliteOptions) -> Result<MigrationStatus, OpenError> {
    let options = options.clone();
    blocking(move || status(&options)).await
}

/// The harness blocks, so it must not run on the threads of the runtime.
pub(crate) async fn blocking<R: Send + 'static>(
    job: impl FnOnce() -> Result<R, OpenError> + Send + 'static,
) -> Result<R, OpenError> {
    tokio::task::spawn_blocking(job)
        .await
        .unwrap_or_else(|error| Err(OpenError::system(error)))
}

pub(crate) fn run(options: &SqliteOptions) -> Result<Vec<String>, OpenError> {
    with_lock(options, |conn| {
        let applied = conn
            .run_pending_migrations(SQLITE)
            .map_err(OpenError::migration)?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
}

fn status(options: &SqliteOptions) -> Result<MigrationStatus, OpenError> {
    with_lock(options, |conn| {
        let mut applied: Vec<String> = conn
            .applied_migrations()
            .map_err(OpenError::migration)?
            .iter()
            .map(ToString::to_string)
            .collect();
        applied.sort_unstable();
        let pending = MigrationHarness::<Sqlite>::pending_migrations(conn, SQLITE)
            .map_err(OpenError::migration)?
            .iter()
            .map(|migration| migration.name().version().to_string())
            .collect();
        Ok(MigrationStatus { applied, pending })
    })
}

/// Two harnesses at once would both find the same migration pending, and the second would fail. An exclusive
/// transaction on a file beside the database keeps the second one waiting; it ends with its process, also by a kill.
fn with_lock<R>(
    options: &SqliteOptions,
    work: impl FnOnce(&mut SqliteConnection) -> Result<R, OpenError>,
) -> Result<R, OpenError> {
    let mut lock_name = OsString::from(options.path.as_os_str());
    lock_name.push("-migrating");
    let mut lock = connection::establish(&PathBuf::from(lock_name))?;
    connection::set_busy_timeout(&mut lock, options.busy_timeout)?;
    lock.batch_execute("BEGIN EXCLUSIVE")?;
    let mut conn = connection::open_writer(options)?;
    let outcome = work(&mut conn);
    drop(conn);
    lock.batch_execute("ROLLBACK")?;
    outcome
}
