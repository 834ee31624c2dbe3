//! The wrappers of accounts, credentials, read marks, the outbox and upkeep.

use std::{sync::Arc, time::Duration};

use sealroom_domain::{
    DisplayName, LoginId, PasswordHash, Retention, Timestamp, TokenDigest, UserId, Username,
    ports::{
        AccessGrant, Accounts, Credentials, CredentialsError, GroupChange, GroupLog, Groups, NewAccount,
        NewRefreshToken, Outbox, OutboxId, PageLimit, ReadMarks, Upkeep, Users,
    },
};
use sealroom_testkit::{
    conformance::{
        accounts::AccountsFixture, credentials::CredentialsFixture, outbox::OutboxFixture,
        read_marks::ReadMarksFixture, upkeep::UpkeepFixture,
    },
    faults::{Call, Faults, Faulty, InjectedFault},
    memory::{FixedClock, MemoryCredentials, MemoryStore, MemoryVerifier},
};

use super::five;

struct Wrapped {
    groups: Arc<dyn Groups>,
    log: Arc<dyn GroupLog>,
    users: Arc<dyn Users>,
    marks: Arc<dyn ReadMarks>,
    accounts: Arc<dyn Accounts>,
    outbox: Arc<dyn Outbox>,
    upkeep: Arc<dyn Upkeep>,
    faults: Faults,
}

fn wrapped() -> Wrapped {
    let store = Arc::new(MemoryStore::new());
    let faults = Faults::new();
    let groups: Arc<dyn Groups> = Arc::<MemoryStore>::clone(&store);
    let log: Arc<dyn GroupLog> = Arc::<MemoryStore>::clone(&store);
    let users: Arc<dyn Users> = Arc::<MemoryStore>::clone(&store);
    let marks: Arc<dyn ReadMarks> = Arc::<MemoryStore>::clone(&store);
    let accounts: Arc<dyn Accounts> = Arc::<MemoryStore>::clone(&store);
    let outbox: Arc<dyn Outbox> = Arc::<MemoryStore>::clone(&store);
    let upkeep: Arc<dyn Upkeep> = store;
    Wrapped {
        groups: Arc::new(Faulty::new(groups, &faults)),
        log: Arc::new(Faulty::new(log, &faults)),
        users: Arc::new(Faulty::new(users, &faults)),
        marks: Arc::new(Faulty::new(marks, &faults)),
        accounts: Arc::new(Faulty::new(accounts, &faults)),
        outbox: Arc::new(Faulty::new(outbox, &faults)),
        upkeep: Arc::new(Faulty::new(upkeep, &faults)),
        faults,
    }
}

mod read_marks {
    use super::*;

    sealroom_testkit::read_marks_conformance!(async {
        let wrapped = wrapped();
        ReadMarksFixture::new(wrapped.marks, wrapped.groups, wrapped.log, wrapped.users)
    });
}

mod accounts {
    use super::*;

    sealroom_testkit::accounts_conformance!(async {
        let wrapped = wrapped();
        AccountsFixture::new(wrapped.accounts, wrapped.users)
    });
}

mod outbox {
    use super::*;

    sealroom_testkit::outbox_conformance!(async {
        let wrapped = wrapped();
        OutboxFixture::new(wrapped.outbox, wrapped.groups, wrapped.log, wrapped.upkeep)
    });
}

mod upkeep {
    use super::*;

    sealroom_testkit::upkeep_conformance!(async {
        let wrapped = wrapped();
        UpkeepFixture::new(wrapped.upkeep, wrapped.groups, wrapped.log, wrapped.users)
    });
}

fn credentials() -> (
    Arc<dyn Credentials>,
    MemoryCredentials,
    MemoryVerifier,
    FixedClock,
    Faults,
) {
    let clock = FixedClock::default();
    let verifier = MemoryVerifier::new(Arc::new(clock.clone()));
    let inner = MemoryCredentials::new(Arc::new(clock.clone()), verifier.clone());
    let faults = Faults::new();
    let port: Arc<dyn Credentials> = Arc::new(inner.clone());
    let wrapper = Arc::new(Faulty::new(port, &faults));
    (wrapper, inner, verifier, clock, faults)
}

mod credentials_of_accounts {
    use super::*;

    sealroom_testkit::credentials_conformance!(async {
        let (credentials, _, verifier, clock, _) = credentials();
        CredentialsFixture::new(credentials, Arc::new(verifier), clock)
    });
}

fn token() -> NewRefreshToken {
    NewRefreshToken {
        digest: TokenDigest::new([1; 32]),
        at: now(),
        expires_at: now(),
    }
}

fn account() -> NewAccount {
    NewAccount {
        username: username(),
        display_name: DisplayName::new("x").unwrap(),
        password: PasswordHash::new("x"),
        at: now(),
    }
}

