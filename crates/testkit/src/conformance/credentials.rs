//! The suite of [`Credentials`].

#![expect(
    clippy::unused_async,
    reason = "a property is an async function, like those of the other suites"
)]

use std::{
    any::Any,
    collections::HashSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use sealroom_domain::{
    DisplayName, LoginId, PasswordHash,
    ports::{AccessGrant, Credentials, CredentialsError, TokenError, TokenVerifier},
};
use tokio::task::JoinSet;

use super::{
    fixture::KeepAlive,
    macros::suite,
    sample::{display_name, user},
    token_verifier::NOW,
};
use crate::memory::FixedClock;

/// Credentials, and who accepts their tokens.
pub struct CredentialsFixture {
    credentials: Arc<dyn Credentials>,
    verifier: Arc<dyn TokenVerifier>,
    clock: FixedClock,
    keep_alive: KeepAlive,
}

impl CredentialsFixture {
    /// Credentials, and the verifier that accepts their access tokens. Both tell the time by `clock`.
    pub fn new(
        credentials: Arc<dyn Credentials>,
        verifier: Arc<dyn TokenVerifier>,
        clock: FixedClock,
    ) -> Self {
        clock.set(NOW);
        Self {
            credentials,
            verifier,
            clock,
            keep_alive: KeepAlive::default(),
        }
    }

    /// What must live as long as the fixture: a key file.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }

    async fn hash(&self, password: &str) -> PasswordHash {
        self.credentials.hash_password(password).await.unwrap()
    }

    async fn check(&self, password: &str, hash: &PasswordHash) -> bool {
        self.credentials
            .check_password(password, Some(hash))
            .await
            .unwrap()
    }

    /// How long a check takes.
    async fn cost(&self, password: &str, hash: Option<&PasswordHash>) -> Duration {
        let begun = Instant::now();
        let checked = self.credentials.check_password(password, hash).await;
        assert!(!checked.unwrap(), "it is another password");
        begun.elapsed()
    }
}

impl fmt::Debug for CredentialsFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsFixture")
            .field("credentials", &self.credentials)
            .field("verifier", &self.verifier)
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}

suite!(
    /// Makes one test of each property of [`Credentials`](sealroom_domain::ports::Credentials).
    ///
    /// Takes a future of a [`CredentialsFixture`](crate::conformance::credentials::CredentialsFixture), since the suite
    /// needs who accepts the tokens. See [`crate::conformance`].
    credentials_conformance, PROPERTIES, credentials, CredentialsFixture, $, [
        a_password_passes_its_own_hash,
        every_character_of_a_password_counts,
        every_hash_has_a_salt_of_its_own,
        without_a_hash_no_password_passes,
        without_a_hash_a_check_costs_as_much,
        a_hash_that_cannot_be_read_is_an_error,
        an_access_token_says_what_was_granted,
        an_access_token_lives_as_long_as_granted,
        access_tokens_are_told_apart,
        refresh_tokens_are_never_the_same,
        a_refresh_token_is_known_by_its_digest,
        nothing_secret_is_printed,
        many_passwords_at_once_are_not_mixed_up,
    ]
);

/// Whatever it is made of, up to a length that nobody types.
pub async fn a_password_passes_its_own_hash(fixture: CredentialsFixture) {
    for password in passwords() {
        let hash = fixture.hash(&password).await;
        assert!(fixture.check(&password, &hash).await, "{password:?}");
        let stored = PasswordHash::new(hash.as_str());
        assert!(
            fixture.check(&password, &stored).await,
            "as it comes from a store"
        );
    }
}

/// Nothing is cut, trimmed, folded or normalized.
pub async fn every_character_of_a_password_counts(fixture: CredentialsFixture) {
    let long = "x".repeat(100);
    let pairs = [
        ("correct horse", "correct hors"),
        ("correct horse", "correct horse "),
        ("correct horse", " correct horse"),
        ("correct horse", "Correct horse"),
        ("correct horse", ""),
        ("caf\u{e9} au lait", "cafe\u{301} au lait"),
        ("before\0after", "before"),
        ("before\0after", "before\0other"),
        (&*format!("{long}a"), &*format!("{long}b")),
    ];
    for (password, other) in pairs {
        let hash = fixture.hash(password).await;
        assert!(!fixture.check(other, &hash).await, "{other:?} for {password:?}");
    }
}

