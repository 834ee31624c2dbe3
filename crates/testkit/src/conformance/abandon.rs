//! Callers that go away.

use std::{future::poll_fn, pin::pin, task::Poll};

/// Polls a future `polls` times and drops it unfinished. `true` where it finished before that.
///
/// Between two polls the runtime gets its turn and a little time passes, so that the future is dropped at different
/// points of its work.
pub(crate) async fn abandon_after<T>(polls: u32, future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    for round in 0..polls {
        let ready = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        if ready {
            return true;
        }
        if round % 4 == 3 {
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
    false
}
