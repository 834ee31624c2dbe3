//! Passwords, access tokens and refresh tokens of the built-in accounts.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod conformance;

use std::{collections::HashSet, num::NonZeroUsize, sync::Arc, time::Duration};

use sealroom_auth::{
    BuiltInCredentials, ClaimRules, CredentialsOptions, JwtVerifier, KeySet, Minter, MinterOptions,
    PasswordOptions, PasswordOptionsError, Secret, SigningKey, VerificationKey, VerifierOptions,
};
use sealroom_domain::{
    DisplayName, LoginId, PasswordHash, UserId,
    ports::{AccessGrant, Credentials, CredentialsError, TokenVerifier},
};
use sealroom_testkit::memory::FixedClock;

/// As little work as argon2id can do: for tests about everything but the work.
fn cheap() -> PasswordOptions {
    PasswordOptions {
        memory_kib: 8,
        passes: 1,
        ..PasswordOptions::default()
    }
}

fn minter(secret: &Secret) -> Minter {
    Minter::new(MinterOptions {
        key: SigningKey::hs256(secret),
        claims: ClaimRules::default(),
        clock: Arc::new(FixedClock::default()),
    })
    .unwrap()
}

fn credentials(passwords: PasswordOptions) -> BuiltInCredentials {
    BuiltInCredentials::new(CredentialsOptions {
        minter: minter(&Secret::generate().unwrap()),
        passwords,
    })
    .unwrap()
}

fn is_failed<T>(outcome: &Result<T, CredentialsError>) -> bool {
    matches!(outcome, Err(CredentialsError::Failed { .. }))
}

#[tokio::test]
async fn a_password_is_known_by_its_hash_alone() {
    let credentials = credentials(cheap());
    let long = "x".repeat(100_000);
    let passwords = ["correct horse", "", "a\0b", "mật khẩu", "пароль ", long.as_str()];
    for password in passwords {
        let hash = credentials.hash_password(password).await.unwrap();
        for other in passwords {
            let matches = credentials.check_password(other, Some(&hash)).await.unwrap();
            assert_eq!(matches, other == password);
        }
    }
}

#[tokio::test]
async fn hashes_are_phc_strings_of_argon2id_with_the_parameters_that_owasp_asks_for() {
    let credentials = credentials(PasswordOptions::default());
    let mut salts = HashSet::new();
    for _ in 0..2 {
        let hash = credentials.hash_password("secret").await.unwrap();
        let parts: Vec<&str> = hash.as_str().split('$').collect();
        assert_eq!(parts[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert_eq!((parts[4].len(), parts[5].len(), parts.len()), (22, 43, 6));
        assert!(salts.insert(parts[4].to_owned()), "a salt for each hash");
    }
}

/// From the tests of the reference implementation.
#[tokio::test]
async fn hashes_of_other_programs_and_of_other_parameters_are_checked() {
    let hash = PasswordHash::new(
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    );
    for options in [cheap(), PasswordOptions::default()] {
        let credentials = credentials(options);
        assert!(credentials.check_password("password", Some(&hash)).await.unwrap());
        assert!(!credentials.check_password("Password", Some(&hash)).await.unwrap());
    }
}

#[tokio::test]
async fn what_is_no_hash_of_ours_is_not_checked() {
    let credentials = credentials(cheap());
    let good = credentials.hash_password("a").await.unwrap();
    let good = good.as_str();
    for bad in [
        "",
        "a",
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        &good.replace("argon2id", "argon2i"),
        &good.replace("argon2id", "argon2d"),
        &good.replace("argon2id", "scrypt"),
        &good.replace("v=19", "v=18"),
        &good.replace("m=8", "m=4294967295"),
        &good.replace("m=8", "m=2097152"),
        &good.replace("m=8", "m=1"),
        &good.replace("t=1", "t=4294967295"),
        &good.replace("t=1", "t=0"),
        &good.replace("p=1", "p=0"),
        &good[..good.rfind('$').unwrap()],
        &good[..good.len() - 43],
    ] {
        let outcome = credentials
            .check_password("a", Some(&PasswordHash::new(bad)))
            .await;
        assert!(is_failed(&outcome), "{bad}: {outcome:?}");
        let printed = format!("{outcome:?}");
        assert!(bad.len() < 8 || !printed.contains(bad), "{printed}");
    }
}

/// By what it takes of the only place, not by the clock: no hash is answered after a computation like any other.
#[tokio::test]
async fn where_there_is_no_hash_no_password_fits_and_the_work_is_done() {
    let credentials = credentials(PasswordOptions {
        at_once: NonZeroUsize::MIN,
        waiting: 0,
        ..PasswordOptions::default()
    });
    for password in ["", "a", "correct horse"] {
        let (first, second) = tokio::join!(
            credentials.check_password(password, None),
            credentials.check_password(password, None)
        );
        assert!(!first.unwrap());
        assert!(matches!(second, Err(CredentialsError::Busy)), "{second:?}");
    }
}

#[tokio::test]
async fn with_and_without_a_hash_it_costs_about_the_same() {
    let credentials = credentials(PasswordOptions::default());
    let hash = credentials.hash_password("a").await.unwrap();
    // Whatever else the machine does only makes a check slower: the fastest of each kind tell, and get ever closer.
    let mut fastest = [Duration::MAX; 2];
    let mut ratio = 0.0;
    for _ in 0..50 {
        for (fastest, hash) in fastest.iter_mut().zip([Some(&hash), None]) {
            let start = std::time::Instant::now();
            credentials.check_password("b", hash).await.unwrap();
            *fastest = start.elapsed().min(*fastest);
        }
        let [with, without] = fastest.map(|time| time.as_secs_f64());
        ratio = with / without;
        if (0.8..1.25).contains(&ratio) {
            return;
        }
    }
    panic!("with a hash it takes {ratio} times what it takes without: {fastest:?}");
}

#[tokio::test]
async fn a_few_are_computed_a_few_wait_and_the_rest_are_told_so() {
    let credentials = Arc::new(credentials(PasswordOptions {
        at_once: NonZeroUsize::new(2).unwrap(),
        waiting: 3,
        ..PasswordOptions::default()
    }));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let credentials = Arc::clone(&credentials);
        tasks.spawn(async move { credentials.check_password("a", None).await });
    }
    let outcomes = tasks.join_all().await;
    let busy = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(CredentialsError::Busy)))
        .count();
    assert_eq!(busy, 15);
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Ok(false)))
            .count(),
        5
    );
    assert!(
        !credentials.check_password("a", None).await.unwrap(),
        "there is place again"
    );
}

