//! How much may be under way at a time.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many at a time for each of many keys. More wait, first come, first served.
pub(crate) struct Turns<K> {
    each: usize,
    keys: Mutex<Keys<K>>,
}

struct Keys<K> {
    semaphores: HashMap<K, Weak<Semaphore>>,
    /// With so many keys those that nobody uses are forgotten.
    tidy_at: usize,
}

/// Held for as long as it is under way.
pub(crate) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl<K: Hash + Eq> Turns<K> {
    const TIDY_AT_LEAST: usize = 1024;

    pub(crate) fn new(each: usize) -> Self {
        Self {
            each,
            keys: Mutex::new(Keys {
                semaphores: HashMap::new(),
                tidy_at: Self::TIDY_AT_LEAST,
            }),
        }
    }

    pub(crate) async fn take(&self, key: K) -> Turn {
        let semaphore = self.keys.lock().semaphore(key, self.each);
        Turn {
            // Nobody closes it.
            _permit: semaphore.acquire_owned().await.ok(),
        }
    }
}

impl<K: Hash + Eq> Keys<K> {
    fn semaphore(&mut self, key: K, each: usize) -> Arc<Semaphore> {
        if self.semaphores.len() >= self.tidy_at {
            self.semaphores
                .retain(|_, semaphore| semaphore.strong_count() > 0);
            self.tidy_at = (2 * self.semaphores.len()).max(Turns::<K>::TIDY_AT_LEAST);
        }
        let semaphore = self.semaphores.entry(key).or_default();
        semaphore.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(each));
            *semaphore = Arc::downgrade(&new);
            new
        })
    }
}

impl<K> fmt::Debug for Turns<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns")
            .field("each", &self.each)
            .field("keys", &self.keys.lock().semaphores.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn each_key_has_its_turns_and_they_come_back() {
        let turns = Turns::new(2);
        let held = [turns.take(1).await, turns.take(1).await];
        assert!(turns.take(1).now_or_never().is_none());
        assert!(turns.take(2).now_or_never().is_some());
        drop(held);
        assert!(turns.take(1).now_or_never().is_some());
    }

    #[tokio::test]
    async fn keys_that_nobody_uses_are_forgotten() {
        let turns = Turns::new(1);
        let held = turns.take(0).await;
        for key in 1..10_000 {
            turns.take(key).await;
        }
        assert!(turns.keys.lock().semaphores.len() <= Turns::<i32>::TIDY_AT_LEAST);
        assert!(turns.take(0).now_or_never().is_none());
        drop(held);
    }
}
