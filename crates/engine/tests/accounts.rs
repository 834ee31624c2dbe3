//! The built-in accounts.
#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{net::IpAddr, sync::Arc, time::Duration};

use common::{ADMIN, Seen, World};
use sealroom_domain::{ErrorCode, Extra, Principal, Refusal, ports::TokenVerifier};
use sealroom_engine::{AccountOptions, AccountParts, AccountService, LoggedIn, Registration};
use sealroom_testkit::memory::{MemoryCredentials, MemoryVerifier};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse";

struct Accounts {
    world: World,
    service: AccountService,
    credentials: MemoryCredentials,
    verifier: MemoryVerifier,
}

impl Accounts {
    fn new() -> Self {
        let world = World::with_accounts();
        let verifier = MemoryVerifier::new(world.clock.clone());
        let credentials = MemoryCredentials::new(world.clock.clone(), verifier.clone());
        let parts = AccountParts {
            chat: world.chat.clone(),
            accounts: Arc::new(world.store.clone()),
            credentials: Arc::new(credentials.clone()),
        };
        Self {
            service: AccountService::new(parts, AccountOptions::default()),
            world,
            credentials,
            verifier,
        }
    }

    async fn register(&self, username: &str) -> Result<LoggedIn, Refusal> {
        let wanted = Registration {
            username,
            password: PASSWORD,
            display_name: None,
        };
        self.service.register(wanted, HERE).await
    }

    /// What the verifier says of the access token.
    async fn principal(&self, login: &LoggedIn) -> Principal {
        self.verifier.verify(&login.access_token).await.unwrap()
    }
}

fn code(result: Result<LoggedIn, Refusal>) -> ErrorCode {
    result.unwrap_err().code
}

#[tokio::test]
async fn an_account_logs_in_with_its_name_and_password_alone() {
    let accounts = Accounts::new();
    let made = accounts.register("Alice").await.unwrap();
    let principal = accounts.principal(&made).await;
    assert_eq!(principal.user_id, made.user_id);
    assert_eq!(made.expires_in, Duration::from_mins(15));
    let profile = accounts.world.chat.me(&principal).await.unwrap();
    assert_eq!(profile.shown_name().unwrap().as_str(), "alice");
    assert_eq!(code(accounts.register("aLICE").await), ErrorCode::Conflict);

    let again = accounts.service.login("ALICE", PASSWORD, HERE).await.unwrap();
    assert_eq!(again.user_id, made.user_id);
    let before = accounts.credentials.checks();
    for (name, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("no/name", PASSWORD),
        ("", ""),
    ] {
        let refused = accounts.service.login(name, password, HERE).await;
        assert_eq!(code(refused), ErrorCode::LoginFailed, "{name}");
    }
    // Each of them was as much work, so that the time does not tell which names there are.
    assert_eq!(accounts.credentials.checks() - before, 4);
    for (username, password, field) in [("x", PASSWORD, "username"), ("bob", "short", "password")] {
        let wanted = Registration {
            username,
            password,
            display_name: None,
        };
        let refused = accounts.service.register(wanted, HERE).await;
        assert_eq!(refused.unwrap_err(), Refusal::invalid(field));
    }
}

