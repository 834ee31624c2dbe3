//! PostgreSQL: each test has a database of its own.

use std::sync::Arc;

use sealroom_persistence::{PostgresOptions, PostgresStore, PostgresUrl};
use sealroom_testkit::conformance::{
    Hook, group_log::GroupLogFixture, groups::GroupsFixture, memberships::MembershipsFixture,
    users::UsersFixture,
};
use xtask_postgres::TestDatabase;

use crate::fixtures;

async fn store() -> (Arc<PostgresStore>, TestDatabase) {
    let database = TestDatabase::create().await;
    (open(&database).await, database)
}

async fn open(database: &TestDatabase) -> Arc<PostgresStore> {
    let options = PostgresOptions::new(PostgresUrl::parse(database.url()).unwrap());
    Arc::new(PostgresStore::open(options).await.unwrap())
}

async fn group_log() -> GroupLogFixture {
    let (store, database) = store().await;
    let peer = open(&database).await;
    let closed = Arc::clone(&store);
    let outage = Hook::new(move |()| {
        let store = Arc::clone(&closed);
        async move { store.close().await.unwrap() }
    });
    fixtures::group_log(store, peer, outage, database)
}

async fn groups() -> GroupsFixture {
    let (store, database) = store().await;
    fixtures::groups(store, database)
}

async fn memberships() -> MembershipsFixture {
    let (store, database) = store().await;
    fixtures::memberships(store, database)
}

async fn users() -> UsersFixture {
    let (store, database) = store().await;
    fixtures::users(store, database)
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
