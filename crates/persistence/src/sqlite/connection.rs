//! Opening connections.

use std::{fs::OpenOptions, path::Path, time::Duration};

use diesel::{Connection, ConnectionError, QueryResult, SqliteConnection, connection::SimpleConnection};

use super::options::{SqliteOptions, Synchronous};
use crate::error::OpenError;

/// Which part a connection plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The only one that writes.
    Writer,
    /// One of those that read.
    Reader,
}

/// Opens the file, which is created where it is missing, readable by its owner alone.
pub(crate) fn establish(path: &Path) -> Result<SqliteConnection, OpenError> {
    // An absolute path is never taken for a URI or for `:memory:`.
    let path = std::path::absolute(path).map_err(OpenError::file)?;
    // SQLite would only say that it cannot open the file; the operating system says why.
    let mut file = OpenOptions::new();
    file.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(&path).map_err(OpenError::file)?;
    let path = path
        .to_str()
        .ok_or_else(|| OpenError::file("the path is not UTF-8"))?;
    SqliteConnection::establish(path).map_err(|error: ConnectionError| OpenError::file(error))
}

/// How long a statement waits for the lock of another connection.
pub(crate) fn set_busy_timeout(conn: &mut SqliteConnection, timeout: Duration) -> QueryResult<()> {
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    conn.batch_execute(&format!("PRAGMA busy_timeout = {millis};"))
}

/// Opens the connection that writes.
pub(crate) fn open_writer(options: &SqliteOptions) -> Result<SqliteConnection, OpenError> {
    let mut conn = establish(&options.path)?;
    set_busy_timeout(&mut conn, options.busy_timeout)?;
    // `fullfsync` asks macOS for what fsync means elsewhere. After a burst the WAL shrinks to the size limit again.
    // `secure_delete` overwrites what is deleted: a message's content would stay readable in the free parts of the file.
    // The WAL holds older pages until it is written back and begun anew. That is done every 8 MB and not every 4: the
    // last pages of the groups that are written to come up in each commit, and are written back once.
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON",
        Synchronous::Normal => "NORMAL",
    };
    conn.batch_execute(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA secure_delete = ON;
         PRAGMA wal_autocheckpoint = 2000;
         PRAGMA journal_size_limit = 67108864;"
    ))?;
    Ok(conn)
}

/// Opens a connection that reads, on a database that a writer has opened before.
pub(crate) fn open_reader(options: &SqliteOptions) -> Result<SqliteConnection, OpenError> {
    let mut conn = establish(&options.path)?;
    set_busy_timeout(&mut conn, options.busy_timeout)?;
    conn.batch_execute("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
    Ok(conn)
}

pub(super) fn open(part: Part, options: &SqliteOptions) -> Result<SqliteConnection, OpenError> {
    match part {
        Part::Writer => open_writer(options),
        Part::Reader => open_reader(options),
    }
}
