//! One stream of batches into the store.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sealroom_domain::{
    GroupId, Refusal, Role, Timestamp,
    ports::{Appended, NewBody, OfOthers, RefusedEntry, StoreError},
};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
    time::{Instant, timeout_at},
};
use tracing::{Instrument as _, Span};

use super::{Authority, Job, LastAppend, Receipt, WriteError, WriterParts, Written};
use crate::{
    Published,
    failure::unwinding,
    feeds::Feeds,
    metrics::{METRICS, level},
};

/// The entries of a group always take the same lane.
pub(super) struct Lane {
    pub(super) parts: WriterParts,
    pub(super) host_memberships: bool,
    pub(super) batch: usize,
    pub(super) committed: mpsc::Sender<Vec<Outcome>>,
    pub(super) last_append: Arc<LastAppend>,
}

/// The end of one job, in the order of the log.
pub(super) struct Outcome {
    pub(super) result: Result<Written, WriteError>,
    /// `None` where the answer could not wait for the outcome.
    pub(super) receipt: Option<Receipt>,
}

/// However long the last commit took, a job with more time than this left is tried.
const MARGIN_MAX: Duration = Duration::from_secs(1);

type AppendResult = Result<Vec<Result<Appended, RefusedEntry>>, StoreError>;

impl Lane {
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        let mut commit_takes = Duration::ZERO;
        let mut latest = None;
        // What queued up during the last commit is the next batch: no timer, no linger.
        while queue.recv_many(&mut jobs, self.batch).await > 0 {
            let mut jobs = drop_late(std::mem::take(&mut jobs), commit_takes.min(MARGIN_MAX));
            let start = Instant::now();
            if self.host_memberships {
                jobs = self.drop_outsiders(jobs).await;
            }
            keep_times_in_order(&mut jobs, &mut latest);
            if !jobs.is_empty() {
                self.commit(jobs).await;
                commit_takes = start.elapsed();
            }
        }
    }

    /// Where the host keeps the memberships, one question decides for all senders of the batch.
    async fn drop_outsiders(&self, jobs: Vec<Job>) -> Vec<Job> {
        if jobs.iter().all(|job| job.authority == Authority::Given) {
            return jobs;
        }
        let Some(deadline) = jobs.iter().map(|job| job.receipt.deadline).min() else {
            return jobs;
        };
        let pairs: Vec<_> = jobs
            .iter()
            .map(|job| (job.entry.group_id, job.entry.actor_id))
            .collect();
        let asked = unwinding(self.parts.memberships.roles(&pairs));
        let refusal = match timeout_at(deadline, asked).await {
            Ok(Ok(roles)) => return keep_members(jobs, roles),
            Ok(Err(error)) => self
                .parts
                .failures
                .store(&*self.parts.clock, "ask for roles", &error),
            Err(_elapsed) => Refusal::unavailable(),
        };
        answer_all(jobs.into_iter().map(|job| Some(job.receipt)), &refusal);
        Vec::new()
    }

    async fn commit(&self, jobs: Vec<Job>) {
        let span = append_span(&jobs);
        let groups: HashSet<GroupId> = jobs.iter().map(|job| job.entry.group_id).collect();
        let (entries, mut waiting): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.entry, Some(job.receipt))).unzip();
        let log = self.parts.log.clone();
        // A task of its own: past the deadlines the append goes on, and its entries still reach the feeds.
        let last_append = self.last_append.clone();
        METRICS.batch.record(level(entries.len()));
        let append = async move {
            let appended = log.append(entries).await;
            last_append.failed.store(appended.is_err(), Ordering::Relaxed);
            if let Ok(results) = &appended {
                METRICS.stored(results);
            }
            appended
        };
        let mut append = self.parts.tasks.spawn(append.instrument(span));
        let Some(ended) = wait(&mut append, &mut waiting).await else {
            self.last_append.failed.store(true, Ordering::Relaxed);
            self.parts
                .tasks
                .spawn(check_after(append, self.parts.feeds.clone(), groups));
            return;
        };
        match self.results(ended, waiting.len()) {
            Ok(results) => {
                let outcomes = waiting.into_iter().zip(results).map(|(receipt, result)| Outcome {
                    result: written(result),
                    receipt,
                });
                // The dispatcher ends only after this lane.
                let _ = self.committed.send(outcomes.collect()).await;
            }
            Err(refusal) => {
                self.parts.feeds.suspect(groups);
                answer_all(waiting, &refusal);
            }
        }
    }

    fn results(
        &self,
        ended: Result<AppendResult, JoinError>,
        expected: usize,
    ) -> Result<Vec<Result<Appended, RefusedEntry>>, Refusal> {
        let (failures, clock) = (&self.parts.failures, &*self.parts.clock);
        match ended {
            Ok(Ok(results)) if results.len() == expected => Ok(results),
            Ok(Ok(_)) => Err(failures.defect(clock, "append", "the log answered another number of results")),
            Ok(Err(error)) => Err(failures.store(clock, "append", &error)),
            Err(panicked) => Err(failures.defect(clock, "append", panicked)),
        }
    }
}

