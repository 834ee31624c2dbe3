//! The fault wrappers change nothing unless told to, and then exactly what they were told.

#![expect(clippy::unwrap_used, reason = "a failed check ends the test")]

mod beside_the_log;

use std::{sync::Arc, time::Duration};

use sealroom_domain::{
    GroupId, GroupName, Principal, Timestamp, UserId,
    ports::{Cursor, GroupLog, Groups, Memberships, PageLimit, StoreError, TokenError, TokenVerifier, Users},
};
use sealroom_testkit::{
    conformance::{
        Hook, group_log::GroupLogFixture, groups::GroupsFixture, memberships::MembershipsFixture,
        users::UsersFixture,
    },
    faults::{Call, Faults, Faulty, InjectedFault},
    memory::{FixedClock, MemoryStore, MemoryVerifier},
};

struct Wrapped {
    log: Arc<dyn GroupLog>,
    groups: Arc<dyn Groups>,
    memberships: Arc<dyn Memberships>,
    users: Arc<dyn Users>,
    faults: Faults,
}

fn wrapped() -> Wrapped {
    let store = Arc::new(MemoryStore::new());
    let faults = Faults::new();
    let log: Arc<dyn GroupLog> = Arc::<MemoryStore>::clone(&store);
    let groups: Arc<dyn Groups> = Arc::<MemoryStore>::clone(&store);
    let memberships: Arc<dyn Memberships> = Arc::<MemoryStore>::clone(&store);
    let users: Arc<dyn Users> = store;
    Wrapped {
        log: Arc::new(Faulty::new(log, &faults)),
        groups: Arc::new(Faulty::new(groups, &faults)),
        memberships: Arc::new(Faulty::new(memberships, &faults)),
        users: Arc::new(Faulty::new(users, &faults)),
        faults,
    }
}

mod group_log {
    use super::*;

    sealroom_testkit::group_log_conformance!(async {
        let Wrapped {
            log,
            groups,
            memberships,
            faults,
            ..
        } = wrapped();
        // Here the property about errors has an outage to look at.
        let outage = Hook::new(move |()| {
            faults.set_failing(true);
            std::future::ready(())
        });
        GroupLogFixture::new(log, groups)
            .with_memberships(memberships)
            .with_outage(outage)
    });
}

mod groups {
    use super::*;

    sealroom_testkit::groups_conformance!(async {
        let wrapped = wrapped();
        GroupsFixture::new(wrapped.groups, wrapped.log).with_memberships(wrapped.memberships)
    });
}

mod memberships {
    use super::*;

    sealroom_testkit::memberships_conformance!(async { MembershipsFixture::new(wrapped().memberships) });
}

mod users {
    use super::*;

    sealroom_testkit::users_conformance!(async { UsersFixture::new(wrapped().users) });
}

fn name() -> GroupName {
    GroupName::new("x").unwrap()
}

fn five() -> GroupId {
    GroupId::new(5).unwrap()
}

fn fault_of(error: &StoreError) -> InjectedFault {
    let StoreError::Unavailable { source } = error else {
        panic!("{error:?}")
    };
    *source.downcast_ref().unwrap()
}

#[tokio::test]
async fn the_next_calls_fail_and_do_nothing() {
    let Wrapped { groups, faults, .. } = wrapped();
    faults.fail_next(2);
    for _ in 0..2 {
        let error = groups
            .put(five(), &name(), Timestamp::from_secs(0))
            .await
            .unwrap_err();
        assert_eq!(fault_of(&error), InjectedFault::Failed);
    }
    assert!(
        groups
            .put(five(), &name(), Timestamp::from_secs(0))
            .await
            .unwrap()
    );
    assert_eq!(faults.calls(), 3);
}

