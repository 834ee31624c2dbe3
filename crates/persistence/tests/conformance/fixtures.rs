//! What the suites need of a store, whichever it is.

use std::{any::Any, sync::Arc};

use sealroom_domain::{
    GroupName, Timestamp,
    ports::{Accounts, GroupLog, Groups, Memberships, Outbox, ReadMarks, Upkeep, Users},
};
use sealroom_testkit::conformance::{
    Hook, accounts::AccountsFixture, group_log::GroupLogFixture, groups::GroupsFixture,
    memberships::MembershipsFixture, outbox::OutboxFixture, read_marks::ReadMarksFixture,
    upkeep::UpkeepFixture, users::UsersFixture,
};

/// A store that answers all ports.
pub(crate) trait Store:
    GroupLog + Groups + Memberships + Users + ReadMarks + Accounts + Outbox + Upkeep + 'static
{
}

impl<S> Store for S where
    S: GroupLog + Groups + Memberships + Users + ReadMarks + Accounts + Outbox + Upkeep + 'static
{
}

/// Two handles on one fresh store, and what must live as long.
pub(crate) fn group_log<S: Store>(
    store: Arc<S>,
    peer: Arc<S>,
    outage: Hook<()>,
    guard: impl Any + Send + Sync,
) -> GroupLogFixture {
    let log: Arc<dyn GroupLog> = Arc::<S>::clone(&store);
    let groups: Arc<dyn Groups> = Arc::<S>::clone(&store);
    GroupLogFixture::new(log, groups)
        .with_memberships(store)
        .with_peer(peer)
        .with_outage(outage)
        .keeping(guard)
}

pub(crate) fn groups<S: Store>(store: Arc<S>, guard: impl Any + Send + Sync) -> GroupsFixture {
    let groups: Arc<dyn Groups> = Arc::<S>::clone(&store);
    let log: Arc<dyn GroupLog> = Arc::<S>::clone(&store);
    GroupsFixture::new(groups, log)
        .with_memberships(store)
        .keeping(guard)
}

pub(crate) fn memberships<S: Store>(store: Arc<S>, guard: impl Any + Send + Sync) -> MembershipsFixture {
    let memberships: Arc<dyn Memberships> = Arc::<S>::clone(&store);
    let make_group = Hook::new(move |group_id| {
        let store = Arc::clone(&store);
        async move {
            let name = GroupName::new("group").unwrap();
            store.put(group_id, &name, Timestamp::from_secs(0)).await.unwrap();
        }
    });
    MembershipsFixture::new(memberships)
        .with_groups(make_group)
        .keeping(guard)
}

pub(crate) fn users<S: Store>(store: Arc<S>, guard: impl Any + Send + Sync) -> UsersFixture {
    let users: Arc<dyn Users> = store;
    UsersFixture::new(users).keeping(guard)
}

pub(crate) fn read_marks<S: Store>(store: Arc<S>, guard: impl Any + Send + Sync) -> ReadMarksFixture {
    ReadMarksFixture::new(
        Arc::<S>::clone(&store),
        Arc::<S>::clone(&store),
        Arc::<S>::clone(&store),
        store,
    )
    .keeping(guard)
}

pub(crate) fn accounts<S: Store>(store: Arc<S>, guard: impl Any + Send + Sync) -> AccountsFixture {
    AccountsFixture::new(Arc::<S>::clone(&store), store).keeping(guard)
}

pub(crate) fn outbox<S: Store>(store: Arc<S>, guard: impl Any + Send + Sync) -> OutboxFixture {
    OutboxFixture::new(
        Arc::<S>::clone(&store),
        Arc::<S>::clone(&store),
        Arc::<S>::clone(&store),
        store,
    )
    .keeping(guard)
}

pub(crate) fn upkeep<S: Store>(store: Arc<S>, guard: impl Any + Send + Sync) -> UpkeepFixture {
    UpkeepFixture::new(
        Arc::<S>::clone(&store),
        Arc::<S>::clone(&store),
        Arc::<S>::clone(&store),
        store,
    )
    .keeping(guard)
}

/// Runs all suites on a store: on what `store()` makes, a handle and what must live as long, and what `open(&guard)`
/// opens beside it. Both keep an outbox.
macro_rules! suites {
    () => {
        use sealroom_testkit::conformance::{
            Hook, accounts::AccountsFixture, group_log::GroupLogFixture, groups::GroupsFixture,
            memberships::MembershipsFixture, outbox::OutboxFixture, read_marks::ReadMarksFixture,
            upkeep::UpkeepFixture, users::UsersFixture,
        };

        async fn group_log() -> GroupLogFixture {
            let (store, guard) = store().await;
            let peer = open(&guard).await;
            let closed = Arc::clone(&store);
            let outage = Hook::new(move |()| {
                let store = Arc::clone(&closed);
                async move { store.close().await.unwrap() }
            });
            fixtures::group_log(store, peer, outage, guard)
        }

        async fn groups() -> GroupsFixture {
            let (store, guard) = store().await;
            fixtures::groups(store, guard)
        }

        async fn memberships() -> MembershipsFixture {
            let (store, guard) = store().await;
            fixtures::memberships(store, guard)
        }

        async fn users() -> UsersFixture {
            let (store, guard) = store().await;
            fixtures::users(store, guard)
        }

        async fn read_marks() -> ReadMarksFixture {
            let (store, guard) = store().await;
            fixtures::read_marks(store, guard)
        }

        async fn accounts() -> AccountsFixture {
            let (store, guard) = store().await;
            fixtures::accounts(store, guard)
        }

        async fn outbox() -> OutboxFixture {
            let (store, guard) = store().await;
            fixtures::outbox(store, guard)
        }

        async fn upkeep() -> UpkeepFixture {
            let (store, guard) = store().await;
            fixtures::upkeep(store, guard)
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

        mod read_marks {
            sealroom_testkit::read_marks_conformance!(super::read_marks());
        }

        mod accounts {
            sealroom_testkit::accounts_conformance!(super::accounts());
        }

        mod accounts_on_threads {
            sealroom_testkit::accounts_conformance!(multi_thread, super::accounts());
        }

        mod outbox {
            sealroom_testkit::outbox_conformance!(super::outbox());
        }

        mod upkeep {
            sealroom_testkit::upkeep_conformance!(super::upkeep());
        }
    };
}

pub(crate) use suites;