/// A client that goes away must not make room for another while its computation goes on.
#[tokio::test]
async fn an_abandoned_check_keeps_its_place_until_it_is_done() {
    let credentials = credentials(PasswordOptions {
        at_once: NonZeroUsize::MIN,
        waiting: 0,
        ..PasswordOptions::default()
    });
    let mut abandoned = Box::pin(credentials.check_password("a", None));
    assert!(futures_poll(&mut abandoned).await, "it is being computed");
    drop(abandoned);
    let outcome = credentials.check_password("a", None).await;
    assert!(matches!(outcome, Err(CredentialsError::Busy)), "{outcome:?}");
    while let Err(CredentialsError::Busy) = credentials.check_password("a", None).await {
        tokio::task::yield_now().await;
    }
}

/// Polls once; whether the future waits.
async fn futures_poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
    })
    .await
}

#[test]
fn parameters_that_argon2id_does_not_have() {
    let new = |passwords| {
        BuiltInCredentials::new(CredentialsOptions {
            minter: minter(&Secret::generate().unwrap()),
            passwords,
        })
    };
    for bad in [
        PasswordOptions {
            memory_kib: 7,
            ..cheap()
        },
        PasswordOptions {
            memory_kib: 0,
            ..cheap()
        },
        PasswordOptions {
            memory_kib: 1024 * 1024 + 1,
            ..cheap()
        },
        PasswordOptions { passes: 0, ..cheap() },
        PasswordOptions {
            passes: 65,
            ..cheap()
        },
        PasswordOptions { lanes: 0, ..cheap() },
        PasswordOptions {
            lanes: 256,
            memory_kib: 4096,
            ..cheap()
        },
        PasswordOptions {
            lanes: 2,
            memory_kib: 15,
            ..cheap()
        },
    ] {
        let outcome = new(bad.clone());
        assert!(
            matches!(outcome, Err(PasswordOptionsError::Parameters)),
            "{bad:?}"
        );
    }
    let most = PasswordOptions {
        at_once: NonZeroUsize::MAX,
        waiting: usize::MAX,
        ..cheap()
    };
    assert!(new(most).is_ok());
}

#[tokio::test]
async fn access_tokens_are_those_that_the_server_accepts() {
    let secret = Secret::generate().unwrap();
    let credentials = BuiltInCredentials::new(CredentialsOptions {
        minter: minter(&secret),
        passwords: cheap(),
    })
    .unwrap();
    let verifier = JwtVerifier::new(VerifierOptions {
        keys: KeySet::single(VerificationKey::hs256(&secret)).into(),
        claims: ClaimRules::default(),
        clock: Arc::new(FixedClock::default()),
    })
    .unwrap();
    let grant = AccessGrant {
        user_id: UserId::new(5).unwrap(),
        name: Some(DisplayName::new("An").unwrap()),
        login_id: LoginId::new(7).unwrap(),
        ttl: Duration::from_mins(15),
    };
    let principal = verifier
        .verify(&credentials.access_token(&grant).unwrap())
        .await
        .unwrap();
    assert_eq!(principal.user_id, grant.user_id);
    assert_eq!(principal.name, grant.name);
    assert_eq!(principal.login_id, Some(grant.login_id));
    assert_eq!((principal.scope.as_deref(), principal.is_admin()), (None, false));
    let now = principal.issued_at.unwrap();
    assert_eq!(principal.expires_at, now.plus(grant.ttl));

    let endless = AccessGrant {
        ttl: Duration::MAX,
        ..grant
    };
    assert!(is_failed(&credentials.access_token(&endless)));
}

#[test]
fn refresh_tokens_are_random_and_known_by_their_digest() {
    let credentials = credentials(cheap());
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        let (token, digest) = credentials.refresh_token().unwrap();
        assert_eq!(token.len(), 43);
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_eq!(credentials.digest(&token), digest);
        assert!(seen.insert(token), "each is another");
    }
    // FIPS 180-2, appendix B.1.
    let expected = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0,
        0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];
    assert_eq!(credentials.digest("abc").as_bytes(), &expected);
    assert_ne!(credentials.digest("abc"), credentials.digest("abc "));
    assert_ne!(credentials.digest(""), credentials.digest("\0"));
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let secret = Secret::generate().unwrap();
    let credentials = BuiltInCredentials::new(CredentialsOptions {
        minter: minter(&secret),
        passwords: cheap(),
    })
    .unwrap();
    let hash = credentials.hash_password("correct horse").await.unwrap();
    let printed = format!("{credentials:?}{hash:?}");
    for text in [secret.as_text(), hash.as_str(), "$argon2id$", "correct horse"] {
        assert!(!printed.contains(text), "{printed}");
    }
}
