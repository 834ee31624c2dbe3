//! How far a group has come.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// One group of a run.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: u64,
    members: u64,
    /// The highest number that anybody heard of.
    head: AtomicU64,
    progress: Mutex<Progress>,
    /// One more message has come to everybody.
    pub(super) complete: Notify,
}

/// How many members got what.
#[derive(Debug)]
struct Progress {
    /// The number of the first of `got`.
    first: u64,
    got: VecDeque<u64>,
    completed: u64,
}

impl Group {
    /// Its log ends here at the beginning.
    pub(super) fn new(id: u64, members: u64, head: u64) -> Self {
        Self {
            id,
            members,
            head: AtomicU64::new(head),
            progress: Mutex::new(Progress {
                first: head + 1,
                got: VecDeque::new(),
                completed: 0,
            }),
            complete: Notify::new(),
        }
    }

    pub(super) fn head(&self) -> u64 {
        self.head.load(Ordering::Relaxed)
    }

    /// Somebody heard of this number.
    pub(super) fn heard(&self, seq: u64) {
        self.head.fetch_max(seq, Ordering::Relaxed);
    }

    /// A member got it.
    pub(super) fn got(&self, seq: u64) {
        let mut progress = self.progress.lock();
        let Some(place) = seq
            .checked_sub(progress.first)
            .and_then(|place| usize::try_from(place).ok())
        else {
            return;
        };
        if progress.got.len() <= place {
            progress.got.resize(place + 1, 0);
        }
        let Some(count) = progress.got.get_mut(place) else {
            return;
        };
        *count += 1;
        if *count == self.members {
            progress.completed += 1;
            self.complete.notify_one();
        }
        while progress.got.front() == Some(&self.members) {
            progress.got.pop_front();
            progress.first += 1;
        }
    }

    /// How many messages came to everybody.
    pub(super) fn completed(&self) -> u64 {
        self.progress.lock().completed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_complete_when_all_have_it() {
        let group = Group::new(1, 2, 5);
        let completed = |seq| {
            group.got(seq);
            group.completed()
        };
        assert_eq!(completed(5), 0, "it was there before");
        assert_eq!([6, 7, 7, 6].map(completed), [0, 0, 1, 2]);
        assert_eq!([8, 10, 10, 8].map(completed), [2, 2, 3, 4], "9 never came");
    }
}
