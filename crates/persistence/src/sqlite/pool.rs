//! Connections and the jobs that run on them.

use std::{
    error::Error,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use diesel::{
    QueryResult, SqliteConnection,
    connection::{AnsiTransactionManager, TransactionManager},
};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    connection::{self, Part},
    options::SqliteOptions,
    thread::OwnThread,
};
use crate::{
    error::{Failure, OpenError},
    metrics::{METRICS, Waited},
};

type Connection = SyncConnectionWrapper<SqliteConnection, OwnThread>;

/// A fixed number of connections that play the same part. First come, first served.
pub(super) struct Pool {
    part: Part,
    options: SqliteOptions,
    permits: Arc<Semaphore>,
    size: u32,
    /// The connections, by slot; none after the pool was closed.
    slots: Mutex<Vec<Connection>>,
    /// The slots that no job uses; as many as there are permits.
    free: Mutex<Vec<usize>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("part", &self.part)
            .field("size", &self.size)
            .field("idle", &self.permits.available_permits())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Opens all connections. Blocks.
    pub(super) fn open(part: Part, options: &SqliteOptions, size: usize) -> Result<Arc<Self>, OpenError> {
        let size = size.clamp(1, 1024);
        let slots = (0..size)
            .map(|_| {
                let thread =
                    OwnThread::start().map_err(|error| OpenError::System { source: error.into() })?;
                Ok(Connection::with_runtime(connection::open(part, options)?, thread))
            })
            .collect::<Result<Vec<_>, OpenError>>()?;
        Ok(Arc::new(Self {
            part,
            options: options.clone(),
            permits: Arc::new(Semaphore::new(size)),
            size: u32::try_from(size).unwrap_or(u32::MAX),
            slots: Mutex::new(slots),
            free: Mutex::new((0..size).collect()),
        }))
    }

    /// Runs one job on one connection, on its thread.
    ///
    /// A caller that goes away before a connection was free leaves nothing behind; later, the job ends by itself. A
    /// transaction that the job left open is rolled back.
    pub(super) async fn run<R, F>(self: &Arc<Self>, job: F) -> Result<R, Failure>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        let lease = self.lease().await?;
        let pool = Arc::clone(self);
        let running = lease.spawn(move |conn| {
            pool.clean(conn)?;
            let outcome = catch_unwind(AssertUnwindSafe(|| job(conn))).unwrap_or(Err(Failure::Panicked));
            if let Err(error) = pool.clean(conn) {
                let error: &dyn Error = &error;
                tracing::error!(error, "a database connection is lost");
            }
            outcome
        })?;
        running.await?
    }

    /// Waits for all jobs, runs `last` on each connection and closes it. The second time there is nothing to do.
    pub(super) async fn close(
        &self,
        last: fn(&mut SqliteConnection) -> QueryResult<()>,
    ) -> Result<(), Failure> {
        let all = self.permits.acquire_many(self.size).await;
        self.permits.close();
        drop(all);
        let connections = std::mem::take(&mut *lock(&self.slots));
        for mut connection in connections {
            let outcome = connection.spawn_blocking(last).await;
            // Closing may write the whole log back, so it does not belong on a thread of the runtime either.
            let closed = tokio::task::spawn_blocking(move || drop(connection)).await;
            outcome?;
            if closed.is_err() {
                return Err(Failure::Panicked);
            }
        }
        Ok(())
    }

    /// How many connections no job uses.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.permits.available_permits()
    }

    async fn lease(self: &Arc<Self>) -> Result<Lease, Failure> {
        let begin = Instant::now();
        let permit = tokio::time::timeout(
            self.options.busy_timeout,
            Arc::clone(&self.permits).acquire_owned(),
        )
        .await;
        let waited = match self.part {
            Part::Writer => Waited::Writer,
            Part::Reader => Waited::Reader,
        };
        METRICS.waited(waited, begin.elapsed());
        let permit = permit
            .ok()
            .ok_or(Failure::TimedOut)?
            .ok()
            .ok_or(Failure::Closed)?;
        let slot = lock(&self.free).pop().ok_or(Failure::Closed)?;
        Ok(Lease {
            pool: Arc::clone(self),
            slot,
            _permit: permit,
        })
    }

    /// Ends what a job left open; where that fails, opens the connection anew, which ends it as well.
    fn clean(&self, conn: &mut SqliteConnection) -> Result<(), Failure> {
        if !AnsiTransactionManager::is_broken_transaction_manager(conn) {
            return Ok(());
        }
        let rolled_back = AnsiTransactionManager::rollback_transaction(conn);
        if rolled_back.is_err() || AnsiTransactionManager::is_broken_transaction_manager(conn) {
            *conn =
                connection::open(self.part, &self.options).map_err(|error| Failure::Lost(Box::new(error)))?;
        }
        Ok(())
    }
}

/// The right to use one connection. Dropped by the job itself, not by its caller.
struct Lease {
    pool: Arc<Pool>,
    slot: usize,
    /// Released after `drop` put the slot back.
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    fn spawn<R: Send + 'static>(
        self,
        job: impl FnOnce(&mut SqliteConnection) -> R + Send + 'static,
    ) -> Result<impl Future<Output = QueryResult<R>> + Send, Failure> {
        let pool = Arc::clone(&self.pool);
        let mut slots = lock(&pool.slots);
        let conn = slots.get_mut(self.slot).ok_or(Failure::Closed)?;
        Ok(conn.spawn_blocking(move |conn| {
            let outcome = job(conn);
            drop(self);
            Ok(outcome)
        }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.pool.free).push(self.slot);
    }
}

/// A panic cannot leave what is locked here half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
