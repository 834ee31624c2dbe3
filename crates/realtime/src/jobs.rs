//! Requests of one socket that ask the store, one after the other.

use std::{collections::VecDeque, future::Future, pin::Pin, sync::Arc};

use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

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

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Jobs {
    /// Requests of one socket that wait at most.
    const MAX: usize = 64;

    /// Whether a further job would be refused.
    pub(crate) fn check_room(&self) -> Result<(), Full> {
        if self.state.lock().waiting.len() >= Self::MAX {
            Err(Full)
        } else {
            Ok(())
        }
    }

    /// Runs a job after those that were pushed before it.
    pub(crate) fn push(self: &Arc<Self>, tasks: &TaskTracker, job: Job) {
        let mut state = self.state.lock();
        state.waiting.push_back(job);
        if !state.running {
            state.running = true;
            let jobs = self.clone();
            tasks.spawn(async move {
                while let Some(job) = jobs.next() {
                    job.await;
                }
            });
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
