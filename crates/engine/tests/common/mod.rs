//! A chat over in-memory adapters that take their time, and sockets that write down what they get.
#![expect(clippy::unwrap_used, unreachable_pub, reason = "test code")]

mod slow;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use sealroom_domain::{
    DisplayName, EncryptedContent, Entry, GroupId, GroupName, Principal, RemovalReason, Seq, Timestamp,
    UserId,
    ports::{Accounts, Cursor, GroupLog, Groups, PageLimit},
};
use sealroom_engine::{
    Actor, Chat, ChatOptions, Gone, Joined, MessageDraft, Ports, Published, Sent, Session, Shared, Signal,
    Subscriber,
};
use sealroom_testkit::memory::{FixedClock, MemoryStore};

pub use self::slow::{SlowLog, SlowMemberships};

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
