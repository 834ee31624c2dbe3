//! Writes what waits for sockets, those of many sockets in one turn.
//!
//! Whoever sends to a socket marks it here and goes on. By the time at which it is written, all that the same batch had
//! for it has come together: entries of a group, answers behind them. They leave with one system call.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::outbox::{Batch, Outbox};

/// The tasks that write, as many as the runtime has workers: a large group is written to by all of them.
pub(crate) struct Flusher {
    shards: Box<[Arc<Shard>]>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shard {
    marked: Mutex<Vec<Arc<Outbox>>>,
    wake: Notify,
}

/// Sockets that are written to before others have their turn.
const TURN: usize = 32;

impl Flusher {
    /// Must be called within a tokio runtime. The tasks end with `stop`.
    pub(crate) fn start(tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let shards: Box<[Arc<Shard>]> = (0..Handle::current().metrics().num_workers().max(1))
            .map(|_| Arc::default())
            .collect();
        let run = |shard: &Arc<Shard>| {
            let (shard, stop) = (shard.clone(), stop.clone());
            tasks.spawn(async move {
                stop.run_until_cancelled(shard.run()).await;
            })
        };
        let workers = shards.iter().map(run).collect();
        Self { shards, workers }
    }

    /// Whether all of its tasks run.
    pub(crate) fn is_whole(&self) -> bool {
        !self.workers.iter().any(JoinHandle::is_finished)
    }

    /// Something waits for this socket, which nobody writes at the moment.
    pub(crate) fn mark(&self, outbox: &Arc<Outbox>) {
        let shards = u64::try_from(self.shards.len()).unwrap_or(1);
        let place = outbox.number().checked_rem(shards).unwrap_or(0);
        let Some(shard) = usize::try_from(place)
            .ok()
            .and_then(|place| self.shards.get(place))
        else {
            return;
        };
        let mut marked = shard.marked.lock();
        marked.push(outbox.clone());
        let is_first = marked.len() == 1;
        drop(marked);
        if is_first {
            shard.wake.notify_one();
        }
    }
}

impl Shard {
    async fn run(&self) {
        let (mut turn, mut batch) = (Vec::new(), Batch::default());
        loop {
            self.wake.notified().await;
            loop {
                std::mem::swap(&mut *self.marked.lock(), &mut turn);
                if turn.is_empty() {
                    break;
                }
                for (number, outbox) in turn.drain(..).enumerate() {
                    if number % TURN == TURN - 1 {
                        tokio::task::yield_now().await;
                    }
                    outbox.flush(&mut batch);
                }
            }
        }
    }
}

impl std::fmt::Debug for Flusher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flusher")
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}
