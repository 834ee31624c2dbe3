//! A store, a receiver and a clock, in simulated time.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "test code"
)]

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, GroupName, RemovalReason, Role, Seq, Timestamp,
    UserId,
    ports::{
        Clock, GroupLog as _, Groups as _, Guard, MemberLimits, Memberships, NewBody, NewEntry, Outbox,
        OutboxId, OutboxItem, Presence, StoreError,
    },
};
use sealroom_hooks::{
    Answer, EventType, HookOptions, HookParts, Hooks, Post, PostError, RetryAfter, Secrets, SignedRequest,
};
use sealroom_testkit::memory::MemoryStore;
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

/// In every content and every name; in no request.
pub const CANARY: &str = "CANARY-of-what-is-secret";
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub fn group(number: i64) -> GroupId {
    GroupId::new(number).unwrap()
}

pub fn user(number: i64) -> UserId {
    UserId::new(number).unwrap()
}

/// Shows the simulated time.
#[derive(Debug, Clone)]
pub struct SimulatedClock(Instant);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_705_314_600).plus(self.0.elapsed())
    }
}

/// What the receiver does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Accept,
    Status(u16),
    /// A status with `Retry-After` in seconds.
    After(u16, u64),
    /// It takes the event, and the answer is lost.
    LoseAnswer,
    /// It takes the event and never answers.
    Hang,
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub at: Instant,
    pub request: SignedRequest,
    pub kind: String,
    pub group: i64,
    pub seq: i64,
    pub body: Value,
    pub reply: Reply,
}

type Script = Box<dyn FnMut(&Arrived) -> Reply + Send>;

/// A receiver that remembers everything.
#[derive(Clone)]
pub struct Receiver {
    arrived: Arc<Mutex<Vec<Arc<Arrived>>>>,
    script: Arc<Mutex<Script>>,
    latency: Duration,
    under_way: Arc<AtomicUsize>,
    most_under_way: Arc<AtomicUsize>,
}

impl Receiver {
    pub fn new(latency: Duration) -> Self {
        Self {
            arrived: Arc::default(),
            script: Arc::new(Mutex::new(Box::new(|_| Reply::Accept))),
            latency,
            under_way: Arc::default(),
            most_under_way: Arc::default(),
        }
    }

    pub fn replies(&self, script: impl FnMut(&Arrived) -> Reply + Send + 'static) {
        *self.script.lock() = Box::new(script);
    }

    pub fn arrived(&self) -> Vec<Arc<Arrived>> {
        self.arrived.lock().clone()
    }

    pub fn count(&self) -> usize {
        self.arrived.lock().len()
    }

    pub fn most_under_way(&self) -> usize {
        self.most_under_way.load(Ordering::SeqCst)
    }

    /// The last request for a group.
    pub fn last_of(&self, group: i64) -> Arc<Arrived> {
        let arrived = self.arrived.lock();
        Arc::clone(arrived.iter().rfind(|arrived| arrived.group == group).unwrap())
    }

    /// `(kind, group, seq)` of what was taken, without repetitions, in the order of the first time.
    pub fn taken(&self) -> Vec<(String, i64, i64)> {
        self.taken_where(|_| true)
            .into_iter()
            .map(|arrived| (arrived.kind.clone(), arrived.group, arrived.seq))
            .collect()
    }

    /// The places of one group's events of one kind that were taken.
    pub fn taken_of(&self, kind: &str, group: i64) -> Vec<i64> {
        self.taken_where(|arrived| arrived.kind == kind && arrived.group == group)
            .into_iter()
            .map(|arrived| arrived.seq)
            .collect()
    }

    fn taken_where(&self, wanted: impl Fn(&Arrived) -> bool) -> Vec<Arc<Arrived>> {
        let mut ids = HashSet::new();
        self.arrived()
            .into_iter()
            .filter(|arrived| {
                let is_taken = matches!(arrived.reply, Reply::Accept | Reply::LoseAnswer | Reply::Hang);
                is_taken && wanted(arrived) && ids.insert(arrived.request.id.clone())
            })
            .collect()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

#[async_trait]
impl Post for Receiver {
    async fn post(&self, request: &SignedRequest) -> Result<Answer, PostError> {
        struct Leave(Arc<AtomicUsize>);
        impl Drop for Leave {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }

        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        let _leave = Leave(Arc::clone(&self.under_way));
        self.most_under_way.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.latency).await;
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut arrived = Arrived {
            at: Instant::now(),
            request: request.clone(),
            kind: body["type"].as_str().unwrap().to_owned(),
            group: body["data"]["group_id"].as_i64().unwrap(),
            seq: body["data"]["seq"].as_i64().unwrap(),
            body,
            reply: Reply::Accept,
        };
        arrived.reply = (self.script.lock())(&arrived);
        let reply = arrived.reply;
        self.arrived.lock().push(Arc::new(arrived));
        let (status, retry_after) = match reply {
            Reply::Accept => (204, None),
            Reply::Status(status) => (status, None),
            Reply::After(status, seconds) => (status, Some(RetryAfter::Delay(Duration::from_secs(seconds)))),
            Reply::LoseAnswer => return Err(PostError::new("connection reset")),
            Reply::Hang => std::future::pending().await,
        };
        Ok(Answer { status, retry_after })
    }
}

/// An outbox that counts what is asked of it.
#[derive(Debug)]
pub struct Counted {
    inner: MemoryStore,
    pub reads: AtomicUsize,
    pub items: AtomicUsize,
}

#[async_trait]
impl Outbox for Counted {
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.inner.lease(holder, now, until).await
    }

