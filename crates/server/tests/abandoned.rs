//! Use cases whose caller goes away, at any moment, on the real stores: the next ones work, and memberships, log and
//! feeds agree.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sealroom_domain::{
    EncryptedContent, Entry, EntryBody, GroupId, GroupName, Principal, Refusal, RemovalReason, Seq,
    Timestamp, UserId,
    ports::{Cursor, GroupLog, Memberships, PageLimit, Store},
};
use sealroom_engine::{
    Actor, Chat, ChatOptions, Gone, JoinRequest, Joined, MessageDraft, Ports, Published, Sent, Session,
    Shared, Signal, Subscriber,
};
use sealroom_testkit::{Polls, memory::FixedClock};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(1);
const OWNER: i64 = 1;
const READER: i64 = 2;
/// Comes and goes.
const GUEST: i64 = 3;

fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

fn group() -> GroupId {
    GroupId::new(1).unwrap()
}

fn actor(id: i64) -> Actor {
    Actor {
        user_id: user(id),
        admin: false,
    }
}

/// A socket that keeps what it gets.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Entry>>);

impl Recorder {
    fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }
}

impl Subscriber for Recorder {
    fn deliver(&self, entries: &[Arc<Published>]) -> Result<(), Gone> {
        let entries = entries.iter().map(|published| published.entry().clone());
        self.0.lock().unwrap().extend(entries);
        Ok(())
    }

    fn signal(&self, _: &Arc<Shared<Signal>>) {}

    fn revoked(&self) {}

    fn removed_from_group(&self, _: GroupId, _: RemovalReason) {}

    fn position_lost(&self) {
        panic!("the store was there all the time");
    }
}

#[derive(Debug)]
struct Socket {
    session: Arc<Session>,
    recorder: Arc<Recorder>,
}

/// A chat on a store, with a group that the owner reads along.
struct World {
    chat: Arc<Chat>,
    log: Arc<dyn GroupLog>,
    memberships: Arc<dyn Memberships>,
    owner: Socket,
    reader: Socket,
}

impl World {
    async fn new<S: Store + Clone + 'static>(store: S) -> Self {
        let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_700_000_000)));
        let ports = Ports::on(&store, clock);
        let store = Arc::new(store);
        // Each moment costs a message or two of one user, and a fast store is through with them within seconds.
        let mut options = ChatOptions::default();
        options.limits.sends_per_user = None;
        let chat = Chat::start(ports, options);
        let (owner, reader) = (socket(&chat, OWNER).await, socket(&chat, READER).await);
        socket(&chat, GUEST).await;
        let name = GroupName::new("Nhóm").unwrap();
        let created = chat
            .create_group(actor(OWNER), name, &[user(READER)])
            .await
            .unwrap();
        assert_eq!(created.group.group_id, group());
        let world = Self {
            chat,
            log: store.clone(),
            memberships: store,
            owner,
            reader,
        };
        world.join(&world.owner).await.unwrap();
        world.join(&world.reader).await.unwrap();
        world
    }

    async fn join(&self, socket: &Socket) -> Result<Joined, Refusal> {
        let request = JoinRequest {
            group_id: group(),
            after_seq: Some(Seq::ZERO),
            log_id: None,
            limit: None,
        };
        let subscriber: Arc<dyn Subscriber> = socket.recorder.clone();
        let (answer, answered) = oneshot::channel();
        let reply = Box::new(move |joined| drop(answer.send(joined)));
        let deadline = Instant::now() + Duration::from_secs(4);
        self.chat
            .join(&socket.session, &subscriber, request, deadline, reply)
            .await;
        answered.await.unwrap()
    }

    async fn send(&self) -> Result<Sent, Refusal> {
        let draft = MessageDraft {
            group_id: group(),
            content: EncryptedContent::new("x", 100).unwrap(),
            client_message_id: None,
            key_epoch: None,
        };
        let subscriber: Arc<dyn Subscriber> = self.owner.recorder.clone();
        let (answer, answered) = oneshot::channel();
        let reply = Box::new(move |sent| drop(answer.send(sent)));
        self.chat.send(&self.owner.session, &subscriber, draft, reply);
        answered.await.unwrap()
    }

    async fn put_guest(&self) {
        let put = self.chat.put_member(actor(OWNER), group(), user(GUEST), None);
        put.await.unwrap();
    }

    async fn remove_guest(&self) -> Result<(), Refusal> {
        self.chat.remove_member(actor(OWNER), group(), user(GUEST)).await
    }

    async fn log(&self) -> Vec<Entry> {
        let limit = PageLimit {
            entries: 100_000,
            bytes: usize::MAX,
        };
        let page = self.log.read(group(), Cursor::After(Seq::ZERO), limit).await;
        page.unwrap().unwrap().entries
    }

    /// The next join, send and removal work in time, and all agree about what happened.
    async fn is_well(&self) {
        let check = async {
            let sent = self.send().await.unwrap();
            self.put_guest().await;
            let guest = socket(&self.chat, GUEST).await;
            let joined = self.join(&guest).await.unwrap();
            assert!(joined.head >= sent.message.entry().seq);
            self.remove_guest().await.unwrap();
            self.chat.close_session(&guest.session);
        };
        timeout(PATIENCE, check).await.unwrap();

        let log = self.log().await;
        let mut members = Vec::new();
        for (place, entry) in (1..).zip(&log) {
            assert_eq!(entry.seq.get(), place);
            match &entry.body {
                EntryBody::MemberAdded { user_id, .. } => {
                    assert!(!members.contains(user_id), "{user_id} comes twice");
                    members.push(*user_id);
                }
                EntryBody::MemberRemoved { user_id, .. } => {
                    assert!(members.contains(user_id), "{user_id} goes twice");
                    members.retain(|member| member != user_id);
                }
                _ => {}
            }
        }
        members.sort_unstable();
        let kept = self.memberships.members_of(group()).await.unwrap();
        let kept: Vec<UserId> = kept.iter().map(|member| member.user_id).collect();
        assert_eq!(kept, members, "the log tells who is a member");
        // Feeds deliver a moment after the answer.
        for socket in [&self.owner, &self.reader] {
            let seen = async {
                while socket.recorder.entries().last() != log.last() {
                    sleep(Duration::from_millis(2)).await;
                }
                socket.recorder.entries()
            };
            let seen = timeout(PATIENCE, seen).await.unwrap();
            assert!(log.ends_with(&seen), "each entry once and in order");
        }
    }
}

