//! A copy carries everything that belongs to the deployment, and goes on after an interruption.

use std::{fmt::Write as _, time::Duration};

use sealroom_domain::{
    DisplayName, GroupName, PasswordHash, Retention, Role, Seq, Timestamp, TokenDigest, Username,
    ports::{
        Accounts, Cursor, GroupChange, GroupLog, Groups, Memberships, NewAccount, NewRefreshToken, Outbox,
        OutboxId, PageLimit, ReadMark, ReadMarks, Refreshed, Upkeep, Users,
    },
};
use sealroom_persistence::{CopyError, PostgresStore, SqliteOptions, SqliteStore, copy};
use tempfile::TempDir;
use xtask_postgres::TestDatabase;

use crate::{deletion, edit, group, message, options, user};

fn secs(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn token(number: u8) -> NewRefreshToken {
    NewRefreshToken {
        digest: TokenDigest::new([number; 32]),
        at: secs(1),
        expires_at: secs(100),
    }
}

fn keeps(count: u64) -> Retention {
    Retention {
        age: None,
        count: Some(count),
    }
}

/// Groups that live, were trimmed, were deleted and came back.
async fn fill_groups(store: &SqliteStore) {
    let name = GroupName::new("Nhóm").unwrap();
    for id in 1..=4 {
        store.put(group(id), &name, secs(1)).await.unwrap();
        store.set(group(id), user(1), Role::Owner).await.unwrap();
        let batch = (0..6).map(|number| message(id, "x", Some(&format!("c-{number}"))));
        store.append(batch.collect()).await.unwrap();
    }
    store.append(vec![edit(1, 1, "y"), deletion(1, 2)]).await.unwrap();
    let change = GroupChange {
        name: None,
        retention: Some(Retention {
            age: Some(Duration::from_millis(86_400_500)),
            count: Some(3),
        }),
    };
    store.update(group(2), change).await.unwrap();
    store
        .trim(Some(group(1)), Retention::default(), secs(2))
        .await
        .unwrap();
    store.delete(group(3), secs(3)).await.unwrap();
    store.delete(group(4), secs(3)).await.unwrap();
    store.put(group(4), &name, secs(4)).await.unwrap();
}

/// Users who were revoked and erased, one with an account and a login, and one with a read mark.
async fn fill(store: &SqliteStore) {
    fill_groups(store).await;
    let mark = ReadMark {
        group_id: group(1),
        user_id: user(9),
        seq: Seq::new(4).unwrap(),
    };
    store.advance(vec![mark]).await.unwrap();
    store.revoke(user(20), secs(7)).await.unwrap();
    store.revoke(user(21), secs(7)).await.unwrap();
    store.erase(user(21), secs(8)).await.unwrap();
    let account = NewAccount {
        username: Username::new("an").unwrap(),
        display_name: DisplayName::new("An").unwrap(),
        password: PasswordHash::new("hash"),
        at: secs(1),
    };
    let user_id = store.register(account).await.unwrap().unwrap();
    store.open_login(user_id, token(1)).await.unwrap();
    let refreshed = store.refresh(&token(1).digest, token(2), secs(2)).await.unwrap();
    assert!(matches!(refreshed, Refreshed::Done { .. }));
}

async fn filled() -> (SqliteStore, SqliteOptions, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut from = SqliteOptions::new(dir.path().join("a.db"));
    from.outbox = true;
    let source = SqliteStore::open(from.clone()).await.unwrap();
    fill(&source).await;
    (source, from, dir)
}

/// Everything that the ports tell, of either store.
async fn told(
    store: &(impl GroupLog + Groups + Memberships + Users + ReadMarks + Accounts + Upkeep),
) -> String {
    let groups = [1, 2, 3, 4].map(group);
    let limit = PageLimit {
        entries: 100,
        bytes: usize::MAX,
    };
    let mut told = format!("{:?}", store.get(&groups).await.unwrap());
    for group_id in groups {
        let log = store.read(group_id, Cursor::Newest, limit).await.unwrap();
        let messages = store.messages(group_id, Cursor::Newest, limit).await.unwrap();
        let members = store.members_of(group_id).await.unwrap();
        write!(told, "{log:?} {messages:?} {members:?}").unwrap();
    }
    let users: Vec<_> = (1..30).map(user).collect();
    let mut profiles = store.profiles(&users).await.unwrap();
    profiles.sort_by_key(|profile| profile.user_id);
    let marks = store.of_user(user(9), &groups).await.unwrap();
    let account = store.account(&Username::new("an").unwrap()).await.unwrap();
    let erasures = store.unfinished_erasures().await.unwrap();
    write!(told, "{profiles:?} {marks:?} {account:?} {erasures:?}").unwrap();
    told
}

#[tokio::test]
async fn everything_is_carried_and_goes_on() {
    let (source, from, _dir) = filled().await;
    let before = told(&source).await;
    source.close().await.unwrap();
    let database = TestDatabase::create().await;
    let report = copy(from.clone(), options(database.url()), |_| {}).await.unwrap();
    assert_eq!(
        report.counts.to_string(),
        "4 users, 4 groups, 2 memberships, 1 read marks, 1 accounts, 1 logins, 2 refresh tokens, 11 entries"
    );
    let again = copy(from, options(database.url()), |_| {}).await.unwrap();
    assert_eq!(again, report, "only compared");
    let target = PostgresStore::open(options(database.url())).await.unwrap();
    assert_eq!(told(&target).await, before);
    assert_eq!(target.pending(OutboxId(0), 10).await.unwrap(), []);
    // The refresh token that was worth something still is; the next login has another id.
    let refreshed = target.refresh(&token(2).digest, token(3), secs(3)).await;
    let Refreshed::Done { user_id, login_id } = refreshed.unwrap() else {
        panic!("the token is not worth anything")
    };
    assert_ne!(target.open_login(user_id, token(4)).await.unwrap(), login_id);
    let reused = target.refresh(&token(1).digest, token(5), secs(3)).await.unwrap();
    assert_eq!(reused, Refreshed::Reused { user_id, login_id });
}

#[tokio::test]
async fn what_changed_since_an_interrupted_copy_is_copied_anew() {
    let (source, from, _dir) = filled().await;
    let log_id = source.log_id().await.unwrap();
    source.close().await.unwrap();
    let database = TestDatabase::create().await;
    copy(from.clone(), options(database.url()), |_| {}).await.unwrap();
    // As if it had been killed before its end, and the old server had gone on.
    let unfinished = format!("UPDATE meta SET log_id = 'copying-{}'", log_id.as_str());
    database.client().await.batch_execute(&unfinished).await.unwrap();
    let source = SqliteStore::open(from.clone()).await.unwrap();
    source
        .append(vec![deletion(1, 3), message(1, "later", None)])
        .await
        .unwrap();
    source.trim(Some(group(1)), keeps(2), secs(9)).await.unwrap();
    source.erase(user(20), secs(9)).await.unwrap();
    let before = told(&source).await;
    source.close().await.unwrap();
    copy(from, options(database.url()), |_| {}).await.unwrap();
    let target = PostgresStore::open(options(database.url())).await.unwrap();
    assert_eq!(told(&target).await, before);
}

#[tokio::test]
async fn a_difference_in_any_table_is_found() {
    let (source, from, _dir) = filled().await;
    source.close().await.unwrap();
    let database = TestDatabase::create().await;
    copy(from.clone(), options(database.url()), |_| {}).await.unwrap();
    let client = database.client().await;
    for (change, back) in [
        (
            "UPDATE users SET revoked_up_to = 1 WHERE id = 20",
            "UPDATE users SET revoked_up_to = 7000000 WHERE id = 20",
        ),
        (
            "UPDATE members SET role = 'admin' WHERE group_id = 1",
            "UPDATE members SET role = 'owner' WHERE group_id = 1",
        ),
        (
            "UPDATE read_marks SET read_seq = 1",
            "UPDATE read_marks SET read_seq = 4",
        ),
        (
            "UPDATE accounts SET password_hash = 'another'",
            "UPDATE accounts SET password_hash = 'hash'",
        ),
        (
            "UPDATE logins SET ended_at = 1",
            "UPDATE logins SET ended_at = NULL",
        ),
        (
            "UPDATE refresh_tokens SET expires_at = 1",
            "UPDATE refresh_tokens SET expires_at = 100000000",
        ),
        (
            "UPDATE groups SET retention_age = 1 WHERE id = 1",
            "UPDATE groups SET retention_age = NULL WHERE id = 1",
        ),
        (
            "UPDATE groups SET deleted_at = 1 WHERE id = 3",
            "UPDATE groups SET deleted_at = 3000000 WHERE id = 3",
        ),
        (
            "UPDATE entries SET content = 'z' WHERE group_id = 1 AND seq = 4",
            "UPDATE entries SET content = 'x' WHERE group_id = 1 AND seq = 4",
        ),
    ] {
        client.batch_execute(change).await.unwrap();
        let compared = copy(from.clone(), options(database.url()), |_| {}).await;
        assert!(
            matches!(compared, Err(CopyError::Differs { .. })),
            "{change}: {compared:?}"
        );
        client.batch_execute(back).await.unwrap();
        copy(from.clone(), options(database.url()), |_| {}).await.unwrap();
    }
}
