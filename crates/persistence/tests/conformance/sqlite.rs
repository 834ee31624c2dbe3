//! SQLite.

use std::sync::Arc;

use sealroom_persistence::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

use crate::fixtures::{self, suites};

async fn store() -> (Arc<SqliteStore>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (open(&dir).await, dir)
}

async fn open(dir: &TempDir) -> Arc<SqliteStore> {
    let mut options = SqliteOptions::new(dir.path().join("test.db"));
    options.outbox = true;
    Arc::new(SqliteStore::open(options).await.unwrap())
}

suites!();
