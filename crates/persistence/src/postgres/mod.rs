//! The stores on a PostgreSQL server.
//!
//! Some connections write, some read. Each call is a task of its own that ends by itself, so a caller that goes away
//! leaves no transaction open, and each is bounded in time, also where the server accepts and stays silent.

mod accounts;
mod append;
mod at_once;
mod connection;
#[cfg(feature = "sqlite")]
mod copy;
mod facts;
mod groups;
mod inserts;
mod known;
mod lists;
mod log;
mod memberships;
mod messages;
mod migrate;
mod options;
mod outbox;
mod pool;
mod questions;
mod read_marks;
mod statements;
mod unknown;
mod upkeep;
mod users;

use std::{
    fmt,
    future::Future,
    sync::{Arc, LazyLock, PoisonError, RwLock},
    time::Duration,
};

use diesel::{ExpressionMethods, result::DatabaseErrorKind, result::Error as DieselError};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sealroom_domain::{LogId, ports::StoreError};
use tokio_util::task::TaskTracker;

#[cfg(feature = "sqlite")]
pub(crate) use self::copy::CopyTarget;
pub use self::options::{PostgresOptions, PostgresUrl, PostgresUrlError};
use self::{connection::Part, known::Known, pool::Pool};
use crate::{
    MigrationStatus,
    error::{Failure, Inconsistency, OpenError},
    fragments,
    log_id::{self, LogName},
    metrics::{METRICS, Operation},
    schema::meta,
};

/// All store ports on one PostgreSQL database. Cloning shares the connections.
///
/// Several stores, also of several processes and machines, may be open on one database.
///
/// Its methods need a tokio runtime with its time and I/O drivers.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    log_name: LogName,
    /// None after the store was closed.
    pools: RwLock<Option<Pools>>,
    known: Known,
    calls: TaskTracker,
    options: PostgresOptions,
}

