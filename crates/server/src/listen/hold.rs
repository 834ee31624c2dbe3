//! Connections that are not read for a while.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time::timeout_at};

/// What one read takes of a peer that was held not long ago: some requests, of which one too many brings the next hold,
/// instead of hundreds that would all be refused.
const PORTION: usize = 4096;
/// So long after a hold.
const PORTIONS_FOR: Duration = Duration::from_secs(1);

/// Up to when a connection is not read.
#[derive(Debug)]
pub(super) struct Hold {
    opened: Instant,
    /// In milliseconds after `opened`; 0 where it never was held.
    until: AtomicU64,
    released: Notify,
}

/// The reader's side of a [`Hold`].
pub(super) struct Held {
    hold: Arc<Hold>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Hold {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            until: AtomicU64::new(0),
            released: Notify::new(),
        }
    }

    /// From the next read on, and at most for so long.
    pub(super) fn begin(&self, at_most: Duration) {
        self.until.fetch_max(self.age(at_most), Ordering::Relaxed);
    }

    /// At once.
    pub(super) fn end(&self) {
        // A moment that is not over keeps the portions small.
        self.until.fetch_min(self.age(Duration::ZERO), Ordering::Relaxed);
        self.released.notify_one();
    }

    fn age(&self, later: Duration) -> u64 {
        u64::try_from((self.opened.elapsed() + later).as_millis()).unwrap_or(u64::MAX)
    }

    fn end_of(&self) -> Option<Instant> {
        match self.until.load(Ordering::Relaxed) {
            0 => None,
            until => Some(self.opened + Duration::from_millis(until)),
        }
    }
}

impl Held {
    pub(super) fn new(hold: Arc<Hold>) -> Self {
        Self { hold, waiting: None }
    }

    /// Waits for the end of a hold; gives how many bytes may be read then.
    pub(super) fn poll_portion(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            let Some(end) = self.hold.end_of() else {
                return Poll::Ready(usize::MAX);
            };
            let now = Instant::now();
            if end <= now {
                let is_over = now - end > PORTIONS_FOR;
                return Poll::Ready(if is_over { usize::MAX } else { PORTION });
            }
            let hold = self.hold.clone();
            self.waiting = Some(Box::pin(async move {
                // Woken by either; the loop looks at what holds then.
                let _ = timeout_at(end.into(), hold.released.notified()).await;
            }));
        }
    }
}
