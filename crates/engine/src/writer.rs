//! The way into the log: bounded queues, natural batching, one answer for each entry.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sealroom_domain::{
    ErrorCode, GroupId, Refusal,
    ports::{Appended, Clock, GroupLog, Memberships, NewBody, NewEntry, RefusedEntry, StoreError},
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::task::TaskTracker;

use crate::{
    Published, Session, Subscriber,
    failure::Failures,
    feeds::{Feeds, Offer},
    session::Once,
    users_online::UsersOnline,
};

/// Appends entries in the order in which they were submitted, for each group.
#[derive(Debug)]
pub(crate) struct Writer {
    lanes: Vec<mpsc::Sender<Job>>,
    load: Arc<Load>,
    deadline: Duration,
    closed: Once,
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
#[derive(Debug, Default)]
struct Load {
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Job {
    entry: NewEntry,
    receipt: Receipt,
    deadline: Instant,
}

/// One entry's part of the load.
#[derive(Debug)]
struct LoadGuard {
    load: Arc<Load>,
    bytes: usize,
}

impl Writer {
    pub(crate) fn start(parts: &WriterParts, options: &WriterOptions, host_memberships: bool) -> Self {
        let lanes = (0..options.lanes.max(1))
            .map(|_| {
                let (jobs, queue) = mpsc::channel(options.queue);
                let (committed, commits) = mpsc::channel(COMMITS_AHEAD);
                let lane = Lane {
                    parts: parts.clone(),
                    host_memberships,
                    batch: options.batch,
                    committed,
                };
                parts.tasks.spawn(lane.run(queue));
                parts
                    .tasks
                    .spawn(dispatch(parts.feeds.clone(), parts.users_online.clone(), commits));
                jobs
            })
            .collect();
        let load = Arc::new(Load::default());
        load.bytes.store(options.queue_bytes, Ordering::Relaxed);
        Self {
            lanes,
            load,
            deadline: options.deadline,
            closed: Once::default(),
        }
    }