async fn socket(chat: &Arc<Chat>, id: i64) -> Socket {
    let principal = Principal {
        user_id: user(id),
        name: None,
        scope: None,
        login_id: None,
        issued_at: None,
        expires_at: Timestamp::from_secs(1_800_000_000),
    };
    Socket {
        session: chat.open_session(principal).await.unwrap(),
        recorder: Arc::default(),
    }
}

/// Abandons it at every poll, until it ends by itself; before and after each time the world is well.
async fn abandon<T>(world: &World, what: &str, call: impl AsyncFn() -> T) {
    for how in [Polls::Woken, Polls::Restless] {
        let mut ended = false;
        for polls in how.moments() {
            ended = how.abandon_after(polls, call()).await;
            world.is_well().await;
            if ended {
                break;
            }
        }
        assert!(ended, "{what} never ends");
    }
}

async fn use_cases<S: Store + Clone + 'static>(store: S) {
    let world = World::new(store).await;
    abandon(&world, "a send", async || world.send().await).await;
    abandon(&world, "a new member", async || world.put_guest().await).await;
    abandon(&world, "a new group", async || {
        let name = GroupName::new("another").unwrap();
        world.chat.create_group(actor(OWNER), name, &[user(READER)]).await
    })
    .await;
    abandon(&world, "a page", async || {
        let session = &world.reader.session;
        world
            .chat
            .session_entries(session, group(), Cursor::Newest, None)
            .await
    })
    .await;

    for how in [Polls::Woken, Polls::Restless] {
        joins_and_removals(&world, how).await;
    }
}

/// A guest is added, joins and is removed, and the two last are abandoned.
async fn joins_and_removals(world: &World, how: Polls) {
    for polls in how.moments() {
        world.put_guest().await;
        let guest = socket(&world.chat, GUEST).await;
        let ended = how.abandon_after(polls, world.join(&guest)).await;
        if !ended {
            // The same socket may ask again, as if nothing had been.
            let joined = timeout(PATIENCE, world.join(&guest)).await.unwrap().unwrap();
            let head = world.log().await.last().map(|entry| entry.seq);
            assert_eq!(Some(joined.head), head);
        }
        let sent = world.send().await.unwrap();
        assert_eq!(guest.recorder.entries(), [sent.message.entry().clone()]);
        world.chat.close_session(&guest.session);
        let ended_too = how.abandon_after(polls, world.remove_guest()).await;
        world.is_well().await;
        if ended && ended_too {
            return;
        }
    }
    panic!("a join or a removal never ends");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn use_cases_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let options = sealroom_persistence::SqliteOptions::new(dir.path().join("test.db"));
    use_cases(sealroom_persistence::SqliteStore::open(options).await.unwrap()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn use_cases_on_postgresql() {
    use sealroom_persistence::{PostgresOptions, PostgresStore, PostgresUrl};

    let database = xtask_postgres::TestDatabase::create().await;
    let options = PostgresOptions::new(PostgresUrl::parse(database.url()).unwrap());
    use_cases(PostgresStore::open(options).await.unwrap()).await;
}