/// Whoever sees two hashes does not see whether the passwords are the same.
pub async fn every_hash_has_a_salt_of_its_own(fixture: CredentialsFixture) {
    let mut hashes = HashSet::new();
    for _ in 0..5 {
        let hash = fixture.hash("correct horse").await;
        assert!(fixture.check("correct horse", &hash).await);
        assert!(hashes.insert(hash.as_str().to_owned()));
    }
}

/// There is no password of nobody.
pub async fn without_a_hash_no_password_passes(fixture: CredentialsFixture) {
    for password in passwords().iter().map(|password| &**password).chain([""]) {
        let checked = fixture.credentials.check_password(password, None).await;
        assert!(!checked.unwrap(), "{password:?}");
    }
}

/// Nobody learns by the time of an answer which names have an account: what a check costs, it costs without a hash too.
pub async fn without_a_hash_a_check_costs_as_much(fixture: CredentialsFixture) {
    let hash = fixture.hash("correct horse").await;
    // The least of several, taken in turns, since the machine has other things to do.
    let (mut with, mut without) = (Duration::MAX, Duration::MAX);
    for _ in 0..8 {
        with = with.min(fixture.cost("another", Some(&hash)).await);
        without = without.min(fixture.cost("another", None).await);
    }
    // What is faster than this is for tests, and hides nothing.
    if with.max(without) > Duration::from_millis(2) {
        assert!(
            without * 2 > with && with * 2 > without,
            "{with:?} with a hash and {without:?} without"
        );
    }
}

/// A defect of the store is not a wrong password, and its text names neither hash nor password.
pub async fn a_hash_that_cannot_be_read_is_an_error(fixture: CredentialsFixture) {
    for text in [
        "",
        "plain-marker",
        "$argon2id$v=19$plain-marker",
        "$2b$plain-marker",
    ] {
        let hash = PasswordHash::new(text);
        let checked = fixture
            .credentials
            .check_password("secret-marker", Some(&hash))
            .await;
        let Err(error) = checked else {
            panic!("{text:?} passes for a hash: {checked:?}")
        };
        assert!(matches!(error, CredentialsError::Failed { .. }), "{error:?}");
        let mut shown = format!("{error:?}");
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            shown.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(!shown.contains("-marker"), "{shown}");
    }
}

/// The server's own verifier accepts it, for exactly this user, name and login, and never as an admin's.
pub async fn an_access_token_says_what_was_granted(fixture: CredentialsFixture) {
    for name in [Some("Nguyễn Văn A"), None] {
        let granted = grant(10, name, 7);
        let token = fixture.credentials.access_token(&granted).unwrap();
        let principal = fixture.verifier.verify(&token).await.unwrap();
        assert_eq!(principal.user_id, granted.user_id);
        assert_eq!(principal.name, granted.name);
        assert_eq!(principal.login_id, Some(granted.login_id));
        assert_eq!(principal.issued_at, Some(NOW));
        assert_eq!(principal.expires_at, NOW.plus(granted.ttl));
        assert!(!principal.is_admin());
    }
}

/// To the second.
pub async fn an_access_token_lives_as_long_as_granted(fixture: CredentialsFixture) {
    let token = fixture.credentials.access_token(&grant(10, None, 7)).unwrap();
    fixture.clock.set(NOW.plus(Duration::from_secs(899)));
    fixture.verifier.verify(&token).await.unwrap();
    fixture.clock.set(NOW.plus(Duration::from_mins(15)));
    let late = fixture.verifier.verify(&token).await;
    assert!(matches!(late, Err(TokenError::Expired)), "{late:?}");
}

