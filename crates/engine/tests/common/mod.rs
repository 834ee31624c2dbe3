//! A chat over in-memory adapters that take their time, and sockets that write down what they get.
#![expect(clippy::unwrap_used, unreachable_pub, reason = "test code")]

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
    DisplayName, EncryptedContent, Entry, GroupId, GroupName, LogId, Principal, RemovalReason, Role, Seq,
    Timestamp, UserId,
    ports::{
        Accounts, Appended, Cursor, GroupLog, Groups, Memberships, MessagesPage, NewEntry, Page, PageLimit,
        RefusedEntry, StoreError,
    },
};
use sealroom_engine::{
    Actor, Chat, ChatOptions, Gone, Joined, MessageDraft, Ports, Published, Sent, Session, Shared, Signal,
    Subscriber,
};
use sealroom_testkit::memory::{FixedClock, MemoryStore};

pub fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

pub fn group(id: i64) -> GroupId {
    GroupId::new(id).unwrap()
}

pub fn seq(seq: i64) -> Seq {
    Seq::new(seq).unwrap()
}

pub const ADMIN: Actor = Actor {
    user_id: match UserId::new(999) {
        Ok(id) => id,
        Err(_) => panic!(),
    },
    admin: true,
};

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
    committed: Mutex<Seq>,
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

/// What happened at a socket, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    Entry(Seq),
    /// `committed` is where the log ended when the answer was given.
    Joined {
        after: Option<Seq>,
        joined: Joined,
        committed: Seq,
    },
    JoinRefused,
    Sent(Seq),
    Left,
    Removed(RemovalReason),
    Signal(Signal),
    Lost,
    Revoked,
}

/// A socket that writes down what it gets, and that stops taking anything when it is told to.
#[derive(Debug, Default)]
pub struct Recorder {
    pub seen: Mutex<Vec<Seen>>,
    pub stalled: AtomicBool,
}

impl Recorder {
    pub fn note(&self, seen: Seen) {
        self.seen.lock().push(seen);
    }

    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

impl Subscriber for Recorder {
    fn deliver(&self, entries: &[Arc<Published>]) -> Result<(), Gone> {
        if self.stalled.load(Ordering::Relaxed) {
            return Err(Gone);
        }
        for entry in entries {
            self.note(Seen::Entry(entry.entry().seq));
        }
        Ok(())
    }

    fn signal(&self, signal: &Arc<Shared<Signal>>) {
        self.note(Seen::Signal(*signal.value()));
    }

    fn revoked(&self) {
        self.note(Seen::Revoked);
    }

    fn removed_from_group(&self, _: GroupId, reason: RemovalReason) {
        self.note(Seen::Removed(reason));
    }

    fn position_lost(&self) {
        self.stalled.store(true, Ordering::Relaxed);
        self.note(Seen::Lost);
    }
}

/// A chat with its adapters.
#[derive(Debug)]
pub struct World {
    pub chat: Arc<Chat>,
    pub store: MemoryStore,
    pub log: Arc<SlowLog>,
    pub clock: Arc<FixedClock>,
}

impl World {
    /// Sends are not limited: most tests are faster than any user.
    pub fn new(seed: u64, mut options: ChatOptions) -> Self {
        options.limits.sends_per_user = None;
        Self::on(MemoryStore::new(), seed, options)
    }

    /// A further server on a store.
    pub fn on(store: MemoryStore, seed: u64, options: ChatOptions) -> Self {
        Self::start(store, seed, options, false)
    }

    /// A server whose users are those of the built-in accounts.
    pub fn with_accounts() -> Self {
        Self::start(MemoryStore::new(), 1, ChatOptions::default(), true)
    }