#[tokio::test]
async fn a_switch_fails_every_port_until_it_is_off() {
    let wrapped = wrapped();
    wrapped.faults.set_failing(true);
    for _ in 0..3 {
        wrapped.log.log_id().await.unwrap_err();
        wrapped.groups.get(&[]).await.unwrap_err();
        wrapped.memberships.roles(&[]).await.unwrap_err();
        wrapped.users.profiles(&[]).await.unwrap_err();
    }
    wrapped.faults.set_failing(false);
    wrapped.log.log_id().await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_of_work_that_was_done() {
    let Wrapped { groups, faults, .. } = wrapped();
    faults.lose_next_answers(1);
    let error = groups
        .put(five(), &name(), Timestamp::from_secs(0))
        .await
        .unwrap_err();
    assert_eq!(fault_of(&error), InjectedFault::AnswerLost);
    assert_eq!(groups.get(&[five()]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_the_named_calls_are_touched() {
    let wrapped = wrapped();
    wrapped.faults.only(&[Call::Append, Call::Roles]);
    wrapped.faults.set_failing(true);
    wrapped.log.append(Vec::new()).await.unwrap_err();
    wrapped.memberships.roles(&[]).await.unwrap_err();
    wrapped.log.heads(&[]).await.unwrap();
    assert_eq!(wrapped.faults.calls(), 2);
    wrapped.faults.everywhere();
    wrapped.log.heads(&[]).await.unwrap_err();
}

#[tokio::test]
async fn a_paused_call_has_not_happened_and_a_paused_answer_has() {
    let Wrapped { groups, faults, .. } = wrapped();
    faults.only(&[Call::PutGroup]);
    for happened in [0, 1] {
        if happened == 0 {
            faults.pause();
        } else {
            faults.pause_answers();
        }
        let put = tokio::task::JoinSet::from_iter([{
            let groups = Arc::clone(&groups);
            async move { groups.put(five(), &name(), Timestamp::from_secs(0)).await }
        }]);
        faults.until_waiting(1).await;
        assert_eq!(groups.get(&[five()]).await.unwrap().len(), happened);
        // Then the caller of the first one goes away, and that of the second one waits.
        if happened == 0 {
            drop(put);
            tokio::task::yield_now().await;
            assert_eq!(faults.waiting(), 0);
            faults.resume();
        } else {
            faults.resume();
            let created = put.join_all().await.remove(0).unwrap();
            assert!(created, "the abandoned call did not happen");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_before_the_call() {
    let Wrapped { groups, faults, .. } = wrapped();
    faults.set_delay(Duration::from_secs(3));
    let name = name();
    let put = groups.put(five(), &name, Timestamp::from_secs(0));
    tokio::time::timeout(Duration::from_secs(2), put)
        .await
        .unwrap_err();
    faults.set_delay(Duration::ZERO);
    assert_eq!(groups.get(&[five()]).await.unwrap(), []);
}

#[tokio::test]
async fn reading_through_a_wrapper_reads() {
    let Wrapped { log, groups, .. } = wrapped();
    groups
        .put(five(), &name(), Timestamp::from_secs(0))
        .await
        .unwrap();
    let limit = PageLimit { entries: 1, bytes: 1 };
    assert!(log.read(five(), Cursor::Newest, limit).await.unwrap().is_some());
}

#[tokio::test]
async fn a_verifier_fails_as_unavailable() {
    let clock = FixedClock::default();
    let verifier = MemoryVerifier::new(Arc::new(clock));
    verifier.register(
        "token",
        Principal {
            user_id: UserId::new(1).unwrap(),
            name: None,
            scope: None,
            login_id: None,
            issued_at: None,
            expires_at: Timestamp::from_secs(i64::MAX / 1_000_000),
        },
    );
    let faults = Faults::new();
    let inner: Arc<dyn TokenVerifier> = Arc::new(verifier.clone());
    let wrapper: Arc<dyn TokenVerifier> = Arc::new(Faulty::new(inner, &faults));
    wrapper.verify("token").await.unwrap();
    faults.fail_next(1);
    let refused = wrapper.verify("token").await;
    assert!(
        matches!(refused, Err(TokenError::Unavailable { .. })),
        "{refused:?}"
    );
    verifier.revoke("token");
    let refused = wrapper.verify("token").await;
    assert!(matches!(refused, Err(TokenError::Revoked)), "{refused:?}");
}
