//! What an embedder chooses.

use std::{path::PathBuf, time::Duration};

/// How a [`super::SqliteStore`] works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// The database file. Its directory must exist and be writable; SQLite keeps its write-ahead log beside it, and
    /// migrations a lock file. Always a file: `:memory:` is only a strange name here.
    pub path: PathBuf,
    /// What a commit waits for. [`Synchronous::Full`].
    pub synchronous: Synchronous,
    /// How long a call waits, once for a free connection and once for the lock of another process, before it answers
    /// that the store is unavailable. 5 seconds; in whole milliseconds.
    pub busy_timeout: Duration,
    /// How many connections read at the same time; at least 1. Each keeps its own page cache of up to 2 MiB. 4.
    pub readers: usize,
    /// Whether appends put their entries into the outbox, from which somebody has to take them. `false`.
    pub outbox: bool,
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// The disk has it: it survives a power cut.
    #[default]
    Full,
    /// The operating system has it: it survives a kill of the process, not a power cut.
    Normal,
}

impl SqliteOptions {
    /// The defaults, on this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            synchronous: Synchronous::default(),
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            outbox: false,
        }
    }
}
