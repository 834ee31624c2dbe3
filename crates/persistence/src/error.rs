//! What a failure means. Nothing else in the crate maps an error of the database to one of the ports.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
#[cfg(feature = "sqlite")]
use sealroom_domain::ports::RefusedEntry;
use sealroom_domain::ports::{BoxError, StoreError};

/// The store could not be opened. Its text names no path; the source says more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database file cannot be opened, created or written.
    #[error("the database file cannot be used")]
    File {
        /// What happened.
        source: BoxError,
    },
    /// The database server cannot be reached, refuses the connection or does not have the database.
    #[error("the database server cannot be used")]
    Server {
        /// What happened.
        source: BoxError,
    },
    /// Another process has held the database, or the right to migrate it, for too long.
    #[error("the database is in use by another process")]
    Busy {
        /// What happened.
        source: BoxError,
    },
    /// This build has no store of this kind.
    #[error("databases of this kind are not compiled into this program")]
    NotCompiled,
    /// A copy into the database was begun and not finished.
    #[error("the database holds a copy that was not finished: run copy again")]
    Unfinished,
    /// A migration failed; the schema is as it was before that migration.
    #[error("the database schema cannot be brought up to date")]
    Migration {
        /// What happened.
        source: BoxError,
    },
    /// The operating system gave no random bytes or no thread, or the runtime is shutting down.
    #[error("the store cannot be started")]
    System {
        /// What happened.
        source: BoxError,
    },
}

impl OpenError {
    pub(crate) fn file(source: impl Into<BoxError>) -> Self {
        Self::File {
            source: source.into(),
        }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn server(source: impl Into<BoxError>) -> Self {
        Self::Server {
            source: source.into(),
        }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn busy(source: impl Into<BoxError>) -> Self {
        Self::Busy {
            source: source.into(),
        }
    }

    pub(crate) fn migration(source: impl Into<BoxError>) -> Self {
        Self::Migration {
            source: source.into(),
        }
    }

    pub(crate) fn system(source: impl Into<BoxError>) -> Self {
        Self::System {
            source: source.into(),
        }
    }
}

impl From<DieselError> for OpenError {
    fn from(error: DieselError) -> Self {
        if matches!(condition(&error), Some(Condition::Busy)) {
            Self::Busy {
                source: Box::new(error),
            }
        } else {
            Self::file(error)
        }
    }
}

/// The database holds what the model cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value of {table}.{column} is not valid")]
pub(crate) struct Inconsistency {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
}

/// Why a job on a connection failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The database refused or failed.
    #[error("the database failed")]
    Database(#[source] DieselError),
    /// The database holds what it should not.
    #[error("the database is inconsistent")]
    Inconsistent(#[source] Inconsistency),
    /// The job panicked; its transaction was rolled back.
    #[error("a database job panicked")]
    Panicked,
    /// No connection became free in time, or no answer came.
    #[error("the database did not answer in time")]
    TimedOut,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// No connection, or one that ended in the middle; or the server cannot do its work.
    #[error("the database cannot answer now")]
    Lost(#[source] BoxError),
    /// An entry was refused that its whole transaction depends on, which was undone.
    #[cfg(feature = "sqlite")]
    #[error("an entry was refused")]
    Refused(#[source] RefusedEntry),
    /// The operating system gave no random bytes.
    #[error("no random bytes")]
    Random(#[source] std::io::Error),
}

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

impl From<Inconsistency> for Failure {
    fn from(error: Inconsistency) -> Self {
        Self::Inconsistent(error)
    }
}

#[cfg(feature = "sqlite")]
impl Failure {
    /// Whether SQLite could not read or write its files: `SQLITE_IOERR`, but not a disk that is full.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Database(DieselError::DatabaseError(DatabaseErrorKind::Unknown, information)) => {
                information.message().starts_with(DISK_IO_ERROR)
            }
            _ => false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let passes = match &failure {
            Failure::Database(error) => condition(error).is_some(),
            Failure::TimedOut | Failure::Closed | Failure::Lost(_) => true,
            Failure::Inconsistent(_) | Failure::Panicked | Failure::Random(_) => false,
            #[cfg(feature = "sqlite")]
            Failure::Refused(_) => false,
        };
        if passes {
            Self::unavailable(failure)
        } else {
            Self::internal(failure)
        }
    }
}

/// Conditions that may pass without a change of the program or of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Somebody else holds a lock.
    Busy,
    /// The connection, the disk or the memory is not to be had.
    Gone,
}

const DISK_IO_ERROR: &str = "disk I/O error";

/// The texts of `sqlite3_errstr`, which is all that diesel passes on of a result code: `SQLITE_BUSY`, `LOCKED`,
/// `PROTOCOL`, `FULL`, `READONLY`, `IOERR`, `CANTOPEN`, `NOMEM`, `INTERRUPT`.
const SQLITE_CONDITIONS: &[(&str, Condition)] = &[
    ("database is locked", Condition::Busy),
    ("database table is locked", Condition::Busy),
    ("locking protocol", Condition::Busy),
    ("database or disk is full", Condition::Gone),
    ("attempt to write a readonly database", Condition::Gone),
    (DISK_IO_ERROR, Condition::Gone),
    ("unable to open database file", Condition::Gone),
    ("out of memory", Condition::Gone),
    ("interrupted", Condition::Gone),
];

fn condition(error: &DieselError) -> Option<Condition> {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Some(Condition::Busy),
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ReadOnlyTransaction,
            _,
        )
        | DieselError::BrokenTransactionManager => Some(Condition::Gone),
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, information) => SQLITE_CONDITIONS
            .iter()
            .find(|(text, _)| information.message().starts_with(text))
            .map(|&(_, condition)| condition),
        _ => None,
    }
}
