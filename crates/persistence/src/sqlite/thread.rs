//! The thread of a connection.

use std::{
    error::Error,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::mpsc::{self, Sender},
    thread::Builder,
};

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Runs the jobs of one connection on a thread of its own, and leaves a job alone when its caller goes away. The thread
/// ends when this has gone and the last job is done.
///
/// Not tokio's pool for what blocks: there, a job may wait behind a slow look-up of a name, and as connections go from
/// thread to thread, each of many threads comes to hold memory of each connection, which the allocator keeps for it.
///
/// diesel-async's own runtime waits in `drop` for the job of an abandoned future, which stops a worker thread for as
/// long, and panics on a runtime of one thread. Here the job goes on by itself, and keeps its lease until it ended.
#[derive(Debug, Clone)]
pub(super) struct OwnThread {
    jobs: Sender<Job>,
}

impl OwnThread {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let run = move || {
            for job in queue {
                job();
            }
        };
        Builder::new().name("sealroom-sqlite".to_owned()).spawn(run)?;
        Ok(Self { jobs })
    }
}

impl SpawnBlocking for OwnThread {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = Result<R, Box<dyn Error + Send + Sync>>> + Send + 'a>>
    where
        R: Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let job = move || {
            // Nobody may wait for it any more. The next job finds its thread, whatever this one does.
            let _ = done.send(catch_unwind(AssertUnwindSafe(task)));
        };
        let sent = self.jobs.send(Box::new(job));
        Box::pin(async move {
            sent.map_err(|_ended| "the thread of the connection has ended")?;
            outcome
                .await?
                .map_err(|_panic| "a job of the connection panicked".into())
        })
    }

    /// Only for connections that the library opens itself, which none is.
    fn get_runtime() -> Self {
        let no_thread = || Self {
            jobs: mpsc::channel().0,
        };
        Self::start().unwrap_or_else(|_no_more_threads| no_thread())
    }
}
