//! The suites of the ports on SQLite.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made ends the test")]

use std::sync::Arc;

use sealroom_domain::ports::{GroupLog, Groups, Memberships, Users};
use sealroom_persistence::{SqliteOptions, SqliteStore};
use sealroom_testkit::conformance::{
    Hook, group_log::GroupLogFixture, groups::GroupsFixture, memberships::MembershipsFixture,
    users::UsersFixture,
};
use tempfile::TempDir;

async fn store() -> (Arc<SqliteStore>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (open(&dir).await, dir)
}

async fn open(dir: &TempDir) -> Arc<SqliteStore> {
    let options = SqliteOptions::new(dir.path().join("test.db"));
    Arc::new(SqliteStore::open(options).await.unwrap())
}

async fn group_log() -> GroupLogFixture {
    let (store, dir) = store().await;
    let log: Arc<dyn GroupLog> = Arc::<SqliteStore>::clone(&store);
    let groups: Arc<dyn Groups> = Arc::<SqliteStore>::clone(&store);
    let memberships: Arc<dyn Memberships> = Arc::<SqliteStore>::clone(&store);
    let peer = open(&dir).await;
    let outage = Hook::new(move |()| {
        let store = Arc::clone(&store);
        async move { store.close().await.unwrap() }
    });
    GroupLogFixture::new(log, groups)
        .with_memberships(memberships)
        .with_peer(peer)
        .with_outage(outage)
        .keeping(dir)
}

async fn groups() -> GroupsFixture {
    let (store, dir) = store().await;
    let groups: Arc<dyn Groups> = Arc::<SqliteStore>::clone(&store);
    let log: Arc<dyn GroupLog> = Arc::<SqliteStore>::clone(&store);
    GroupsFixture::new(groups, log)
        .with_memberships(store)
        .keeping(dir)
}

async fn memberships() -> MembershipsFixture {
    let (store, dir) = store().await;
    let memberships: Arc<dyn Memberships> = Arc::<SqliteStore>::clone(&store);
    let make_group = Hook::new(move |group_id| {
        let store = Arc::clone(&store);
        async move {
            let name = sealroom_domain::GroupName::new("group").unwrap();
            let at = sealroom_domain::Timestamp::from_secs(0);
            store.put(group_id, &name, at).await.unwrap();
        }
    });
    MembershipsFixture::new(memberships)
        .with_groups(make_group)
        .keeping(dir)
}

async fn users() -> UsersFixture {
    let (store, dir) = store().await;
    let users: Arc<dyn Users> = store;
    UsersFixture::new(users).keeping(dir)
}

mod sqlite_group_log {
    sealroom_testkit::group_log_conformance!(super::group_log());
}

mod sqlite_group_log_on_threads {
    sealroom_testkit::group_log_conformance!(multi_thread, super::group_log());
}

mod sqlite_groups {
    sealroom_testkit::groups_conformance!(super::groups());
}

mod sqlite_memberships {
    sealroom_testkit::memberships_conformance!(super::memberships());
}

mod sqlite_users {
    sealroom_testkit::users_conformance!(super::users());
}