/// The connections of an open store.
#[derive(Debug, Clone)]
struct Pools {
    writers: Pool,
    readers: Pool,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("url", &self.inner.options.url)
            .field("pools", &self.pools())
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects to the database, which must exist, and applies the migrations that are pending.
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        // All of them are there from the beginning, so that a scrape sees a zero and not nothing.
        LazyLock::force(&METRICS);
        migrate::run(&options).await?;
        let mut connection = connection::open(Part::Writer, &options)
            .await
            .map_err(OpenError::server)?;
        let log_id = ensure_log_id(&mut connection.pg).await?;
        Ok(Self::on(options, log_id))
    }

    /// A store on a database whose schema is up to date and whose log has this name.
    fn on(options: PostgresOptions, log_id: LogId) -> Self {
        let pools = Pools {
            writers: Pool::new(Part::Writer, &options),
            readers: Pool::new(Part::Reader, &options),
        };
        Self {
            inner: Arc::new(Inner {
                log_name: LogName::new(log_id),
                pools: RwLock::new(Some(pools)),
                known: Known::default(),
                calls: TaskTracker::new(),
                options,
            }),
        }
    }

    /// Applies what is pending, and answers the versions that it applied.
    ///
    /// Any number of processes may do this at once: one works, the others wait. [`PostgresStore::open`] does it too.
    pub async fn migrate(options: &PostgresOptions) -> Result<Vec<String>, OpenError> {
        migrate::run(options).await
    }

    /// Which migrations the database has.
    pub async fn migration_status(options: &PostgresOptions) -> Result<MigrationStatus, OpenError> {
        migrate::status(options).await
    }

    /// How many batches can be appended at the same time.
    pub fn lanes(&self) -> usize {
        usize::try_from(self.inner.options.writers).unwrap_or(1).max(1)
    }

    /// Gives the log another name, as a restored backup needs it: clients then start over instead of taking
    /// another history for their own. Other stores that are open on the database keep the old name until they are
    /// opened again.
    pub async fn renew_log_id(&self) -> Result<LogId, StoreError> {
        let new = log_id::new_log_id().map_err(Failure::Random)?;
        let name = new.clone();
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            diesel::update(meta::table)
                .set(meta::log_id.eq(name.as_str()))
                .execute(&mut *lease)
                .await?;
            lease.done();
            Ok(())
        })
        .await?;
        self.inner.log_name.set(new.clone());
        Ok(new)
    }

    /// Whether the store can work now: a connection of each part answers, and the server takes writes. Waits for at
    /// most `patience`.
    pub async fn ping(&self, patience: Duration) -> Result<(), StoreError> {
        let questions = self.call(|pools| async move {
            let mut reader = pools.readers.lease().await?;
            fragments::log_id().get_result::<String>(&mut *reader).await?;
            reader.done();
            let mut writer = pools.writers.lease().await?;
            let refuses: bool = diesel::select(pg_is_in_recovery())
                .get_result(&mut *writer)
                .await?;
            writer.done();
            if refuses {
                return Err(Failure::Lost(
                    "the server is a standby and takes no writes".into(),
                ));
            }
            Ok(())
        });
        tokio::time::timeout(patience, questions)
            .await
            .unwrap_or_else(|_| Err(Failure::TimedOut.into()))
    }

    /// Whether the server takes a write now: writes a value over itself. Waits for at most `patience`.
    pub async fn try_write(&self, patience: Duration) -> Result<(), StoreError> {
        let write = self.call(|pools| async move {
            let mut writer = pools.writers.lease().await?;
            diesel::update(meta::table)
                .set(meta::log_id.eq(meta::log_id))
                .execute(&mut *writer)
                .await?;
            writer.done();
            Ok(())
        });
        tokio::time::timeout(patience, write)
            .await
            .unwrap_or_else(|_| Err(Failure::TimedOut.into()))
    }

    /// Waits for all calls and closes the connections. Later calls, of all clones, answer that the store is
    /// unavailable.
    pub async fn close(&self) -> Result<(), StoreError> {
        let pools = self
            .inner
            .pools
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.inner.calls.close();
        self.inner.calls.wait().await;
        drop(pools);
        Ok(())
    }

    fn pools(&self) -> Option<Pools> {
        self.inner
            .pools
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes a call in a task of its own, which its caller does not stop by going away.
    async fn call<R, F>(&self, call: impl FnOnce(Pools) -> F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, Failure>> + Send + 'static,
    {
        self.call_as(Operation::Other, call).await
    }

    /// The same, measured apart.
    async fn call_as<R, F>(
        &self,
        operation: Operation,
        call: impl FnOnce(Pools) -> F,
    ) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, Failure>> + Send + 'static,
    {
        let pools = self.pools().ok_or(Failure::Closed)?;
        let call = tokio::time::timeout(self.inner.options.call_timeout, call(pools));
        let call = self.inner.calls.spawn(call);
        let outcome = async {
            let outcome = match call.await {
                Ok(Ok(outcome)) => outcome.map_err(passing),
                Ok(Err(_elapsed)) => Err(Failure::TimedOut),
                Err(_panicked) => Err(Failure::Panicked),
            };
            Ok(outcome?)
        };
        METRICS.call(operation, outcome).await
    }
}

diesel::define_sql_function! {
    /// Whether the server only follows another one.
    fn pg_is_in_recovery() -> diesel::sql_types::Bool;
}

/// What the server says about the data is a defect here; everything else, from a lost connection and a timeout to a
/// full disk, may pass. (diesel keeps no error code that would tell more.)
fn passing(failure: Failure) -> Failure {
    match failure {
        Failure::Database(DieselError::DatabaseError(kind, information))
            if !matches!(
                kind,
                DatabaseErrorKind::UniqueViolation
                    | DatabaseErrorKind::ForeignKeyViolation
                    | DatabaseErrorKind::NotNullViolation
                    | DatabaseErrorKind::CheckViolation
            ) =>
        {
            Failure::Lost(Box::new(DieselError::DatabaseError(kind, information)))
        }
        other => other,
    }
}

/// The name of the log, which gets one when it is opened for the first time.
async fn ensure_log_id(conn: &mut AsyncPgConnection) -> Result<LogId, OpenError> {
    let new = log_id::new_log_id().map_err(OpenError::system)?;
    diesel::insert_into(meta::table)
        .values((
            meta::id.eq(fragments::META),
            meta::log_id.eq(new.as_str()),
            meta::next_group_id.eq(1),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .map_err(OpenError::server)?;
    let name: String = fragments::log_id()
        .get_result(conn)
        .await
        .map_err(OpenError::server)?;
    if log_id::is_copying(&name) {
        return Err(OpenError::Unfinished);
    }
    LogId::new(name).ok().ok_or_else(|| {
        OpenError::server(Inconsistency {
            table: "meta",
            column: "log_id",
        })
    })
}