/// Each token is its own user's and login's, also those that were made before.
pub async fn access_tokens_are_told_apart(fixture: CredentialsFixture) {
    let grants: Vec<AccessGrant> = [(1, 1), (1, 2), (2, 3), (10, 4)]
        .into_iter()
        .map(|(number, login)| grant(number, Some("x"), login))
        .collect();
    let tokens: Vec<String> = grants
        .iter()
        .map(|grant| fixture.credentials.access_token(grant).unwrap())
        .collect();
    for (granted, token) in grants.iter().zip(&tokens) {
        let principal = fixture.verifier.verify(token).await.unwrap();
        assert_eq!(principal.user_id, granted.user_id);
        assert_eq!(principal.login_id, Some(granted.login_id));
    }
}

/// Nobody gets a token that somebody else has.
pub async fn refresh_tokens_are_never_the_same(fixture: CredentialsFixture) {
    let mut tokens = HashSet::new();
    let mut digests = HashSet::new();
    for _ in 0..1_000 {
        let (token, digest) = fixture.credentials.refresh_token().unwrap();
        assert!(token.len() <= 512, "a token is short enough for a request");
        assert!(tokens.insert(token));
        assert!(digests.insert(digest));
    }
}

/// The same token has the same digest, and no other one has it.
pub async fn a_refresh_token_is_known_by_its_digest(fixture: CredentialsFixture) {
    let mut digests = HashSet::new();
    for _ in 0..20 {
        let (token, digest) = fixture.credentials.refresh_token().unwrap();
        assert_eq!(fixture.credentials.digest(&token), digest);
        assert_eq!(fixture.credentials.digest(&token), digest);
        let mut last = token.clone();
        last.pop();
        let others = [
            format!("{token}x"),
            format!(" {token}"),
            format!("x{token}"),
            last,
            token.to_ascii_uppercase() + "y",
        ];
        for other in others {
            assert_ne!(fixture.credentials.digest(&other), digest);
        }
        assert!(digests.insert(digest));
    }
}

/// Neither the adapter nor what it gives to the store shows a password or a token.
pub async fn nothing_secret_is_printed(fixture: CredentialsFixture) {
    let hash = fixture.hash("secret-marker").await;
    assert!(fixture.check("secret-marker", &hash).await);
    let access = fixture.credentials.access_token(&grant(10, None, 7)).unwrap();
    let (refresh, digest) = fixture.credentials.refresh_token().unwrap();
    let shown = format!("{:?} {hash:?} {digest:?}", fixture.credentials);
    for secret in ["secret-marker", hash.as_str(), &access, &refresh] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Those who log in at once get their own answers. Where it is too much at once, that is said, and not that the password
/// is wrong.
pub async fn many_passwords_at_once_are_not_mixed_up(fixture: CredentialsFixture) {
    let hash = fixture.hash("password 0").await;
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let credentials = Arc::clone(&fixture.credentials);
        let hash = hash.clone();
        tasks.spawn(async move {
            let password = format!("password {}", number % 2);
            match credentials.check_password(&password, Some(&hash)).await {
                Ok(passes) => assert_eq!(passes, number % 2 == 0),
                Err(CredentialsError::Busy) => {}
                Err(error) => panic!("{error:?}"),
            }
        });
    }
    tasks.join_all().await;
}

fn passwords() -> Vec<String> {
    let mut passwords: Vec<String> = [
        "correct horse battery staple",
        "x",
        " leading and trailing ",
        "Mật khẩu 🔑",
        "a\0b",
        "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA",
    ]
    .map(String::from)
    .into();
    passwords.push("x".repeat(1_000));
    passwords
}

fn grant(number: i64, name: Option<&str>, login: i64) -> AccessGrant {
    let name: Option<DisplayName> = name.map(display_name);
    AccessGrant {
        user_id: user(number),
        name,
        login_id: LoginId::new(login).unwrap(),
        ttl: Duration::from_mins(15),
    }
}