fn username() -> Username {
    Username::new("ann").unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_secs(0)
}

fn one() -> UserId {
    UserId::new(1).unwrap()
}

/// For each row: the call fails while it alone is touched, and every other one of the table goes through.
macro_rules! touches {
    ($wrapped:ident; $($call:ident: $port:expr;)+) => {
        #[tokio::test]
        async fn each_call_is_touched_by_its_own_name() {
            let calls = [$(Call::$call),+];
            for touched in calls {
                let $wrapped = wrapped();
                $wrapped.faults.only(&[touched]);
                $wrapped.faults.set_failing(true);
                $(
                    let failed = $port.await.is_err();
                    assert_eq!(failed, touched == Call::$call, "{touched:?} and {:?}", Call::$call);
                )+
                assert_eq!($wrapped.faults.calls(), 1, "{touched:?}");
            }
        }
    };
}

touches! {
    all;
    Messages: all.log.messages(
        five(),
        sealroom_domain::ports::Cursor::Newest,
        PageLimit { entries: 1, bytes: 1 },
    );
    UpdateGroup: all.groups.update(five(), GroupChange::default());
    DeleteGroup: all.groups.delete(five(), now());
    RevokeUser: all.users.revoke(one(), now());
    EraseUser: all.users.erase(one(), now());
    AdvanceMarks: all.marks.advance(Vec::new());
    MarksOfUser: all.marks.of_user(one(), &[]);
    Register: all.accounts.register(account());
    Account: all.accounts.account(&username());
    OpenLogin: all.accounts.open_login(one(), token());
    Refresh: all.accounts.refresh(&token().digest, token(), now());
    CloseLogin: all.accounts.close_login(LoginId::new(1).unwrap(), now());
    IsOpen: all.accounts.is_open(LoginId::new(1).unwrap());
    LeaseOutbox: all.outbox.lease("a", now(), now());
    PendingOutbox: all.outbox.pending(OutboxId::default(), 1);
    DeliveredOutbox: all.outbox.delivered(&[]);
    Trim: all.upkeep.trim(None, Retention::default(), now());
    UnfinishedErasures: all.upkeep.unfinished_erasures();
    EraseContent: all.upkeep.erase_content(one(), None);
}

#[tokio::test]
async fn credentials_fail_with_the_fault_as_their_source() {
    let (wrapper, inner, _, _, faults) = credentials();
    let grant = AccessGrant {
        user_id: one(),
        name: None,
        login_id: LoginId::new(1).unwrap(),
        ttl: Duration::from_secs(1),
    };
    let fault = |error: CredentialsError| {
        let CredentialsError::Failed { source } = error else {
            panic!("{error:?}")
        };
        *source.downcast_ref::<InjectedFault>().unwrap()
    };
    faults.set_failing(true);
    let failed = InjectedFault::Failed;
    assert_eq!(fault(wrapper.hash_password("x").await.unwrap_err()), failed);
    assert_eq!(
        fault(wrapper.check_password("x", None).await.unwrap_err()),
        failed
    );
    assert_eq!(fault(wrapper.access_token(&grant).unwrap_err()), failed);
    assert_eq!(fault(wrapper.refresh_token().unwrap_err()), failed);
    assert_eq!(wrapper.digest("x"), inner.digest("x"));
    assert_eq!((inner.checks(), faults.calls()), (0, 4));
    faults.set_failing(false);
    faults.lose_next_answers(2);
    let lost = InjectedFault::AnswerLost;
    assert_eq!(fault(wrapper.check_password("x", None).await.unwrap_err()), lost);
    assert_eq!(fault(wrapper.refresh_token().unwrap_err()), lost);
    assert_eq!(inner.checks(), 1, "the work was done");
    faults.only(&[Call::HashPassword]);
    faults.set_failing(true);
    wrapper.access_token(&grant).unwrap();
    wrapper.refresh_token().unwrap();
}

#[tokio::test]
async fn credentials_are_busy_when_a_test_says_so() {
    let (wrapper, inner, _, _, _) = credentials();
    let hash = wrapper.hash_password("x").await.unwrap();
    inner.set_busy(true);
    let busy = wrapper.check_password("x", Some(&hash)).await;
    assert!(matches!(busy, Err(CredentialsError::Busy)), "{busy:?}");
    let busy = wrapper.hash_password("x").await;
    assert!(matches!(busy, Err(CredentialsError::Busy)), "{busy:?}");
    assert_eq!(inner.checks(), 0);
    inner.set_busy(false);
    assert!(wrapper.check_password("x", Some(&hash)).await.unwrap());
    assert_eq!(inner.checks(), 1);
}
