//! Several who write at once: the order of statements, deadlocks, and a group whose lock somebody holds.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use sealroom_domain::{
    Role,
    ports::{Appended, GroupLog, Memberships, NewEntry, RefusedEntry, StoreError},
};
use sealroom_persistence::PostgresStore;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::Client;
use xtask_postgres::TestDatabase;

use crate::{PATIENCE, group, log, make_groups, message, new_entries, options, store, user};

/// Waits until as many sessions of the database wait for a lock.
async fn waiting(client: &Client, sessions: i64) {
    let question = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..400 {
        let row = client.query_one(question, &[]).await.unwrap();
        if row.get::<_, i64>(0) == sessions {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("{sessions} sessions do not wait for a lock");
}

/// The first append of a connection asks behind the lock, as every later one does: it sees what the session before it
/// changed. Half of the senders are members no longer, the others have just become members.
#[tokio::test]
async fn the_first_append_of_a_connection_sees_what_it_waited_for() {
    const LANES: i64 = 20;
    for _ in 0..10 {
        let database = TestDatabase::create().await;
        let mut options = options(database.url());
        options.writers = u32::try_from(LANES).unwrap();
        let direct = PostgresStore::open(options.clone()).await.unwrap();
        make_groups(&direct, LANES).await;
        let store = PostgresStore::open(options).await.unwrap();
        let (other, watch) = (database.client().await, database.client().await);
        let lock = "BEGIN; DELETE FROM members WHERE group_id % 2 = 0;
                    SELECT id FROM groups ORDER BY id FOR NO KEY UPDATE";
        direct.remove(group(1), user(1)).await.unwrap();
        other.batch_execute(lock).await.unwrap();
        let appends = join_all((1..=LANES).map(|id| store.append(vec![message(id, "x", None)])));
        let change = async {
            waiting(&watch, LANES).await;
            let insert = "INSERT INTO members (group_id, user_id, role) VALUES (1, 1, 'member'); COMMIT";
            other.batch_execute(insert).await.unwrap();
        };
        let (outcomes, ()) = futures_util::future::join(appends, change).await;
        for (id, outcome) in (1..).zip(outcomes) {
            let outcome = outcome.unwrap().remove(0);
            if id % 2 == 0 {
                assert_eq!(outcome, Err(RefusedEntry::ActorRole), "group {id}");
            } else {
                assert!(matches!(outcome, Ok(Appended::New(_))), "group {id}: {outcome:?}");
            }
        }
    }
}

/// xorshift64: reproducible from the seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_batches_never_wait_in_a_circle_and_store_each_id_once() {
    const GROUPS: i64 = 6;
    const BATCHES: usize = 15;
    let (first, database) = store().await;
    let second = PostgresStore::open(options(database.url())).await.unwrap();
    make_groups(&first, GROUPS).await;
    let mut tasks = JoinSet::new();
    for task in 0..16_u64 {
        let store = if task % 2 == 0 {
            first.clone()
        } else {
            second.clone()
        };
        tasks.spawn(async move {
            let mut random = Random(task + 1);
            for number in 0..BATCHES {
                // Every task sends these ids.
                let mut batch: Vec<NewEntry> = (1..=GROUPS)
                    .filter(|id| (number + usize::try_from(*id).unwrap()) % 3 > 0)
                    .map(|id| message(id, "shared", Some(&format!("{number}"))))
                    .collect();
                // And members come, known to nobody before.
                for id in [1, 2] {
                    let member = 100 + i64::try_from(random.below(20)).unwrap();
                    batch.push(crate::member(id, member, Role::Member));
                }
                batch.push(message(1 + i64::try_from(task).unwrap() % GROUPS, "own", None));
                random.shuffle(&mut batch);
                for outcome in store.append(batch).await.unwrap() {
                    outcome.unwrap();
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    for id in 1..=GROUPS {
        let (mut last, mut seen) = (0, BTreeMap::new());
        for entry in log(&first, id).await {
            let Some(message) = entry.message() else { continue };
            assert!(message.id.get() > last, "ids grow within a group");
            last = message.id.get();
            if let Some(id) = &message.client_message_id {
                *seen.entry(id.as_str().to_owned()).or_insert(0) += 1;
            }
        }
        assert_eq!(seen.len(), BATCHES * 2 / 3);
        assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    }
    // A session tells of its deadlocks when it ends.
    first.close().await.unwrap();
    second.close().await.unwrap();
    sleep(Duration::from_millis(500)).await;
    let client = database.client().await;
    let question = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks: i64 = client.query_one(question, &[]).await.unwrap().get(0);
    assert_eq!(deadlocks, 0);
}

#[tokio::test]
async fn a_group_that_somebody_holds_stops_no_other() {
    let (store, database) = store().await;
    make_groups(&store, 3).await;
    // A connection for each of those that wait, and one more.
    join_all((1..=3).map(|id| store.append(vec![message(id, "warm", None)]))).await;
    let other = database.client().await;
    other
        .batch_execute("BEGIN; SELECT id FROM groups WHERE id = 1 FOR UPDATE")
        .await
        .unwrap();
    let begun = Instant::now();
    let held = join_all((0..2).map(|_| timeout(PATIENCE, store.append(vec![message(1, "x", None)]))));
    let free = async {
        let mut appended = 0;
        while begun.elapsed() < Duration::from_millis(3500) {
            let group_id = 2 + appended % 2;
            let append = store.append(vec![message(group_id, "y", None)]);
            let outcomes = timeout(Duration::from_millis(500), append)
                .await
                .unwrap()
                .unwrap();
            new_entries(outcomes);
            appended += 1;
        }
        appended
    };
    let (held, appended) = futures_util::future::join(held, free).await;
    for outcome in held {
        let outcome = outcome.unwrap();
        assert!(
            matches!(outcome, Err(StoreError::Unavailable { .. })),
            "{outcome:?}"
        );
    }
    assert!(begun.elapsed() > Duration::from_millis(3900));
    assert!(appended > 10);
    other.batch_execute("COMMIT").await.unwrap();
    new_entries(store.append(vec![message(1, "x", None)]).await.unwrap());
    assert_eq!(log(&store, 1).await.len(), 2);
}
