//! Connections that are lost while an append is under way: the log decides what its caller hears.

use std::time::Duration;

use sealroom_domain::{
    Role,
    ports::{Appended, GroupLog, Memberships, NewEntry, StoreError},
};
use sealroom_persistence::PostgresStore;
use tokio::time::{Instant, sleep, timeout};
use xtask_postgres::TestDatabase;

use crate::{
    Outcomes, PATIENCE, deletion, edit, group, log, make_groups, member, message, new_entries, options,
    proxy::{Cut, Proxy},
    removal, user,
};

/// The flights of an append: it asks, and it writes.
const ASKS: usize = 1;
const WRITES: usize = 2;
/// The one flight of messages that can be decided without asking.
const AT_ONCE: usize = 1;

struct World {
    /// Through the proxy, with one warm connection.
    store: PostgresStore,
    /// Past the proxy.
    direct: PostgresStore,
    proxy: Proxy,
    _database: TestDatabase,
}

impl World {
    /// Group 1 has one entry, and user 2 is its member.
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let direct = PostgresStore::open(options(database.url())).await.unwrap();
        make_groups(&direct, 2).await;
        direct.set(group(1), user(2), Role::Member).await.unwrap();
        let proxy = Proxy::start(database.url()).await;
        let mut options = options(proxy.url());
        options.writers = 1;
        let store = PostgresStore::open(options).await.unwrap();
        new_entries(store.append(vec![message(1, "warm", None)]).await.unwrap());
        Self {
            store,
            direct,
            proxy,
            _database: database,
        }
    }

    /// Appends while the connection is cut.
    async fn append(&self, batch: Vec<NewEntry>) -> Result<Outcomes, StoreError> {
        let outcome = timeout(PATIENCE, self.store.append(batch)).await.unwrap();
        assert!(self.proxy.has_cut());
        outcome
    }

    /// The next append works, and is the entry at this place.
    async fn goes_on_at(&self, seq: i64) {
        let next = timeout(PATIENCE, self.store.append(vec![message(1, "next", None)])).await;
        assert_eq!(new_entries(next.unwrap().unwrap())[0].seq.get(), seq);
    }
}

/// A batch of messages with and without an id, and of changes of members, which have none.
fn batches() -> Vec<Vec<NewEntry>> {
    vec![
        vec![
            message(1, "a", Some("a")),
            message(2, "b", None),
            message(1, "c", None),
        ],
        vec![member(1, 3, Role::Admin)],
        vec![removal(1, 2)],
        vec![edit(1, 1, "y")],
        vec![deletion(1, 1)],
        vec![
            removal(1, 2),
            member(1, 2, Role::Owner),
            member(2, 4, Role::Member),
            message(1, "d", None),
        ],
    ]
}

/// Messages of the group that the last append was for.
fn messages() -> Vec<NewEntry> {
    vec![message(1, "a", Some("a")), message(1, "b", None)]
}

fn is_unavailable(outcome: &Result<Outcomes, StoreError>) {
    assert!(
        matches!(outcome, Err(StoreError::Unavailable { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_known_by_the_log() {
    let at_once = (messages(), AT_ONCE);
    for (batch, writes) in batches()
        .into_iter()
        .map(|batch| (batch, WRITES))
        .chain([at_once])
    {
        let world = World::new().await;
        world.proxy.cut(Cut::After(writes));
        let length = batch.len();
        let new = new_entries(world.append(batch).await.unwrap());
        assert_eq!(new.len(), length);
        let mut stored = log(&world.direct, 1).await.split_off(1);
        stored.extend(log(&world.direct, 2).await);
        assert_eq!(stored.len(), length, "once");
        assert!(new.iter().all(|entry| stored.contains(entry)));
        let length = i64::try_from(log(&world.direct, 1).await.len()).unwrap();
        world.goes_on_at(length + 1).await;
    }
}

/// Nothing of it is there, not even a membership.
async fn leaves_nothing(cut: Cut, batches: Vec<Vec<NewEntry>>) {
    for batch in batches {
        let world = World::new().await;
        world.proxy.cut(cut);
        is_unavailable(&world.append(batch).await);
        assert_eq!(log(&world.direct, 1).await.len(), 1);
        assert!(log(&world.direct, 2).await.is_empty());
        let pairs = [2, 3].map(|id| (group(1), user(id)));
        assert_eq!(
            world.direct.roles(&pairs).await.unwrap(),
            [Some(Role::Member), None]
        );
        world.goes_on_at(2).await;
    }
}

#[tokio::test]
async fn a_write_that_did_not_arrive_is_unavailable_and_leaves_nothing() {
    leaves_nothing(Cut::Before(WRITES), batches()).await;
}

#[tokio::test]
async fn a_question_that_did_not_arrive_is_unavailable_and_leaves_nothing() {
    leaves_nothing(Cut::Before(ASKS), batches()).await;
}

#[tokio::test]
async fn a_question_whose_answer_is_lost_is_unavailable_and_leaves_nothing() {
    leaves_nothing(Cut::After(ASKS), batches()).await;
}

#[tokio::test]
async fn messages_that_did_not_arrive_are_unavailable_and_leave_nothing() {
    leaves_nothing(Cut::Before(AT_ONCE), vec![messages()]).await;
}

/// Nobody holds a lock for what is still on its way.
#[tokio::test]
async fn messages_that_arrive_when_they_were_given_up_are_not_stored() {
    leaves_nothing(Cut::Late(AT_ONCE), vec![messages()]).await;
    let world = World::new().await;
    world.proxy.cut(Cut::Late(AT_ONCE));
    is_unavailable(&world.append(messages()).await);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(log(&world.direct, 1).await.len(), 1);
}

#[tokio::test]
async fn a_commit_that_cannot_be_asked_for_is_unavailable_and_a_retry_finds_it() {
    let world = World::new().await;
    world.proxy.cut_for_good(Cut::After(WRITES));
    let begun = Instant::now();
    let batch = vec![message(1, "a", Some("a")), member(1, 3, Role::Admin)];
    is_unavailable(&world.append(batch.clone()).await);
    assert!(
        begun.elapsed() > Duration::from_secs(4),
        "it asked as long as it could"
    );
    assert_eq!(log(&world.direct, 1).await.len(), 3);

    world.proxy.mend();
    let retried = world.store.append(batch).await.unwrap();
    assert!(matches!(retried[0], Ok(Appended::Duplicate(_))), "{retried:?}");
    assert_eq!(retried[1], Ok(Appended::Unchanged));
    world.goes_on_at(4).await;
}