    async fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, StoreError> {
        let page = self.inner.pending(after, limit).await?;
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.items.fetch_add(page.len(), Ordering::SeqCst);
        Ok(page)
    }

    async fn delivered(&self, ids: &[OutboxId]) -> Result<(), StoreError> {
        self.inner.delivered(ids).await
    }
}

/// Who is there, as the test says.
#[derive(Debug, Clone, Default)]
pub struct Online(pub Arc<Mutex<HashSet<UserId>>>);

#[async_trait]
impl Presence for Online {
    async fn online_among(&self, users: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let online = self.0.lock();
        Ok(users
            .iter()
            .copied()
            .filter(|user| online.contains(user))
            .collect())
    }
}

/// Everything around the webhooks.
#[derive(Debug)]
pub struct World {
    pub store: MemoryStore,
    pub outbox: Arc<Counted>,
    pub online: Online,
    pub clock: SimulatedClock,
    pub receiver: Receiver,
    pub wake: Arc<Notify>,
}

impl World {
    pub fn new() -> Self {
        let store = MemoryStore::new();
        Self {
            outbox: Arc::new(Counted {
                inner: store.clone(),
                reads: AtomicUsize::new(0),
                items: AtomicUsize::new(0),
            }),
            store,
            online: Online::default(),
            clock: SimulatedClock(Instant::now()),
            receiver: Receiver::new(Duration::from_millis(5)),
            wake: Arc::default(),
        }
    }

    pub fn options() -> HookOptions {
        HookOptions {
            events: vec![
                EventType::MessageCreated,
                EventType::MemberAdded,
                EventType::MemberRemoved,
            ],
            ..HookOptions::new(Secrets::parse(SECRET).unwrap())
        }
    }

    /// The parts with the receiver of this world.
    pub fn parts(&self) -> HookParts {
        HookParts {
            outbox: self.outbox.clone(),
            memberships: Arc::new(self.store.clone()),
            presence: Arc::new(self.online.clone()),
            clock: Arc::new(self.clock.clone()),
            post: Arc::new(self.receiver.clone()),
            wake: Arc::clone(&self.wake),
        }
    }

    pub fn start(&self) -> Hooks {
        self.start_with(Self::options())
    }

    pub fn start_with(&self, options: HookOptions) -> Hooks {
        Hooks::start(self.parts(), options).unwrap()
    }

    /// Makes a group with these members known, without entries.
    pub async fn with_group(&self, number: i64, members: impl IntoIterator<Item = i64>) {
        let name = GroupName::new("g").unwrap();
        self.store
            .put(group(number), &name, self.clock.now())
            .await
            .unwrap();
        for member in members {
            self.store
                .set(group(number), user(member), Role::Member)
                .await
                .unwrap();
        }
    }

    /// Appends messages, and wakes.
    pub async fn send(&self, number: i64, messages: usize) {
        let message = || NewBody::Message {
            sender_name: DisplayName::new(CANARY).unwrap(),
            content: EncryptedContent::new(CANARY, 1000).unwrap(),
            client_message_id: None,
            key_epoch: None,
        };
        self.append(number, (0..messages).map(|_| message()).collect())
            .await;
    }

    pub async fn append(&self, number: i64, bodies: Vec<NewBody>) {
        let at = self.clock.now();
        let batch = bodies.into_iter().map(|body| NewEntry {
            group_id: group(number),
            actor_id: user(1),
            at,
            body,
            guard: Guard::Kept {
                actor_role: None,
                keeps_owner: false,
            },
        });
        for result in self.store.append(batch.collect()).await.unwrap() {
            result.unwrap();
        }
        self.wake.notify_one();
    }

    /// Entries in the outbox.
    pub async fn left(&self) -> usize {
        self.store.pending(OutboxId(0), usize::MAX).await.unwrap().len()
    }

    async fn is_empty(&self) -> bool {
        self.store.pending(OutboxId(0), 1).await.unwrap().is_empty()
    }

    /// Waits, in simulated time, until nothing is left.
    pub async fn until_empty(&self, within: Duration) {
        let start = Instant::now();
        while !self.is_empty().await {
            assert!(start.elapsed() < within, "{} entries are left", self.left().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

pub fn add(number: i64) -> NewBody {
    NewBody::SetMember {
        user_id: user(number),
        role: Role::Member,
        limits: MemberLimits::default(),
    }
}

pub fn remove(number: i64) -> NewBody {
    NewBody::RemoveMember {
        user_id: user(number),
        reason: RemovalReason::Removed,
    }
}

pub fn delete(seq: i64) -> NewBody {
    NewBody::DeleteMessage {
        target_seq: Seq::new(seq).unwrap(),
        of_others: sealroom_domain::ports::OfOthers::Never,
    }
}

pub fn named(id: &str) -> NewBody {
    NewBody::Message {
        sender_name: DisplayName::new(CANARY).unwrap(),
        content: EncryptedContent::new(CANARY, 1000).unwrap(),
        client_message_id: Some(ClientMessageId::new(id).unwrap()),
        key_epoch: None,
    }
}

pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