    fn start(store: MemoryStore, seed: u64, options: ChatOptions, has_accounts: bool) -> Self {
        let log = Arc::new(SlowLog::new(store.clone(), seed));
        let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_700_000_000)));
        let accounts: Arc<dyn Accounts> = Arc::new(store.clone());
        let ports = Ports {
            log: log.clone(),
            memberships: Arc::new(SlowMemberships(log.clone())),
            accounts: has_accounts.then_some(accounts),
            ..Ports::on(&store, clock.clone())
        };
        Self {
            chat: Chat::start(ports, options),
            store,
            log,
            clock,
        }
    }

    /// A group with these members.
    pub async fn group(&self, id: i64, members: &[i64]) {
        let at = Timestamp::from_secs(0);
        self.store
            .put(group(id), &GroupName::new("g").unwrap(), at)
            .await
            .unwrap();
        for member in members {
            self.chat
                .put_member(ADMIN, group(id), user(*member), None)
                .await
                .unwrap();
        }
    }

    pub fn principal(id: i64) -> Principal {
        Principal {
            user_id: user(id),
            name: DisplayName::new(format!("user {id}")).ok(),
            scope: None,
            login_id: None,
            issued_at: None,
            expires_at: Timestamp::from_secs(1_800_000_000),
        }
    }

    pub async fn socket(&self, id: i64) -> Socket {
        self.socket_of(Self::principal(id)).await.unwrap()
    }

    /// A socket that goes by this token.
    pub async fn socket_of(&self, principal: Principal) -> Result<Socket, sealroom_domain::Refusal> {
        let socket = Socket {
            chat: self.chat.clone(),
            log: self.log.clone(),
            session: self.chat.open_session(principal).await?,
            recorder: Arc::default(),
        };
        socket.session.attach(&socket.subscriber());
        Ok(socket)
    }

    /// The whole log of a group.
    pub async fn entries(&self, id: i64) -> Vec<Entry> {
        let limit = PageLimit {
            entries: 1_000_000,
            bytes: usize::MAX,
        };
        self.store
            .read(group(id), Cursor::After(Seq::ZERO), limit)
            .await
            .unwrap()
            .unwrap()
            .entries
    }
}

/// One socket's session.
#[derive(Debug, Clone)]
pub struct Socket {
    pub chat: Arc<Chat>,
    pub log: Arc<SlowLog>,
    pub session: Arc<Session>,
    pub recorder: Arc<Recorder>,
}

impl Socket {
    fn subscriber(&self) -> Arc<dyn Subscriber> {
        self.recorder.clone()
    }

    /// Joins, and notes the answer at its place among what is delivered.
    pub async fn join(&self, id: i64, after: Option<Seq>) {
        let (recorder, log) = (self.recorder.clone(), self.log.clone());
        let request = sealroom_engine::JoinRequest {
            group_id: group(id),
            after_seq: after,
            log_id: None,
            limit: Some(3),
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(4);
        let reply = Box::new(move |joined: Result<Joined, _>| match joined {
            Ok(joined) => recorder.note(Seen::Joined {
                after,
                joined,
                committed: *log.committed.lock(),
            }),
            Err(_) => recorder.note(Seen::JoinRefused),
        });
        self.chat
            .join(&self.session, &self.subscriber(), request, deadline, reply)
            .await;
    }

    /// Submits a message; the answer is noted when it comes, and told.
    pub fn send(
        &self,
        id: i64,
        text: &str,
    ) -> tokio::sync::oneshot::Receiver<Result<Sent, sealroom_domain::Refusal>> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let recorder = self.recorder.clone();
        let draft = MessageDraft {
            group_id: group(id),
            content: EncryptedContent::new(text, 100).unwrap(),
            client_message_id: None,
            key_epoch: None,
        };
        let reply = Box::new(move |sent: Result<Sent, _>| {
            if let Ok(sent) = &sent {
                recorder.note(Seen::Sent(sent.message.entry().seq));
            }
            let _ = answer.send(sent);
        });
        self.chat.send(&self.session, &self.subscriber(), draft, reply);
        answered
    }

    pub fn close(&self) {
        self.chat.close_session(&self.session);
    }
}
