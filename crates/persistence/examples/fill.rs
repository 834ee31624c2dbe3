//! Fills an SQLite file with messages, to have something to copy or to measure on.
//!
//! ```sh
//! cargo run --release -p sealroom-persistence --example fill -- sealroom-data/sealroom.db 1000000
//! ```
//!
//! 1 000 groups of up to ten members, 256 bytes of content, a random `client_message_id` on each message.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program for tests and measurements, not shipped"
)]

use std::fmt::Write as _;

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, GroupName, Role, Timestamp, UserId,
    ports::{GroupLog, Groups, Guard, Member, MemberLimits, NewBody, NewEntry, NewGroup, Users},
};
use sealroom_persistence::{SqliteOptions, SqliteStore};

const GROUPS: usize = 1000;
const CONTENT: usize = 256;
const BATCH: usize = 5000;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap();
    let rows: usize = arguments.next().unwrap().parse().unwrap();
    let store = SqliteStore::open(SqliteOptions::new(file)).await.unwrap();
    let groups = groups(&store).await;
    let mut stored = 0;
    while stored < rows {
        let size = BATCH.min(rows - stored);
        let batch = (stored..stored + size)
            .map(|index| message(groups[index % GROUPS]))
            .collect();
        store.append(batch).await.unwrap();
        stored += size;
    }
    store.close().await.unwrap();
    println!("{stored} messages");
}

async fn groups(store: &SqliteStore) -> Vec<GroupId> {
    let mut groups = Vec::with_capacity(GROUPS);
    for index in 0..GROUPS {
        let owner = Member {
            user_id: UserId::new(1).unwrap(),
            role: Role::Owner,
        };
        let others = (0..index % 10).map(|other| Member {
            user_id: UserId::new(i64::try_from(2 + (index + other) % 500).unwrap()).unwrap(),
            role: Role::Member,
        });
        let group = NewGroup {
            name: GroupName::new(format!("Nhóm {index}")).unwrap(),
            founders: std::iter::once(owner).chain(others).collect(),
            actor_id: owner.user_id,
            at: Timestamp::from_secs(1_700_000_000),
            keeps_membership: true,
            limits: MemberLimits::default(),
        };
        groups.push(store.create(group).await.unwrap().unwrap().0);
    }
    let name = DisplayName::new("Nguyễn Văn A").unwrap();
    let user_id = UserId::new(1).unwrap();
    store.upsert(user_id, &name, None).await.unwrap();
    groups
}

fn message(group_id: GroupId) -> NewEntry {
    let mut content = String::with_capacity(CONTENT);
    while content.len() < CONTENT {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).unwrap();
        write!(content, "{:032x}", u128::from_ne_bytes(bytes)).unwrap();
    }
    NewEntry {
        group_id,
        actor_id: UserId::new(1).unwrap(),
        at: Timestamp::from_secs(1_700_000_000),
        body: NewBody::Message {
            sender_name: DisplayName::new("Nguyễn Văn A").unwrap(),
            client_message_id: Some(ClientMessageId::new(&content[..32]).unwrap()),
            content: EncryptedContent::new(content, CONTENT).unwrap(),
            key_epoch: None,
        },
        guard: Guard::Kept {
            actor_role: Some(Role::Member),
            keeps_owner: false,
        },
    }
}
