//! What only the store on PostgreSQL promises: its schema, round trips, lost connections, locks and settings.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

mod abandoned;
mod copied;
mod errors;
mod locks;
mod lost;
mod new_log;
mod plans;
mod proxy;
mod races;
mod round_trips;
mod schema;
mod sessions;
mod tls;

use std::time::Duration;

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, Entry, GroupId, GroupName, RemovalReason, Role, Seq,
    Timestamp, UserId,
    ports::{
        Appended, Cursor, GroupLog, Groups, Guard, MemberLimits, Memberships, NewBody, NewEntry, OfOthers,
        PageLimit, RefusedEntry,
    },
};
use sealroom_persistence::{PostgresOptions, PostgresStore, PostgresUrl};
use xtask_postgres::TestDatabase;

/// Within it whoever waits for an append hears of its end.
const PATIENCE: Duration = Duration::from_secs(5);

type Outcomes = Vec<Result<Appended, RefusedEntry>>;

fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

fn group(id: i64) -> GroupId {
    GroupId::new(id).unwrap()
}

fn options(url: &str) -> PostgresOptions {
    PostgresOptions::new(PostgresUrl::parse(url).unwrap())
}

/// A store on a database of its own.
async fn store() -> (PostgresStore, TestDatabase) {
    let database = TestDatabase::create().await;
    let store = PostgresStore::open(options(database.url())).await.unwrap();
    (store, database)
}

/// Groups 1 to `last`, in each of which user 1 is the owner.
async fn make_groups(store: &PostgresStore, last: i64) {
    let name = GroupName::new("Nhóm").unwrap();
    for id in 1..=last {
        assert!(
            store
                .put(group(id), &name, Timestamp::from_secs(1))
                .await
                .unwrap()
        );
        store.set(group(id), user(1), Role::Owner).await.unwrap();
    }
}

fn entry(group_id: i64, body: NewBody) -> NewEntry {
    NewEntry {
        group_id: group(group_id),
        actor_id: user(1),
        at: Timestamp::from_micros(1_705_314_600_123_456),
        body,
        guard: Guard::Kept {
            actor_role: Some(Role::Member),
            keeps_owner: true,
        },
    }
}

fn message(group_id: i64, text: &str, client_message_id: Option<&str>) -> NewEntry {
    entry(
        group_id,
        NewBody::Message {
            sender_name: DisplayName::new("Nguyễn Văn A").unwrap(),
            content: EncryptedContent::new(text, 65_536).unwrap(),
            client_message_id: client_message_id.map(|id| ClientMessageId::new(id).unwrap()),
            key_epoch: None,
        },
    )
}

fn member(group_id: i64, user_id: i64, role: Role) -> NewEntry {
    entry(
        group_id,
        NewBody::SetMember {
            user_id: user(user_id),
            role,
            limits: MemberLimits::default(),
        },
    )
}

fn edit(group_id: i64, target: i64, text: &str) -> NewEntry {
    entry(
        group_id,
        NewBody::EditMessage {
            target_seq: Seq::new(target).unwrap(),
            content: EncryptedContent::new(text, 65_536).unwrap(),
            key_epoch: None,
        },
    )
}

fn deletion(group_id: i64, target: i64) -> NewEntry {
    entry(
        group_id,
        NewBody::DeleteMessage {
            target_seq: Seq::new(target).unwrap(),
            of_others: OfOthers::FromRole(Role::Admin),
        },
    )
}

fn removal(group_id: i64, user_id: i64) -> NewEntry {
    entry(
        group_id,
        NewBody::RemoveMember {
            user_id: user(user_id),
            reason: RemovalReason::Removed,
        },
    )
}

/// The whole log of a group, whose places are dense.
async fn log(store: &PostgresStore, group_id: i64) -> Vec<Entry> {
    let limit = PageLimit {
        entries: 100_000,
        bytes: usize::MAX,
    };
    let page = GroupLog::read(store, group(group_id), Cursor::After(Seq::ZERO), limit).await;
    let page = page.unwrap().unwrap();
    for (place, entry) in (1..).zip(&page.entries) {
        assert_eq!(entry.seq.get(), place);
    }
    page.entries
}

/// The entries that are new.
fn new_entries(outcomes: Outcomes) -> Vec<Entry> {
    let new = outcomes.into_iter().map(|outcome| match outcome {
        Ok(Appended::New(entry)) => entry,
        other => panic!("not new: {other:?}"),
    });
    new.collect()
}
