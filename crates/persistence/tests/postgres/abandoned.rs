//! Callers that go away, at any moment: nothing of theirs stays open on either store, and the next one is served.

use std::{sync::Arc, time::Duration};

use sealroom_domain::{
    DisplayName, GroupName, PasswordHash, Retention, Role, Seq, Timestamp, TokenDigest, Username,
    ports::{
        Accounts, Cursor, GroupChange, GroupLog, Groups, Member, MemberLimits, Memberships, NewAccount,
        NewGroup, NewRefreshToken, Outbox, OutboxId, PageLimit, ReadMark, ReadMarks, StoreError, Upkeep,
        Users,
    },
};
use sealroom_persistence::{PostgresStore, SqliteOptions, SqliteStore};
use sealroom_testkit::Polls;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;
use xtask_postgres::TestDatabase;

use crate::{deletion, edit, group, member, message, new_entries, options, user};

trait Store: GroupLog + Groups + Memberships + Users + ReadMarks + Accounts + Outbox + Upkeep {}

impl<S: GroupLog + Groups + Memberships + Users + ReadMarks + Accounts + Outbox + Upkeep> Store for S {}

#[derive(Debug, Clone, Copy)]
enum Call {
    Append,
    Read,
    Create,
    Put,
    Set,
    Remove,
    Upsert,
    Provision,
    Roles,
    Heads,
    EditAndDelete,
    Messages,
    Delete,
    Revive,
    Update,
    Revoke,
    Erase,
    EraseContent,
    Advance,
    Register,
    OpenLogin,
    Refresh,
    Lease,
    Deliver,
    Trim,
}

const CALLS: [Call; 25] = [
    Call::Append,
    Call::Read,
    Call::Create,
    Call::Put,
    Call::Set,
    Call::Remove,
    Call::Upsert,
    Call::Provision,
    Call::Roles,
    Call::Heads,
    Call::EditAndDelete,
    Call::Messages,
    Call::Delete,
    Call::Revive,
    Call::Update,
    Call::Revoke,
    Call::Erase,
    Call::EraseContent,
    Call::Advance,
    Call::Register,
    Call::OpenLogin,
    Call::Refresh,
    Call::Lease,
    Call::Deliver,
    Call::Trim,
];

/// Makes a call that changes something each time.
async fn call(store: &dyn Store, call: Call, round: u32) {
    let other = user(1000 + i64::from(round));
    let at = Timestamp::from_secs(2);
    let name = GroupName::new(format!("group {round}")).unwrap();
    let display_name = DisplayName::new(format!("user {round}")).unwrap();
    match call {
        Call::Append => {
            let new = member(1, other.get(), Role::Member);
            store.append(vec![message(1, "x", None), new]).await.map(drop)
        }
        Call::Read => {
            let limit = PageLimit {
                entries: 10,
                bytes: usize::MAX,
            };
            store
                .read(group(1), Cursor::After(Seq::ZERO), limit)
                .await
                .map(drop)
        }
        Call::Create => {
            let group = NewGroup {
                name,
                founders: vec![Member {
                    user_id: other,
                    role: Role::Owner,
                }],
                actor_id: other,
                at,
                keeps_membership: true,
                limits: MemberLimits::default(),
            };
            store.create(group).await.map(drop)
        }
        Call::Put => store.put(group(1), &name, at).await.map(drop),
        Call::Set => store.set(group(1), other, Role::Member).await,
        Call::Remove => store.remove(group(1), other).await.map(drop),
        Call::Upsert => store.upsert(other, &display_name, None).await.map(drop),
        Call::Provision => store.provision(other, Some(&display_name)).await.map(drop),
        Call::Roles => store.roles(&[(group(1), user(1))]).await.map(drop),
        Call::Heads => store.heads(&[group(1)]).await.map(drop),
        of_an_application => call_more(store, of_an_application, round).await,
    }
    .unwrap();
}

/// As [`call`], of what applications and operators ask for.
async fn call_more(store: &dyn Store, call: Call, round: u32) -> Result<(), StoreError> {
    let other = user(1000 + i64::from(round));
    let at = Timestamp::from_secs(2);
    let name = GroupName::new(format!("group {round}")).unwrap();
    let limit = PageLimit {
        entries: 10,
        bytes: usize::MAX,
    };
    match call {
        Call::EditAndDelete => {
            let batch = vec![
                edit(1, 1, &format!("y {round}")),
                message(1, "x", None),
                deletion(1, 2),
            ];
            store.append(batch).await.map(drop)
        }
        Call::Messages => store.messages(group(1), Cursor::Newest, limit).await.map(drop),
        Call::Delete => store.delete(group(2), at).await.map(drop),
        Call::Revive => store.put(group(2), &name, at).await.map(drop),
        Call::Update => {
            let change = GroupChange {
                name: Some(name),
                retention: Some(Retention::default()),
            };
            store.update(group(1), change).await.map(drop)
        }
        Call::Revoke => store.revoke(other, at).await,
        Call::Erase => store.erase(user(2), at).await.map(drop),
        Call::EraseContent => store.erase_content(user(3), None).await.map(drop),
        Call::Advance => {
            let mark = ReadMark {
                group_id: group(1),
                user_id: other,
                seq: Seq::new(1).unwrap(),
            };
            store.advance(vec![mark]).await.map(drop)
        }
        Call::Register => {
            let account = NewAccount {
                username: Username::new(format!("user-{round}")).unwrap(),
                display_name: DisplayName::new("x").unwrap(),
                password: PasswordHash::new("hash"),
                at,
            };
            store.register(account).await.map(drop)
        }
        Call::OpenLogin => store.open_login(user(1), token(round, 1)).await.map(drop),
        Call::Refresh => store
            .refresh(&token(round, 1).digest, token(round, 2), at)
            .await
            .map(drop),
        Call::Lease => {
            let until = Timestamp::from_secs(9);
            store.lease("somebody", at, until).await.map(drop)
        }
        Call::Deliver => store.delivered(&[OutboxId(i64::from(round))]).await,
        Call::Trim => {
            // Of the group of its own that nobody looks at.
            let rule = Retention {
                age: None,
                count: Some(1 << 40),
            };
            store.trim(Some(group(1)), rule, at).await.map(drop)
        }
        other => panic!("{other:?} is called elsewhere"),
    }
}

