//! Requests of one socket that ask the store, one after the other.

use std::{collections::VecDeque, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc};

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A queue whose task lives only while there is something to do: an idle socket costs no task.
#[derive(Default)]
pub(crate) struct Jobs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    running: bool,
}

impl Jobs {
    /// Requests of one socket that wait at most.
    const MAX: usize = 64;

    /// Runs a job, made of `request`, after those that were pushed before it. Gives `request` back where too many
    /// wait.
    pub(crate) fn try_push<R>(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        request: R,
        job: impl FnOnce(R) -> Job,
    ) -> Result<(), R> {
        let mut state = self.state.lock();
        if state.waiting.len() >= Self::MAX {
            return Err(request);
        }
        state.waiting.push_back(job(request));
        if !state.running {
            state.running = true;
            tasks.spawn(self.clone().run());
        }
        Ok(())
    }

    /// Ends only when nothing waits: a job that panics takes none of the others with it.
    async fn run(self: Arc<Self>) {
        while let Some(job) = self.next() {
            if AssertUnwindSafe(job).catch_unwind().await.is_err() {
                tracing::error!("a request panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.running = false;
            // The room of a burst is given back.
            state.waiting.shrink_to_fit();
        }
        next
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs")
            .field("waiting", &self.state.lock().waiting.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_takes_no_other_with_it() {
        let (jobs, tasks) = (Arc::<Jobs>::default(), TaskTracker::new());
        let (done, mut order) = mpsc::unbounded_channel();
        for round in 0..2 {
            for number in 0..3 {
                let job = |done: mpsc::UnboundedSender<_>| -> Job {
                    Box::pin(async move {
                        assert_ne!(number, 1, "this one panics");
                        done.send((round, number)).unwrap();
                    })
                };
                assert!(jobs.try_push(&tasks, done.clone(), job).is_ok());
            }
            assert_eq!(order.recv().await, Some((round, 0)));
            assert_eq!(order.recv().await, Some((round, 2)));
        }
    }

    #[tokio::test]
    async fn more_than_fit_are_given_back() {
        let (jobs, tasks) = (Arc::<Jobs>::default(), TaskTracker::new());
        // Nothing runs before the test awaits.
        for number in 0..Jobs::MAX {
            assert_eq!(jobs.try_push(&tasks, number, |_| Box::pin(async {})), Ok(()));
        }
        let job = |_| -> Job { panic!("there is no room for it") };
        assert_eq!(jobs.try_push(&tasks, Jobs::MAX, job), Err(Jobs::MAX));
        tasks.close();
        tasks.wait().await;
        assert_eq!(jobs.try_push(&tasks, Jobs::MAX, |_| Box::pin(async {})), Ok(()));
    }
}
