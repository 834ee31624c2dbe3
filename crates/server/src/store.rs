//! The store that the database's URL names.

#[cfg(feature = "postgres")]
use std::future;
use std::{sync::Arc, time::Duration};

use sealroom_domain::{
    LogId,
    ports::{Accounts, Outbox, StoreError},
};
use sealroom_engine::Ports;
use sealroom_persistence::OpenError;
#[cfg(feature = "postgres")]
use sealroom_persistence::{PostgresOptions, PostgresStore};
#[cfg(feature = "sqlite")]
use sealroom_persistence::{SqliteOptions, SqliteStore};

use crate::{clock::SystemClock, settings::Database};

/// An open store. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteStore),
    #[cfg(feature = "postgres")]
    Postgres(PostgresStore),
}

/// The same question to whichever store it is.
macro_rules! on_store {
    ($store:expr, $bound:ident => $answer:expr) => {
        match $store {
            #[cfg(feature = "sqlite")]
            Store::Sqlite($bound) => $answer,
            #[cfg(feature = "postgres")]
            Store::Postgres($bound) => $answer,
        }
    };
}

impl Store {
    /// Opens the store, and brings its schema up to date. With an outbox, whoever opens it has to deliver.
    pub(crate) async fn open(database: &Database, outbox: bool) -> Result<Self, OpenError> {
        match database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(path) => {
                let mut options = SqliteOptions::new(path);
                options.outbox = outbox;
                SqliteStore::open(options).await.map(Self::Sqlite)
            }
            #[cfg(not(feature = "sqlite"))]
            Database::Sqlite(_) => Err(OpenError::NotCompiled),
            #[cfg(feature = "postgres")]
            Database::Postgres(url) => {
                let mut options = PostgresOptions::new(url.clone());
                options.outbox = outbox;
                PostgresStore::open(options).await.map(Self::Postgres)
            }
        }
    }

    /// Brings the schema up to date, and answers the versions that were applied.
    pub(crate) async fn migrate(database: &Database) -> Result<Vec<String>, OpenError> {
        match database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(path) => SqliteStore::migrate(&SqliteOptions::new(path)).await,
            #[cfg(not(feature = "sqlite"))]
            Database::Sqlite(_) => Err(OpenError::NotCompiled),
            #[cfg(feature = "postgres")]
            Database::Postgres(url) => PostgresStore::migrate(&PostgresOptions::new(url.clone())).await,
        }
    }

    /// The ports of the use cases.
    pub(crate) fn ports(&self) -> Ports {
        on_store!(self, store => Ports::on(store, Arc::new(SystemClock)))
    }

    /// What the host is to be told of.
    pub(crate) fn outbox(&self) -> Arc<dyn Outbox> {
        on_store!(self, store => Arc::new(store.clone()))
    }

    /// The built-in accounts.
    pub(crate) fn accounts(&self) -> Arc<dyn Accounts> {
        on_store!(self, store => Arc::new(store.clone()))
    }

    /// How many batches it commits at the same time.
    pub(crate) fn lanes(&self) -> usize {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => 1,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.lanes(),
        }
    }

    /// Whether other servers may append to the same log.
    pub(crate) fn is_shared(&self) -> bool {
        match self {
            // The data directory is held by one server.
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
        }
    }

    /// Whether it can work now; waits for at most `patience`.
    pub(crate) async fn ping(&self, patience: Duration) -> Result<(), StoreError> {
        on_store!(self, store => store.ping(patience).await)
    }

    /// Whether it takes a write now; waits for at most `patience`.
    pub(crate) async fn try_write(&self, patience: Duration) -> Result<(), StoreError> {
        on_store!(self, store => store.try_write(patience).await)
    }

    /// Waits until its disk failed, after which it writes nothing any more. PostgreSQL looks after its disk itself, and
    /// ends its own processes.
    pub(crate) async fn disk_failed(&self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.disk_failed().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => future::pending().await,
        }
    }

    /// Gives the log another name.
    pub(crate) async fn renew_log_id(&self) -> Result<LogId, StoreError> {
        on_store!(self, store => store.renew_log_id().await)
    }

    /// Waits for what was begun, and closes it.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        on_store!(self, store => store.close().await)
    }
}
