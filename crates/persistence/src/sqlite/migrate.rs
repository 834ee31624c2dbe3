//! Brings the schema of an SQLite file up to date.

use std::{ffi::OsString, path::PathBuf};

use diesel::{SqliteConnection, connection::SimpleConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::{SqliteOptions, connection};
use crate::{
    error::OpenError,
    migrate::{self, MigrationStatus},
};

/// The migrations, inside the binary.
pub(super) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

pub(super) fn run(options: &SqliteOptions) -> Result<Vec<String>, OpenError> {
    with_lock(options, |conn| migrate::apply(conn, MIGRATIONS))
}

pub(super) fn status(options: &SqliteOptions) -> Result<MigrationStatus, OpenError> {
    with_lock(options, |conn| migrate::status(conn, MIGRATIONS))
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
