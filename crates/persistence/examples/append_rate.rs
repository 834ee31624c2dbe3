//! How many entries a second the SQLite store appends durably, and how fast it reads pages.
//!
//! ```sh
//! cargo run --release -p sealroom-persistence --example append_rate -- /path/on/the/disk/to/measure 1000000
//! ```
//!
//! The first argument is a directory, which gets a database of its own; the second one is how many rows are there
//! before the measurement (100 000 if absent). The client ids are random, which is the worst case of their index.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program to be looked at, not shipped"
)]

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, GroupName, Role, Timestamp, UserId,
    ports::{Cursor, GroupLog, Groups, Guard, Member, NewBody, NewEntry, NewGroup, PageLimit},
};
use sealroom_persistence::{SqliteOptions, SqliteStore};

const GROUPS: usize = 50;
const CONTENT: usize = 200;
const RUN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().unwrap_or_else(|| ".".into()));
    let prefill = arguments.next().map_or(100_000, |rows| rows.parse().unwrap());
    let path = directory.join("append-rate.db");
    for suffix in ["", "-wal", "-shm", "-migrating"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let store = SqliteStore::open(SqliteOptions::new(&path)).await.unwrap();
    let groups = groups(&store).await;
    let sender = UserId::new(1).unwrap();

    let mut rows = 0;
    while rows < prefill {
        rows += append(&store, sender, &groups, 5000, rows).await;
    }
    println!("{rows} rows before");
    for (batch, spread) in [(1, GROUPS), (64, GROUPS), (512, GROUPS), (64, 1)] {
        let started = Instant::now();
        let mut appended = 0;
        while started.elapsed() < RUN {
            appended += append(&store, sender, groups.get(..spread).unwrap(), batch, appended).await;
        }
        let rate = f64::from(u32::try_from(appended).unwrap()) / started.elapsed().as_secs_f64();
        println!("batch {batch:>3} over {spread:>2} groups: {rate:>8.0} rows/s");
    }
    pages(&store, &groups).await;
    store.close().await.unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("{} MiB", bytes / (1024 * 1024));
}

async fn groups(store: &SqliteStore) -> Vec<GroupId> {
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        let group = NewGroup {
            name: GroupName::new("measured").unwrap(),
            founders: vec![Member {
                user_id: UserId::new(1).unwrap(),
                role: Role::Owner,
            }],
            actor_id: UserId::new(1).unwrap(),
            at: Timestamp::from_secs(0),
            keeps_membership: true,
        };
        groups.push(store.create(group).await.unwrap().0);
    }
    groups
}

/// Appends one batch that goes around the groups from `offset` on.
async fn append(
    store: &SqliteStore,
    sender: UserId,
    groups: &[GroupId],
    size: usize,
    offset: usize,
) -> usize {
    let content = EncryptedContent::new("x".repeat(CONTENT), CONTENT).unwrap();
    let batch = (0..size)
        .map(|index| NewEntry {
            group_id: *groups.get((offset + index) % groups.len()).unwrap(),
            actor_id: sender,
            at: Timestamp::from_secs(0),
            body: NewBody::Message {
                sender_name: DisplayName::unknown(),
                content: content.clone(),
                client_message_id: Some(random_id()),
                key_epoch: None,
            },
            guard: Guard::Kept {
                actor_role: Some(Role::Member),
                keeps_owner: true,
            },
        })
        .collect();
    store.append(batch).await.unwrap().len()
}

/// As long as a UUID without its hyphens.
fn random_id() -> ClientMessageId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    ClientMessageId::new(format!("{:032x}", u128::from_ne_bytes(bytes))).unwrap()
}

/// Reads the newest 100 entries of each group, again and again.
async fn pages(store: &SqliteStore, groups: &[GroupId]) {
    let limit = PageLimit {
        entries: 100,
        bytes: 512 * 1024,
    };
    let started = Instant::now();
    let mut pages = 0_u32;
    while started.elapsed() < RUN {
        for group in groups {
            let page = store.read(*group, Cursor::Newest, limit).await.unwrap();
            assert_eq!(page.unwrap().entries.len(), 100);
            pages += 1;
        }
    }
    let each = started.elapsed() / pages;
    println!("page of 100: {each:?}");
}
