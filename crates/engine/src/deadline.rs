//! Waiting with a deadline that may come closer meanwhile.

use std::{future::Future, pin::pin, time::Duration};

use tokio::time::{Instant, timeout_at};

/// How often the deadline is asked for anew.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What `work` comes to until `due`; `None` where the deadline came first.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>, due: impl Fn() -> Instant) -> Option<T> {
    let mut work = pin!(work);
    loop {
        let due = due();
        let now = Instant::now();
        if due <= now {
            return None;
        }
        if let Ok(done) = timeout_at(due.min(now + LOOK_AGAIN), &mut work).await {
            return Some(done);
        }
    }
}
