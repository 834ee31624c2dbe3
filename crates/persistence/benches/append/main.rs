//! How many entries a second each store appends durably, beside what a plain multi-row insert into the same tables with
//! the same indexes comes to, measured in turns in one run; and how fast pages are read.
//!
//! ```sh
//! cargo bench -p sealroom-persistence --bench append
//! ```
//!
//! The files are made in the target directory: it must lie on the disk that is to be measured. An argument that is a
//! number is how many rows are there before (1 000 000). The client ids are random, which is the worst case of their
//! index. It fails where an append reaches less than half of the plain insert.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement, not a library"
)]

mod plain;
mod postgres;
mod sqlite;

use std::time::{Duration, Instant};

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, GroupName, Role, Timestamp, UserId,
    ports::{Cursor, GroupLog, Groups, Guard, Member, MemberLimits, NewBody, NewEntry, NewGroup, PageLimit},
};

use plain::{Plain, PlainRow};

const GROUPS: usize = 50;
const CONTENT: usize = 256;
const BATCHES: [usize; 2] = [64, 512];
/// Turns of each; their median counts.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(2);
const PAGES: Duration = Duration::from_secs(2);

fn main() {
    let rows = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000_000);
    // One thread: otherwise the threads that wake each other are measured too.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ratios = runtime.block_on(async {
        let mut ratios = sqlite::measure(rows).await;
        ratios.extend(postgres::measure(rows).await);
        ratios
    });
    assert!(
        ratios.iter().all(|ratio| *ratio >= 0.5),
        "an append reaches less than half of a plain insert: {ratios:?}"
    );
}

/// Measures one store; gives the ratio of each size of batch.
async fn compare<S: GroupLog + Groups>(
    name: &str,
    store: &S,
    mut plain: impl Plain,
    rows: usize,
) -> Vec<f64> {
    let groups = groups(store).await;
    // Groups of their own: the store trusts the heads of its groups.
    let mut heads: Vec<(GroupId, i64)> = self::groups(store).await.into_iter().map(|id| (id, 1)).collect();
    let mut stored = 0;
    while stored < rows {
        plain.insert(&plain_batch(&mut heads, 5000, stored)).await;
        stored += 5000;
    }
    plain.settle().await;
    println!("{name}: {stored} rows before");
    let mut ratios = Vec::new();
    for size in BATCHES {
        let (mut appended, mut inserted) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            appended.push(
                rate(size, async |offset| {
                    append(store, &groups, size, offset).await;
                })
                .await,
            );
            inserted.push(
                rate(size, async |offset| {
                    plain.insert(&plain_batch(&mut heads, size, offset)).await;
                })
                .await,
            );
        }
        let (appended, inserted) = (median(appended), median(inserted));
        let ratio = appended / inserted;
        println!(
            "{name}, batches of {size:>3} over {GROUPS} groups: append {appended:>7.0} rows/s, plain insert \
             {inserted:>7.0} rows/s, ratio {ratio:.2}"
        );
        ratios.push(ratio);
    }
    pages(name, store, &groups).await;
    ratios
}

/// Rows a second of one turn.
async fn rate(size: usize, mut batch: impl AsyncFnMut(usize)) -> f64 {
    let started = Instant::now();
    let mut rows = 0;
    while started.elapsed() < TURN {
        batch(rows).await;
        rows += size;
    }
    f64::from(u32::try_from(rows).unwrap()) / started.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

async fn groups(store: &impl Groups) -> Vec<GroupId> {
    let sender = UserId::new(1).unwrap();
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        let group = NewGroup {
            name: GroupName::new("measured").unwrap(),
            founders: vec![Member {
                user_id: sender,
                role: Role::Owner,
            }],
            actor_id: sender,
            at: Timestamp::from_secs(0),
            keeps_membership: true,
            limits: MemberLimits::default(),
        };
        groups.push(store.create(group).await.unwrap().unwrap().0);
    }
    groups
}

/// Appends one batch that goes around the groups.
async fn append(store: &impl GroupLog, groups: &[GroupId], size: usize, offset: usize) {
    let content = EncryptedContent::new(content(), CONTENT).unwrap();
    let batch = (0..size)
        .map(|index| NewEntry {
            group_id: groups[(offset + index) % groups.len()],
            actor_id: UserId::new(1).unwrap(),
            at: Timestamp::from_secs(0),
            body: NewBody::Message {
                sender_name: DisplayName::unknown(),
                content: content.clone(),
                client_message_id: Some(ClientMessageId::new(random_id()).unwrap()),
                key_epoch: None,
            },
            guard: Guard::Kept {
                actor_role: Some(Role::Member),
                keeps_owner: true,
            },
        })
        .collect();
    let outcomes = store.append(batch).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
}

/// The same rows, numbered by the benchmark itself.
fn plain_batch(heads: &mut [(GroupId, i64)], size: usize, offset: usize) -> Vec<PlainRow> {
    let count = heads.len();
    (0..size)
        .map(|index| {
            let (group_id, head) = &mut heads[(offset + index) % count];
            *head += 1;
            PlainRow {
                group_id: group_id.get(),
                seq: *head,
                client_message_id: random_id(),
                content: content(),
            }
        })
        .collect()
}

/// As much as a short encrypted text.
fn content() -> String {
    "x".repeat(CONTENT)
}

/// As long as a UUID without its hyphens.
fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    format!("{:032x}", u128::from_ne_bytes(bytes))
}

/// Reads the newest 100 entries of each group, again and again.
async fn pages(name: &str, store: &impl GroupLog, groups: &[GroupId]) {
    let limit = PageLimit {
        entries: 100,
        bytes: 512 * 1024,
    };
    let started = Instant::now();
    let mut pages = 0_u32;
    while started.elapsed() < PAGES {
        for group in groups {
            let page = store.read(*group, Cursor::Newest, limit).await.unwrap();
            assert_eq!(page.unwrap().entries.len(), 100);
            pages += 1;
        }
    }
    println!("{name}, page of 100: {:?}", started.elapsed() / pages);
}
