//! In-memory adapters that take their time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use sealroom_domain::{
    GroupId, LogId, Role, Seq, UserId,
    ports::{
        Appended, Cursor, GroupLog, Memberships, MessagesPage, NewEntry, Page, PageLimit, RefusedEntry,
        StoreError,
    },
};
use sealroom_testkit::memory::MemoryStore;

/// A log that yields between asking and answering, so that callers interleave; and that may lose answers.
#[derive(Debug)]
pub struct SlowLog {
    store: MemoryStore,
    random: AtomicU64,
    /// Appends of which one is answered `Unavailable` although it happened; 0: none.
    pub lose_one_of: AtomicU64,
    pub down: AtomicBool,
    /// Reads fail, appends do not.
    pub unreadable: AtomicBool,
    /// Each append takes this long.
    pub hang_for: Mutex<Duration>,
    /// Each append is answered so much later than it is stored.
    pub appends_answer_late: Mutex<Duration>,
    /// Each read takes this long, after it was answered.
    pub reads_take: Mutex<Duration>,
    /// Heads take this long before they are looked up.
    pub heads_take: Mutex<Duration>,
    /// Heads take this long after they were looked up.
    pub heads_answer_late: Mutex<Duration>,
    /// The next question for roles panics.
    pub roles_panic: AtomicBool,
    /// The last place of the only group that a test uses.
    pub committed: Mutex<Seq>,
}

impl SlowLog {
    pub fn new(store: MemoryStore, seed: u64) -> Self {
        Self {
            store,
            random: AtomicU64::new(seed | 1),
            lose_one_of: AtomicU64::new(0),
            down: AtomicBool::new(false),
            unreadable: AtomicBool::new(false),
            hang_for: Mutex::default(),
            appends_answer_late: Mutex::default(),
            reads_take: Mutex::default(),
            heads_take: Mutex::default(),
            heads_answer_late: Mutex::default(),
            roles_panic: AtomicBool::new(false),
            committed: Mutex::new(Seq::ZERO),
        }
    }

    /// xorshift64: reproducible from the seed.
    fn next(&self) -> u64 {
        let mut x = self.random.load(Ordering::Relaxed);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.store(x, Ordering::Relaxed);
        x
    }

    async fn pause(&self) {
        for _ in 0..self.next() % 6 {
            tokio::task::yield_now().await;
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::Relaxed) {
            Err(StoreError::unavailable("down"))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl GroupLog for SlowLog {
    async fn log_id(&self) -> Result<LogId, StoreError> {
        self.store.log_id().await
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Result<Vec<Result<Appended, RefusedEntry>>, StoreError> {
        self.pause().await;
        self.check()?;
        pass(&self.hang_for).await;
        let result = self.store.append(batch).await;
        for outcome in result.iter().flatten() {
            if let Ok(Appended::New(entry)) = outcome {
                *self.committed.lock() = entry.seq;
            }
        }
        pass(&self.appends_answer_late).await;
        self.pause().await;
        let lose = self.lose_one_of.load(Ordering::Relaxed);
        if lose > 0 && self.next().is_multiple_of(lose) {
            return Err(StoreError::unavailable("the answer was lost"));
        }
        result
    }

    async fn read(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<Page>, StoreError> {
        self.pause().await;
        self.check()?;
        if self.unreadable.load(Ordering::Relaxed) {
            return Err(StoreError::unavailable("unreadable"));
        }
        let page = self.store.read(group_id, cursor, limit).await;
        pass(&self.reads_take).await;
        self.pause().await;
        page
    }

    async fn messages(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<MessagesPage>, StoreError> {
        self.check()?;
        self.store.messages(group_id, cursor, limit).await
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        self.pause().await;
        self.check()?;
        pass(&self.heads_take).await;
        let heads = self.store.heads(groups).await;
        pass(&self.heads_answer_late).await;
        self.pause().await;
        heads
    }
}

async fn pass(duration: &Mutex<Duration>) {
    let duration = *duration.lock();
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// Memberships that take their time too.
#[derive(Debug)]
pub struct SlowMemberships(pub Arc<SlowLog>);

#[async_trait]
impl Memberships for SlowMemberships {
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError> {
        self.0.pause().await;
        assert!(
            !self.0.roles_panic.swap(false, Ordering::Relaxed),
            "a defect of the host"
        );
        let roles = self.0.store.roles(pairs).await;
        self.0.pause().await;
        roles
    }

    async fn groups_of(&self, user_id: UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        self.0.store.groups_of(user_id).await
    }

    async fn members_of(&self, group_id: GroupId) -> Result<Vec<sealroom_domain::ports::Member>, StoreError> {
        self.0.store.members_of(group_id).await
    }

    async fn set(&self, group_id: GroupId, user_id: UserId, role: Role) -> Result<(), StoreError> {
        self.0.store.set(group_id, user_id, role).await
    }

    async fn remove(&self, group_id: GroupId, user_id: UserId) -> Result<bool, StoreError> {
        self.0.store.remove(group_id, user_id).await
    }
}