    /// Submits an entry, without waiting. The answer comes through the receipt, also where it is a refusal.
    pub(crate) fn submit(&self, entry: NewEntry, mut receipt: Receipt) {
        if self.closed.is_set() {
            return receipt.answer(Err(WriteError::Failed(ErrorCode::ShuttingDown.into())));
        }
        let bytes = weight(&entry);
        let Some(guard) = LoadGuard::take(&self.load, bytes) else {
            return receipt.answer(Err(WriteError::Failed(Refusal::unavailable())));
        };
        receipt.load = Some(guard);
        let job = Job {
            entry,
            receipt,
            deadline: Instant::now() + self.deadline,
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
        NewBody::Message { content, .. } => FIXED + content.len_bytes(),
        NewBody::SetMember { .. } | NewBody::RemoveMember { .. } => FIXED,
    }
}

impl LoadGuard {
    fn take(load: &Arc<Load>, bytes: usize) -> Option<Self> {
        load.bytes
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
        self.load.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        self.load.entries.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Receipt {
    pub(crate) fn new(
        origin: Option<Origin>,
        reply: impl FnOnce(Result<Written, WriteError>) + Send + 'static,
    ) -> Self {
        Self {
            origin,
            reply: Some(Box::new(reply)),
            load: None,
        }
    }

    pub(crate) fn answer(mut self, result: Result<Written, WriteError>) {
        if let Some(reply) = self.reply.take() {
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

/// One stream of batches into the store. The entries of a group always take the same lane.
struct Lane {
    parts: WriterParts,
    host_memberships: bool,
    batch: usize,
    committed: mpsc::Sender<Vec<Outcome>>,
}

/// The end of one job, in the order of the log.
struct Outcome {
    result: Result<Written, WriteError>,
    receipt: Receipt,
}

type AppendResult = Result<Vec<Result<Appended, RefusedEntry>>, StoreError>;

impl Lane {
    async fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        // What queued up during the last commit is the next batch: no timer, no linger.
        while queue.recv_many(&mut jobs, self.batch).await > 0 {
            let mut jobs = drop_expired(std::mem::take(&mut jobs));
            if self.host_memberships {
                jobs = self.drop_outsiders(jobs).await;
            }
            if !jobs.is_empty() {
                self.commit(jobs).await;
            }
        }
    }

    /// Where the host keeps the memberships, one question decides for all senders of the batch.
    async fn drop_outsiders(&self, jobs: Vec<Job>) -> Vec<Job> {
        let pairs: Vec<_> = jobs
            .iter()
            .map(|job| (job.entry.group_id, job.entry.actor_id))
            .collect();
        let Some(deadline) = jobs.iter().map(|job| job.deadline).min() else {
            return jobs;
        };
        let roles = match tokio::time::timeout_at(deadline, self.parts.memberships.roles(&pairs)).await {
            Ok(Ok(roles)) => roles,
            Ok(Err(error)) => {
                refuse_all(
                    jobs,
                    &self
                        .parts
                        .failures
                        .store(&*self.parts.clock, "ask for roles", &error),
                );
                return Vec::new();
            }
            Err(_elapsed) => {
                refuse_all(jobs, &Refusal::unavailable());
                return Vec::new();
            }
        };
        let mut members = Vec::with_capacity(jobs.len());
        for (job, role) in jobs
            .into_iter()
            .zip(roles.into_iter().chain(std::iter::repeat(None)))
        {
            let is_message = matches!(job.entry.body, NewBody::Message { .. });
            if is_message && role.is_none() {
                job.receipt
                    .answer(Err(WriteError::Refused(RefusedEntry::ActorRole)));
            } else {
                members.push(job);
            }
        }
        members
    }

    async fn commit(&self, jobs: Vec<Job>) {
        let Some(deadline) = jobs.iter().map(|job| job.deadline).min() else {
            return;
        };
        let mut entries = Vec::with_capacity(jobs.len());
        let mut waiting = Vec::with_capacity(jobs.len());
        for job in jobs {
            entries.push(job.entry);
            waiting.push(job.receipt);
        }
        let groups: HashSet<GroupId> = entries.iter().map(|entry| entry.group_id).collect();
        let log = self.parts.log.clone();
        // A task of its own: past the deadline the append goes on, and its entries still reach the feeds.
        let mut append = self.parts.tasks.spawn(async move { log.append(entries).await });
        let refusal = match tokio::time::timeout_at(deadline, &mut append).await {
            Ok(Ok(Ok(results))) if results.len() == waiting.len() => {
                let outcomes = waiting
                    .into_iter()
                    .zip(results)
                    .map(|(receipt, result)| Outcome {
                        result: written(result),
                        receipt,
                    })
                    .collect();
                // The dispatcher ends only after this lane.
                let _ = self.committed.send(outcomes).await;
                return;
            }
            Ok(Ok(Ok(_))) => self.defect("the log answered another number of results"),
            Ok(Ok(Err(error))) => self.parts.failures.store(&*self.parts.clock, "append", &error),
            Ok(Err(error)) => self.parts.failures.defect(&*self.parts.clock, "append", error),
            Err(_elapsed) => {
                self.parts
                    .tasks
                    .spawn(check_after(append, self.parts.feeds.clone(), groups));
                answer_all(waiting, &Refusal::unavailable());
                return;
            }
        };
        self.parts.feeds.suspect(groups);
        answer_all(waiting, &refusal);
    }

    fn defect(&self, text: &'static str) -> Refusal {
        self.parts.failures.defect(&*self.parts.clock, "append", text)
    }
}

fn written(result: Result<Appended, RefusedEntry>) -> Result<Written, WriteError> {
    match result {
        Ok(Appended::New(entry)) => Ok(Written::New(Arc::new(Published::new(entry)))),
        Ok(Appended::Duplicate(entry)) => Ok(Written::Duplicate(Arc::new(Published::new(entry)))),
        Ok(Appended::Unchanged) => Ok(Written::Unchanged),
        Err(refused) => Err(WriteError::Refused(refused)),
    }
}

fn drop_expired(jobs: Vec<Job>) -> Vec<Job> {
    let now = Instant::now();
    let (live, expired): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.deadline > now);
    refuse_all(expired, &Refusal::unavailable());
    live
}

fn refuse_all(jobs: Vec<Job>, refusal: &Refusal) {
    answer_all(jobs.into_iter().map(|job| job.receipt).collect(), refusal);
}

fn answer_all(waiting: Vec<Receipt>, refusal: &Refusal) {
    for receipt in waiting {
        receipt.answer(Err(WriteError::Failed(refusal.clone())));
    }
}

/// The batch may be in the log after all: once it is decided, the feeds look.
async fn check_after(append: JoinHandle<AppendResult>, feeds: Arc<Feeds>, groups: HashSet<GroupId>) {
    // Whatever the outcome, the log has the truth.
    let _ = append.await;
    feeds.suspect(groups);
}

/// Delivers committed batches while the lane commits the next one.
async fn dispatch(
    feeds: Arc<Feeds>,
    users_online: Arc<UsersOnline>,
    mut commits: mpsc::Receiver<Vec<Outcome>>,
) {
    while let Some(outcomes) = commits.recv().await {
        // The entries of one group together, so that one system call carries them to a socket.
        let mut runs: Vec<(GroupId, Vec<Offer>)> = Vec::new();
        let mut places = HashMap::new();
        for Outcome { result, receipt } in outcomes {
            match result {
                Ok(Written::New(entry)) => {
                    let group_id = entry.entry().group_id;
                    if let Some((user_id, reason)) = entry.removal() {
                        users_online.tell_removed(user_id, group_id, reason);
                    }
                    let place = *places.entry(group_id).or_insert_with(|| {
                        runs.push((group_id, Vec::new()));
                        runs.len() - 1
                    });
                    if let Some((_, offers)) = runs.get_mut(place) {
                        offers.push(Offer {
                            entry,
                            receipt: Some(receipt),
                        });
                    }
                }
                other => receipt.answer(other),
            }
        }
        for (group_id, offers) in runs {
            feeds.offer(group_id, offers);
            tokio::task::yield_now().await;
        }
    }
}
