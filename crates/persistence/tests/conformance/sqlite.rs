//! SQLite.

use std::sync::Arc;

use sealroom_persistence::{SqliteOptions, SqliteStore};
use sealroom_testkit::conformance::{
    Hook, group_log::GroupLogFixture, groups::GroupsFixture, memberships::MembershipsFixture,
    users::UsersFixture,
};
use tempfile::TempDir;

use crate::fixtures;

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
    let peer = open(&dir).await;
    let closed = Arc::clone(&store);
    let outage = Hook::new(move |()| {
        let store = Arc::clone(&closed);
        async move { store.close().await.unwrap() }
    });
    fixtures::group_log(store, peer, outage, dir)
}

async fn groups() -> GroupsFixture {
    let (store, dir) = store().await;
    fixtures::groups(store, dir)
}

async fn memberships() -> MembershipsFixture {
    let (store, dir) = store().await;
    fixtures::memberships(store, dir)
}

async fn users() -> UsersFixture {
    let (store, dir) = store().await;
    fixtures::users(store, dir)
}

mod group_log {
    sealroom_testkit::group_log_conformance!(super::group_log());
}

mod group_log_on_threads {
    sealroom_testkit::group_log_conformance!(multi_thread, super::group_log());
}

mod groups {
    sealroom_testkit::groups_conformance!(super::groups());
}

mod memberships {
    sealroom_testkit::memberships_conformance!(super::memberships());
}

mod users {
    sealroom_testkit::users_conformance!(super::users());
}
