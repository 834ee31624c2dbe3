//! The way of read marks into the store: those that come while some are being stored are stored together.

use std::sync::Arc;

use sealroom_domain::{
    Refusal,
    ports::{Clock, MarkedRead, ReadMark, ReadMarks, StoreError},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::failure::{Failures, unwinding};

/// Marks that wait at most; past it the answer is `unavailable`.
const QUEUE: usize = 4096;
/// Marks of one batch at most.
const BATCH: usize = 512;

#[derive(Debug)]
pub(crate) struct Marks {
    queue: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    mark: ReadMark,
    answer: oneshot::Sender<Result<Option<MarkedRead>, Refusal>>,
}

impl Marks {
    /// Starts the task that stores them; it ends with this.
    pub(crate) fn start(
        marks: Arc<dyn ReadMarks>,
        clock: Arc<dyn Clock>,
        failures: Arc<Failures>,
        tasks: &TaskTracker,
    ) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let store = MarkStore {
            marks,
            clock,
            failures,
        };
        tasks.spawn(store.run(jobs));
        Self { queue }
    }

    /// Moves a mark; `None` where there is no such group.
    pub(crate) async fn advance(&self, mark: ReadMark) -> Result<Option<MarkedRead>, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Job { mark, answer })
            .map_err(|_full| Refusal::unavailable())?;
        answered.await.unwrap_or_else(|_gone| Err(Refusal::unavailable()))
    }
}

struct MarkStore {
    marks: Arc<dyn ReadMarks>,
    clock: Arc<dyn Clock>,
    failures: Arc<Failures>,
}

impl MarkStore {
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::new();
        while jobs.recv_many(&mut batch, BATCH).await > 0 {
            let batch = std::mem::take(&mut batch);
            let marks: Vec<ReadMark> = batch.iter().map(|job| job.mark).collect();
            let expected = marks.len();
            let result = unwinding(self.marks.advance(marks)).await.and_then(|moved| {
                if moved.len() == expected {
                    Ok(moved)
                } else {
                    Err(StoreError::internal("the store answered another number of marks"))
                }
            });
            match result {
                Ok(moved) => answer(batch, moved.into_iter().map(Ok)),
                Err(error) => {
                    let refusal = self.failures.store(&*self.clock, "move read marks", &error);
                    answer(batch, std::iter::repeat_with(|| Err(refusal.clone())));
                }
            }
        }
    }
}

fn answer(batch: Vec<Job>, answers: impl Iterator<Item = Result<Option<MarkedRead>, Refusal>>) {
    for (job, answer) in batch.into_iter().zip(answers) {
        // Whoever asked may have gone away.
        let _ = job.answer.send(answer);
    }
}
