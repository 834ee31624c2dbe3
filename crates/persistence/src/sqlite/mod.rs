//! The stores on SQLite.
//!
//! One connection writes, some read. Each call is one blocking job on one of them, whatever it does there: a hop to
//! another thread costs more than most statements, and a job that runs to its end by itself leaves no transaction
//! open when its caller goes away.

mod accounts;
mod append;
mod connection;
#[cfg(feature = "postgres")]
mod copy;
mod disk;
mod groups;
mod known;
mod log;
mod lookups;
mod memberships;
mod migrate;
mod options;
mod outbox;
mod pool;
mod read_marks;
mod statements;
#[cfg(test)]
mod tests;
mod thread;
mod upkeep;
mod users;

use std::{
    fmt,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use diesel::{
    ExpressionMethods, RunQueryDsl, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
};
use sealroom_domain::{LogId, ports::StoreError};

#[cfg(feature = "postgres")]
pub(crate) use self::copy::CopySource;
pub use self::options::{SqliteOptions, Synchronous};
use self::{connection::Part, disk::Disk, known::Known, pool::Pool};
use crate::{
    error::{Failure, Inconsistency, OpenError},
    fragments,
    log_id::{self, LogName},
    metrics::{METRICS, Operation},
    migrate::{MigrationStatus, blocking},
    schema::meta,
};

/// All store ports on one SQLite file. Cloning shares the connections.
///
/// Several stores, also of several processes, may be open on one file.
///
/// Its methods need a tokio runtime with its time driver.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    log_name: LogName,
    writer: Arc<Pool>,
    readers: Arc<Pool>,
    disk: Arc<Disk>,
    /// Only the writer's job looks at it, of which there is one at a time.
    known: Arc<Mutex<Known>>,
    /// Whether appends put their entries into the outbox.
    has_outbox: bool,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("writer", &self.inner.writer)
            .field("readers", &self.inner.readers)
            .finish()
    }
}

