//! The way into the log: bounded queues, natural batching, one answer for each entry.

mod dispatch;
mod lane;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sealroom_domain::{
    ErrorCode, GroupId, Refusal,
    ports::{Clock, GroupLog, Memberships, NewBody, NewEntry, RefusedEntry},
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::task::TaskTracker;
use tracing::Span;

use self::{dispatch::dispatch, lane::Lane};
use crate::{
    Published, Session, Subscriber,
    failure::Failures,
    feeds::Feeds,
    latch::Latch,
    metrics::{METRICS, level},
    users_online::UsersOnline,
};

/// Appends entries in the order in which they were submitted, for each group.
#[derive(Debug)]
pub(crate) struct Writer {
    lanes: Vec<mpsc::Sender<Job>>,
    load: Arc<Load>,
    deadline: Duration,
    closed: Latch,
    /// The lanes and their dispatchers, which end only with the writer.
    workers: Vec<JoinHandle<()>>,
    last_append: Arc<LastAppend>,
}

/// How the store took the last batch.
#[derive(Debug, Default)]
struct LastAppend {
    failed: AtomicBool,
}

/// What the writer works with.
#[derive(Debug, Clone)]
pub(crate) struct WriterParts {
    pub(crate) log: Arc<dyn GroupLog>,
    pub(crate) memberships: Arc<dyn Memberships>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) feeds: Arc<Feeds>,
    pub(crate) users_online: Arc<UsersOnline>,
    /// Told after each batch.
    pub(crate) appended: Arc<Notify>,
    pub(crate) tasks: TaskTracker,
}

/// Bounds of the writer.
#[derive(Debug, Clone)]
pub(crate) struct WriterOptions {
    pub(crate) lanes: usize,
    pub(crate) queue: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) batch: usize,
    pub(crate) deadline: Duration,
}

/// An entry that became part of the log, or did not need to.
#[derive(Debug)]
pub(crate) enum Written {
    New(Arc<Published>),
    Duplicate(Arc<Published>),
    Unchanged,
}

/// Why it did not.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The log refused it.
    Refused(RefusedEntry),
    /// It could not be tried, or its outcome is not known.
    Failed(Refusal),
}

type WriteReply = Box<dyn FnOnce(Result<Written, WriteError>) + Send>;

/// Who is told, and which socket gets the entry before. One that is dropped tells `unavailable`: nobody waits for
/// ever.
pub(crate) struct Receipt {
    pub(crate) origin: Option<Origin>,
    reply: Option<WriteReply>,
    /// From the submission to the answer.
    span: Span,
    /// When it was made, right before it was submitted.
    submitted: Instant,
    /// When it must be answered; set when it is submitted.
    pub(crate) deadline: Instant,
    /// Given back with the answer.
    load: Option<LoadGuard>,
}

/// The socket that an entry came from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) session: Arc<Session>,
    pub(crate) subscriber: Arc<dyn Subscriber>,
}

/// Entries that are submitted and not yet answered.
#[derive(Debug)]
struct Load {
    entries: AtomicUsize,
    free_bytes: AtomicUsize,
    all_bytes: usize,
}

#[derive(Debug)]
struct Job {
    entry: NewEntry,
    receipt: Receipt,
    authority: Authority,
}

/// Whether the actor must be a member, where the host keeps the memberships and the log cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authority {
    /// It must.
    Member,
    /// It need not: it acts on behalf of the host, or was asked for already.
    Given,
}

/// One entry's part of the load.
#[derive(Debug)]
struct LoadGuard {
    load: Arc<Load>,
    bytes: usize,
}

impl Writer {
    pub(crate) fn start(parts: &WriterParts, options: &WriterOptions, host_memberships: bool) -> Self {
        let mut workers = Vec::new();
        let last_append = Arc::new(LastAppend::default());
        let lanes = (0..options.lanes.max(1))
            .map(|_| {
                let (jobs, queue) = mpsc::channel(options.queue);
                let (committed, commits) = mpsc::channel(COMMITS_AHEAD);
                let lane = Lane {
                    parts: parts.clone(),
                    host_memberships,
                    batch: options.batch,
                    committed,
                    last_append: last_append.clone(),
                };
                workers.push(parts.tasks.spawn(lane.run(queue)));
                workers.push(parts.tasks.spawn(dispatch(parts.clone(), commits)));
                jobs
            })
            .collect();
        let load = Arc::new(Load {
            entries: AtomicUsize::new(0),
            free_bytes: AtomicUsize::new(options.queue_bytes),
            all_bytes: options.queue_bytes,
        });
        Self {
            lanes,
            load,
            deadline: options.deadline,
            closed: Latch::default(),
            workers,
            last_append,
        }
    }

