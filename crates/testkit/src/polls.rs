//! Callers that go away after any number of polls.

use std::{future::poll_fn, iter, pin::pin, task::Poll};

/// No call takes as many polls.
const MOST_POLLS: u32 = 1_000_000;

/// How the polls of a call are counted that is abandoned after some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polls {
    /// As a runtime polls, when something woke it: each number is tried.
    Woken,
    /// Without waiting to be woken, so that it is dropped at any moment in between too: each of the first numbers is
    /// tried, then in growing steps.
    Restless,
}

impl Polls {
    /// After how many polls it is dropped.
    pub fn moments(self) -> impl Iterator<Item = u32> {
        iter::successors(Some(1), move |polls| match self {
            Self::Woken => Some(polls + 1),
            Self::Restless => Some(polls + 1 + polls / 8),
        })
        .take_while(|polls| *polls < MOST_POLLS)
    }

    /// Polls a future so many times and drops it; `true` where it ended before that.
    pub async fn abandon_after<T>(self, polls: u32, future: impl Future<Output = T>) -> bool {
        let mut future = pin!(future);
        let mut polled = 0;
        poll_fn(|context| {
            if future.as_mut().poll(context).is_ready() {
                return Poll::Ready(true);
            }
            polled += 1;
            if polled == polls {
                return Poll::Ready(false);
            }
            if self == Self::Restless {
                // Everybody else has a turn.
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }
}