impl SqliteStore {
    /// Opens the database, which is created where it is missing, and applies the migrations that are pending.
    pub async fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        // All of them are there from the beginning, so that a scrape sees a zero and not nothing.
        LazyLock::force(&METRICS);
        blocking(move || {
            migrate::run(&options)?;
            let log_id = ensure_log_id(&mut connection::open_writer(&options)?)?;
            let writer = Pool::open(Part::Writer, &options, 1)?;
            let readers = Pool::open(Part::Reader, &options, options.readers)?;
            Ok(Self {
                inner: Arc::new(Inner {
                    log_name: LogName::new(log_id),
                    writer,
                    readers,
                    disk: Arc::new(Disk::of(&options.path)),
                    known: Arc::default(),
                    has_outbox: options.outbox,
                }),
            })
        })
        .await
    }

    /// Applies what is pending, and answers the versions that it applied. Creates the database where there is none.
    ///
    /// Any number of processes may do this at once: one works, the others wait, at most for the busy timeout.
    /// [`SqliteStore::open`] does it too.
    pub async fn migrate(options: &SqliteOptions) -> Result<Vec<String>, OpenError> {
        let options = options.clone();
        blocking(move || migrate::run(&options)).await
    }

    /// Which migrations the database has; creates an empty one where there is none.
    pub async fn migration_status(options: &SqliteOptions) -> Result<MigrationStatus, OpenError> {
        let options = options.clone();
        blocking(move || migrate::status(&options)).await
    }

    /// Gives the log another name, as a restored backup needs it: clients then start over instead of taking
    /// another history for their own. Other stores that are open on the file keep the old name until they are
    /// opened again.
    pub async fn renew_log_id(&self) -> Result<LogId, StoreError> {
        let new = log_id::new_log_id().map_err(Failure::Random)?;
        let name = new.clone();
        self.write(move |conn| {
            diesel::update(meta::table)
                .set(meta::log_id.eq(name.as_str()))
                .execute(conn)?;
            Ok(())
        })
        .await?;
        self.inner.log_name.set(new.clone());
        Ok(new)
    }

    /// Whether the store can work now: a reader answers, and the writer gets the write lock. Writes nothing, and
    /// waits for at most `patience`.
    pub async fn ping(&self, patience: Duration) -> Result<(), StoreError> {
        let questions = async {
            self.read(|conn| {
                fragments::log_id().get_result::<String>(conn)?;
                Ok(())
            })
            .await?;
            self.write(|_| Ok(())).await
        };
        tokio::time::timeout(patience, questions)
            .await
            .unwrap_or_else(|_| Err(Failure::TimedOut.into()))
    }

    /// Whether a write reaches the disk now: changes a value and changes it back. Waits for at most `patience`.
    pub async fn try_write(&self, patience: Duration) -> Result<(), StoreError> {
        let write = self.write(|conn| {
            // In two steps: SQLite writes nothing where a value is what it was.
            for step in [1, -1] {
                diesel::update(meta::table)
                    .set(meta::next_group_id.eq(meta::next_group_id + step))
                    .execute(conn)?;
            }
            Ok(())
        });
        tokio::time::timeout(patience, write)
            .await
            .unwrap_or_else(|_| Err(Failure::TimedOut.into()))
    }

    /// Waits until the disk failed to write, or to read what is to be changed, for another reason than a lack of room.
    /// From then on every call that writes is refused as unavailable: what is on the disk is not known any more, and
    /// whoever holds the store should end. For ever where that never happens.
    pub async fn disk_failed(&self) {
        self.inner.disk.failed().await;
    }

    /// Waits for all jobs, writes everything back into the database file and closes it. Later calls, of all
    /// clones, answer that the store is unavailable.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner.readers.close(|_| Ok(())).await?;
        // Where another process has the file open, the log stays for that one to write back: no error.
        let checkpoint = |conn: &mut SqliteConnection| conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE);");
        Ok(self.inner.writer.close(checkpoint).await?)
    }

    /// Runs a job that reads, all of it on one snapshot.
    async fn read<R, F>(&self, job: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.read_as(Operation::Other, job).await
    }

    /// The same, measured apart.
    async fn read_as<R, F>(&self, operation: Operation, job: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        let job = move |conn: &mut SqliteConnection| in_transaction(conn, "BEGIN", job);
        let call = async { Ok(self.inner.readers.run(job).await?) };
        METRICS.call(operation, call).await
    }

    /// Runs a job that writes, all of it or nothing, durable when it returned.
    async fn write<R, F>(&self, job: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.write_as(Operation::Other, job).await
    }

    /// The same, measured apart.
    async fn write_as<R, F>(&self, operation: Operation, job: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        let call = async { Ok(self.write_or_undo(job).await?) };
        METRICS.call(operation, call).await
    }

    /// As [`SqliteStore::write`]; answers why the job was undone.
    async fn write_or_undo<R, F>(&self, job: F) -> Result<R, Failure>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.write_knowing(|conn, known| {
            *known = Known::default();
            job(conn)
        })
        .await
    }

    /// Runs a job that writes, and goes by what is known from those before it, which it keeps up to date.
    async fn write_knowing<R, F>(&self, job: F) -> Result<R, Failure>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection, &mut Known) -> Result<R, Failure> + Send + 'static,
    {
        let (disk, known) = (Arc::clone(&self.inner.disk), Arc::clone(&self.inner.known));
        let job = move |conn: &mut SqliteConnection| {
            disk.check()?;
            // Put back only once it is committed: after anything else, also a panic, nothing is known.
            let mut before = std::mem::take(&mut *pool::lock(&known));
            // A deferred transaction that begins to write later is answered BUSY at once, whatever the timeout.
            let outcome = in_transaction(conn, "BEGIN IMMEDIATE", |conn| job(conn, &mut before));
            if outcome.is_ok() {
                *pool::lock(&known) = before;
            }
            disk.judge(&outcome);
            outcome
        };
        self.inner.writer.run(job).await
    }
}

/// Runs a job in a transaction. An error of the job, or of the commit, stands; the pool ends what could not be rolled
/// back. (diesel's own transactions answer the failure of the rollback instead, and SQLite has rolled back by itself
/// where the disk is full.)
fn in_transaction<R>(
    conn: &mut SqliteConnection,
    begin: &str,
    job: impl FnOnce(&mut SqliteConnection) -> Result<R, Failure>,
) -> Result<R, Failure> {
    AnsiTransactionManager::begin_transaction_sql(conn, begin)?;
    let outcome = job(conn)?;
    AnsiTransactionManager::commit_transaction(conn)?;
    Ok(outcome)
}

/// The name of the log, which gets one when it is opened for the first time.
fn ensure_log_id(conn: &mut SqliteConnection) -> Result<LogId, OpenError> {
    let new = log_id::new_log_id().map_err(OpenError::system)?;
    diesel::insert_into(meta::table)
        .values((
            meta::id.eq(fragments::META),
            meta::log_id.eq(new.as_str()),
            meta::next_group_id.eq(1),
            meta::next_message_id.eq(1),
        ))
        .on_conflict_do_nothing()
        .execute(conn)?;
    let name: String = fragments::log_id().get_result(conn)?;
    LogId::new(name).ok().ok_or_else(|| {
        OpenError::file(Inconsistency {
            table: "meta",
            column: "log_id",
        })
    })
}
