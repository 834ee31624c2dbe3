//! PostgreSQL: each test has a database of its own.

use std::sync::Arc;

use sealroom_persistence::{PostgresOptions, PostgresStore, PostgresUrl};
use xtask_postgres::TestDatabase;

use crate::fixtures::{self, suites};

async fn store() -> (Arc<PostgresStore>, TestDatabase) {
    let database = TestDatabase::create().await;
    (open(&database).await, database)
}

async fn open(database: &TestDatabase) -> Arc<PostgresStore> {
    let mut options = PostgresOptions::new(PostgresUrl::parse(database.url()).unwrap());
    options.outbox = true;
    Arc::new(PostgresStore::open(options).await.unwrap())
}

suites!();