#[tokio::test]
async fn neither_passwords_nor_tokens_are_printed() {
    let accounts = Accounts::new();
    let login = accounts.register("alice").await.unwrap();
    let wanted = Registration {
        username: "alice",
        password: PASSWORD,
        display_name: None,
    };
    let printed = format!("{wanted:?} {login:?}");
    assert!(
        printed.contains("alice") && printed.contains("LoggedIn"),
        "{printed}"
    );
    for secret in [PASSWORD, &login.access_token, &login.refresh_token] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_spent_once_and_its_reuse_ends_the_login() {
    let accounts = Accounts::new();
    let first = accounts.register("alice").await.unwrap();
    let second = accounts
        .service
        .refresh(&first.refresh_token, HERE)
        .await
        .unwrap();
    let principal = accounts.principal(&second).await;
    assert_eq!(principal.login_id, accounts.principal(&first).await.login_id);
    let socket = accounts.world.socket_of(principal.clone()).await.unwrap();
    let other = accounts.service.login("alice", PASSWORD, HERE).await.unwrap();

    assert_eq!(
        code(accounts.service.refresh("made up", HERE).await),
        ErrorCode::TokenInvalid
    );
    assert!(accounts.world.chat.me(&principal).await.is_ok());
    let spent = accounts.service.refresh(&first.refresh_token, HERE).await;
    assert_eq!(code(spent), ErrorCode::TokenRevoked);
    assert_eq!(socket.recorder.all(), [Seen::Revoked]);
    let refused = accounts.world.chat.me(&principal).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::TokenRevoked);
    // Neither goes on; another login of the same user does.
    assert!(
        accounts
            .service
            .refresh(&second.refresh_token, HERE)
            .await
            .is_err()
    );
    accounts
        .service
        .refresh(&other.refresh_token, HERE)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_time() {
    let accounts = Accounts::new();
    let first = accounts.register("alice").await.unwrap();
    accounts.world.clock.advance(Duration::from_hours(30 * 24));
    assert_eq!(
        code(accounts.service.refresh(&first.refresh_token, HERE).await),
        ErrorCode::TokenInvalid
    );
}

#[tokio::test]
async fn a_login_ends_with_its_sockets_and_no_others() {
    let accounts = Accounts::new();
    let one = accounts.register("alice").await.unwrap();
    let two = accounts.service.login("alice", PASSWORD, HERE).await.unwrap();
    let three = accounts.service.login("alice", PASSWORD, HERE).await.unwrap();
    let mut sockets = Vec::new();
    for login in [&one, &two, &three] {
        let principal = accounts.principal(login).await;
        sockets.push(accounts.world.socket_of(principal).await.unwrap());
    }
    let logout = accounts.principal(&one).await;
    accounts.service.logout(&logout).await.unwrap();
    accounts
        .service
        .logout_with(&two.refresh_token, HERE)
        .await
        .unwrap();
    let told: Vec<_> = sockets.iter().map(|socket| socket.recorder.all().len()).collect();
    assert_eq!(told, [1, 1, 0]);
    for (login, goes_on) in [(&one, false), (&two, false), (&three, true)] {
        let principal = accounts.principal(login).await;
        assert_eq!(accounts.world.chat.me(&principal).await.is_ok(), goes_on);
        assert_eq!(
            accounts.service.refresh(&login.refresh_token, HERE).await.is_ok(),
            goes_on
        );
    }
    // Again without harm, and so for a token of no login.
    accounts.service.logout(&logout).await.unwrap();
    accounts.service.logout(&World::principal(1)).await.unwrap();
}

#[tokio::test]
async fn attempts_are_limited_by_name_and_by_address() {
    let accounts = Accounts::new();
    accounts.register("alice").await.unwrap();
    let there = |n: u8| IpAddr::from([192, 0, 2, n]);
    for _ in 0..10 {
        let refused = accounts.service.login("alice", "wrong", there(0)).await;
        assert_eq!(code(refused), ErrorCode::LoginFailed);
    }
    let limited = accounts
        .service
        .login("Alice", PASSWORD, there(0))
        .await
        .unwrap_err();
    assert_eq!(limited.code, ErrorCode::RateLimited);
    assert!(matches!(limited.extra, Some(Extra::RetryAfter(after)) if after.as_secs() > 20));
    // Somebody elsewhere is not kept out, until many are at it.
    accounts.service.login("alice", PASSWORD, HERE).await.unwrap();
    let guesses = (1..20).flat_map(|n| [n; 10]);
    let mut answers = Vec::new();
    for n in guesses {
        answers.push(code(accounts.service.login("alice", "wrong", there(n)).await));
    }
    assert_eq!(answers[188], ErrorCode::LoginFailed);
    assert_eq!(answers[189], ErrorCode::RateLimited);
    assert_eq!(
        code(accounts.service.refresh("made up", there(0)).await),
        ErrorCode::TokenInvalid,
        "a rate of its own"
    );

    let mut codes = Vec::new();
    for n in 0..60 {
        let name = format!("name-{n}x");
        codes.push(code(accounts.service.login(&name, PASSWORD, there(200)).await));
    }
    let limited = codes
        .iter()
        .filter(|code| **code == ErrorCode::RateLimited)
        .count();
    assert_eq!(limited, 10);
    assert_eq!(
        code(
            accounts
                .register("bob")
                .await
                .and_then(|_| Err(Refusal::unavailable()))
        ),
        ErrorCode::Unavailable
    );
}

#[tokio::test]
async fn more_passwords_than_the_machine_can_check_are_for_later() {
    let accounts = Accounts::new();
    accounts.credentials.set_busy(true);
    assert_eq!(code(accounts.register("alice").await), ErrorCode::Unavailable);
    assert_eq!(
        code(accounts.service.login("alice", PASSWORD, HERE).await),
        ErrorCode::Unavailable
    );
}

#[tokio::test]
async fn a_user_who_was_erased_or_revoked_cannot_refresh() {
    let accounts = Accounts::new();
    let (alice, bob) = (
        accounts.register("alice").await.unwrap(),
        accounts.register("bob").await.unwrap(),
    );
    accounts
        .world
        .chat
        .revoke_user(ADMIN, alice.user_id)
        .await
        .unwrap();
    accounts.world.chat.erase_user(ADMIN, bob.user_id).await.unwrap();
    for login in [&alice, &bob] {
        assert!(
            accounts
                .service
                .refresh(&login.refresh_token, HERE)
                .await
                .is_err()
        );
    }
    let refused = accounts.service.login("bob", PASSWORD, HERE).await;
    assert_eq!(code(refused), ErrorCode::LoginFailed);
    accounts.register("bob").await.unwrap();
}