/// An entry is never older than one before it, also where the clock was set back, or two sockets met on their way here.
fn keep_times_in_order(jobs: &mut [Job], latest: &mut Option<Timestamp>) {
    for job in jobs {
        job.entry.at = latest.map_or(job.entry.at, |latest| latest.max(job.entry.at));
        *latest = Some(job.entry.at);
    }
}

/// The span of an append: a child of its first entry's, linked with the others.
fn append_span(jobs: &[Job]) -> Span {
    let mut spans = jobs.iter().map(|job| &job.receipt.span);
    let parent = spans.next().and_then(Span::id);
    let span = tracing::debug_span!(parent: parent, "append", entries = jobs.len());
    if !span.is_disabled() {
        spans.for_each(|other| {
            span.follows_from(other);
        });
    }
    span
}

/// Waits for an append for as long as somebody waits for its outcome, and answers each whose deadline comes first.
async fn wait(
    append: &mut JoinHandle<AppendResult>,
    waiting: &mut [Option<Receipt>],
) -> Option<Result<AppendResult, JoinError>> {
    loop {
        let due = waiting.iter().flatten().map(|receipt| receipt.deadline).min()?;
        match timeout_at(due, &mut *append).await {
            Ok(ended) => return Some(ended),
            Err(_elapsed) => {
                let now = Instant::now();
                let expired = waiting
                    .iter_mut()
                    .filter_map(|slot| slot.take_if(|one| one.deadline <= now));
                answer_all(expired.map(Some), &Refusal::unavailable());
            }
        }
    }
}

fn keep_members(jobs: Vec<Job>, roles: Vec<Option<Role>>) -> Vec<Job> {
    let mut members = Vec::with_capacity(jobs.len());
    for (mut job, role) in jobs
        .into_iter()
        .zip(roles.into_iter().chain(std::iter::repeat(None)))
    {
        if job.authority == Authority::Member && role.is_none() {
            job.receipt
                .answer(Err(WriteError::Refused(RefusedEntry::ActorRole)));
        } else {
            decide_of_others(&mut job.entry.body, role);
            members.push(job);
        }
    }
    members
}

/// The log does not know the role that decides whether messages of others may be deleted.
fn decide_of_others(body: &mut NewBody, role: Option<Role>) {
    if let NewBody::DeleteMessage { of_others, .. } = body
        && let OfOthers::FromRole(least) = *of_others
    {
        *of_others = if role >= Some(least) {
            OfOthers::Always
        } else {
            OfOthers::Never
        };
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

/// Refuses what could not be answered in time, before it is stored: after an overload the sender would send it again.
fn drop_late(jobs: Vec<Job>, margin: Duration) -> Vec<Job> {
    let earliest = Instant::now() + margin;
    let (live, late): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.receipt.deadline > earliest);
    answer_all(
        late.into_iter().map(|job| Some(job.receipt)),
        &Refusal::unavailable(),
    );
    live
}

fn answer_all(waiting: impl IntoIterator<Item = Option<Receipt>>, refusal: &Refusal) {
    for receipt in waiting.into_iter().flatten() {
        receipt.answer(Err(WriteError::Failed(refusal.clone())));
    }
}

/// The batch may be in the log after all: once it is decided, the feeds look.
async fn check_after(append: JoinHandle<AppendResult>, feeds: Arc<Feeds>, groups: HashSet<GroupId>) {
    // Whatever the outcome, the log has the truth.
    let _ = append.await;
    feeds.suspect(groups);
}