fn token(round: u32, number: u8) -> NewRefreshToken {
    let mut digest = [number; 32];
    digest[..4].copy_from_slice(&round.to_be_bytes());
    NewRefreshToken {
        digest: TokenDigest::new(digest),
        at: Timestamp::from_secs(2),
        expires_at: Timestamp::from_secs(9),
    }
}

/// The next append works at once, and the places stay dense.
async fn goes_on(store: &dyn Store) {
    let append = store.append(vec![message(1, "next", None)]);
    let outcomes = timeout(Duration::from_secs(1), append).await.unwrap().unwrap();
    let seq = new_entries(outcomes)[0].seq;
    let limit = PageLimit {
        entries: 100_000,
        bytes: usize::MAX,
    };
    let page = store.read(group(1), Cursor::After(Seq::ZERO), limit).await;
    let page = page.unwrap().unwrap();
    // An abandoned append that was still connecting may come after it.
    assert!(page.head >= seq && page.first.get() == 1);
    for (place, entry) in (1..).zip(&page.entries) {
        assert_eq!(entry.seq.get(), place);
    }
    assert_eq!(page.entries.len(), usize::try_from(page.head.get()).unwrap());
}

async fn prepare(store: &dyn Store) {
    let name = GroupName::new("Nhóm").unwrap();
    store.put(group(1), &name, Timestamp::from_secs(1)).await.unwrap();
    store.set(group(1), user(1), Role::Owner).await.unwrap();
    store.put(group(2), &name, Timestamp::from_secs(1)).await.unwrap();
    store.revoke(user(2), Timestamp::from_secs(1)).await.unwrap();
    store.revoke(user(3), Timestamp::from_secs(1)).await.unwrap();
    store.erase(user(3), Timestamp::from_secs(1)).await.unwrap();
    goes_on(store).await;
}

/// Waits until no session but the caller's works, holds a transaction or a lock of a table.
async fn is_quiet(client: &Client) {
    let question = "SELECT
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND (state <> 'idle' OR xact_start IS NOT NULL))
        + (SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND locktype IN ('relation', 'tuple', 'advisory')
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    for _ in 0..200 {
        let row = client.query_one(question, &[]).await.unwrap();
        if row.get::<_, i64>(0) == 0 {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("a session still works or holds a lock");
}

/// Abandons the call at every poll, until it ends by itself.
async fn abandon(store: &dyn Store, which: Call, watch: Option<&Client>) {
    for (how, first) in [(Polls::Woken, 0), (Polls::Restless, 10_000)] {
        let mut ended = false;
        for polls in how.moments() {
            ended = how.abandon_after(polls, call(store, which, first + polls)).await;
            if let Some(client) = watch {
                is_quiet(client).await;
            }
            goes_on(store).await;
            if ended {
                break;
            }
        }
        assert!(ended, "{which:?} never ends");
    }
}

#[tokio::test]
async fn calls_on_postgresql_leave_nothing_open() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let mut options = options(database.url());
    (options.writers, options.readers) = (2, 2);
    let store = PostgresStore::open(options).await.unwrap();
    prepare(&store).await;
    for which in CALLS {
        abandon(&store, which, Some(&client)).await;
    }
}

/// As above, where the call has to open its connection first.
#[tokio::test]
async fn calls_that_connect_leave_nothing_open() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let first = PostgresStore::open(options(database.url())).await.unwrap();
    prepare(&first).await;
    for which in [Call::Append, Call::Read, Call::Create] {
        for polls in Polls::Restless.moments().take(60).step_by(3) {
            let store = PostgresStore::open(options(database.url())).await.unwrap();
            Polls::Restless
                .abandon_after(polls, call(&store, which, polls))
                .await;
            is_quiet(&client).await;
            goes_on(&store).await;
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn calls_on_sqlite_leave_nothing_open() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("test.db"));
    let store = Arc::new(SqliteStore::open(options.clone()).await.unwrap());
    // Another store on the file writes too: it would wait for a transaction that stayed open.
    let other = SqliteStore::open(options).await.unwrap();
    prepare(&*store).await;
    for which in CALLS {
        abandon(&*store, which, None).await;
        goes_on(&other).await;
    }
}