    /// Whether every task that entries pass through still runs. One that is gone was ended by a defect.
    pub(crate) fn is_whole(&self) -> bool {
        !self.workers.iter().any(JoinHandle::is_finished)
    }

    /// Whether the store failed to take the last batch.
    pub(crate) fn last_append_failed(&self) -> bool {
        self.last_append.failed.load(Ordering::Relaxed)
    }

    /// Submits an entry, without waiting. The answer comes through the receipt, also where it is a refusal.
    pub(crate) fn submit(&self, entry: NewEntry, authority: Authority, mut receipt: Receipt) {
        if self.closed.is_set() {
            return receipt.answer(Err(WriteError::Failed(ErrorCode::ShuttingDown.into())));
        }
        let bytes = weight(&entry);
        let Some(guard) = LoadGuard::take(&self.load, bytes) else {
            return receipt.answer(Err(WriteError::Failed(Refusal::unavailable())));
        };
        receipt.load = Some(guard);
        receipt.span = tracing::debug_span!("write");
        receipt.deadline = receipt.submitted + self.deadline;
        let job = Job {
            entry,
            receipt,
            authority,
        };
        let Some(lane) = self.lane(job.entry.group_id) else {
            return;
        };
        if let Err(refused) = lane.try_send(job) {
            refused
                .into_inner()
                .receipt
                .answer(Err(WriteError::Failed(Refusal::unavailable())));
        }
    }

    /// Takes nothing more, and waits until everything that was taken is answered.
    pub(crate) async fn close(&self) {
        self.closed.set();
        while self.load.entries.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Tells how much is submitted and not yet answered.
    pub(crate) fn observe_metrics(&self) {
        let free = self.load.free_bytes.load(Ordering::Relaxed);
        METRICS
            .queued_bytes
            .set(level(self.load.all_bytes.saturating_sub(free)));
        METRICS
            .queued_entries
            .set(level(self.load.entries.load(Ordering::Relaxed)));
    }

    fn lane(&self, group_id: GroupId) -> Option<&mpsc::Sender<Job>> {
        let lanes = i64::try_from(self.lanes.len()).unwrap_or(1);
        let index = usize::try_from(group_id.get().rem_euclid(lanes)).unwrap_or(0);
        self.lanes.get(index)
    }
}

/// Batches that are committed and not yet delivered, at most; then the lane waits for the deliveries.
const COMMITS_AHEAD: usize = 16;

/// What an entry holds in memory, roughly.
fn weight(entry: &NewEntry) -> usize {
    const FIXED: usize = 512;
    match &entry.body {
        NewBody::Message { content, .. } | NewBody::EditMessage { content, .. } => {
            FIXED + content.len_bytes()
        }
        NewBody::DeleteMessage { .. } | NewBody::SetMember { .. } | NewBody::RemoveMember { .. } => FIXED,
    }
}

impl LoadGuard {
    fn take(load: &Arc<Load>, bytes: usize) -> Option<Self> {
        load.free_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
                free.checked_sub(bytes)
            })
            .ok()?;
        load.entries.fetch_add(1, Ordering::AcqRel);
        Some(Self {
            load: load.clone(),
            bytes,
        })
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.load.free_bytes.fetch_add(self.bytes, Ordering::Relaxed);
        self.load.entries.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Receipt {
    pub(crate) fn new(
        origin: Option<Origin>,
        reply: impl FnOnce(Result<Written, WriteError>) + Send + 'static,
    ) -> Self {
        let now = Instant::now();
        Self {
            origin,
            reply: Some(Box::new(reply)),
            span: Span::none(),
            submitted: now,
            deadline: now,
            load: None,
        }
    }

    pub(crate) fn answer(mut self, result: Result<Written, WriteError>) {
        if let Some(reply) = self.reply.take() {
            METRICS.answered(self.submitted.elapsed());
            reply(result);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            reply(Err(WriteError::Failed(Refusal::unavailable())));
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
