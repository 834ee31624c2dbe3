//! The suite of [`TokenVerifier`].

use std::{
    any::Any,
    fmt::{self, Write},
    sync::Arc,
    time::Duration,
};

use sealroom_domain::{
    MAX_SAFE_INTEGER, Principal, Timestamp,
    ports::{TokenError, TokenVerifier},
};
use tokio::task::JoinSet;

use super::{
    fixture::KeepAlive,
    macros::suite,
    sample::{display_name, user},
};
use crate::memory::FixedClock;

/// 2024-01-15T10:30:00Z, in whole seconds as tokens have them (RFC 7519, section 2).
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_705_314_600);

type Mint = Arc<dyn Fn(&Principal) -> String + Send + Sync>;

/// A verifier, and who can make tokens for it.
pub struct TokenVerifierFixture {
    verifier: Arc<dyn TokenVerifier>,
    clock: FixedClock,
    mint: Mint,
    keep_alive: KeepAlive,
}

impl TokenVerifierFixture {
    /// A verifier that tells the time by `clock`, and what makes a token that says exactly what a principal says.
    pub fn new(
        verifier: Arc<dyn TokenVerifier>,
        clock: FixedClock,
        mint: impl Fn(&Principal) -> String + Send + Sync + 'static,
    ) -> Self {
        clock.set(NOW);
        Self {
            verifier,
            clock,
            mint: Arc::new(mint),
            keep_alive: KeepAlive::default(),
        }
    }

    /// What must live as long as the fixture: a key file, a server of keys.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }

    #[track_caller]
    fn mint(&self, principal: &Principal) -> String {
        (self.mint)(principal)
    }

    async fn assert_invalid(&self, token: &str) {
        let refused = self.verifier.verify(token).await;
        assert!(
            matches!(refused, Err(TokenError::Invalid)),
            "a token of {} bytes: {refused:?}",
            token.len()
        );
    }
}

impl fmt::Debug for TokenVerifierFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifierFixture")
            .field("verifier", &self.verifier)
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}

suite!(
    /// Makes one test of each property of [`TokenVerifier`](sealroom_domain::ports::TokenVerifier).
    ///
    /// Takes a future of a [`TokenVerifierFixture`](crate::conformance::token_verifier::TokenVerifierFixture), since
    /// the suite needs tokens. See [`crate::conformance`].
    token_verifier_conformance, PROPERTIES, token_verifier, TokenVerifierFixture, $, [
        a_good_token_speaks_for_its_principal,
        a_token_without_optional_claims_is_good,
        the_scope_decides_about_admins,
        tokens_of_several_users_are_told_apart,
        a_token_is_good_more_than_once,
        a_token_expires_at_its_very_second,
        time_alone_decides_about_expiry,
        texts_that_are_no_tokens_are_invalid,
        a_changed_token_is_invalid,
        a_cut_token_is_invalid,
        errors_do_not_show_the_token,
        many_verify_at_once,
    ]
);

/// The answer says exactly what the token says.
pub async fn a_good_token_speaks_for_its_principal(fixture: TokenVerifierFixture) {
    for number in [1, 10, MAX_SAFE_INTEGER] {
        let principal = principal(number);
        let verified = fixture.verifier.verify(&fixture.mint(&principal)).await.unwrap();
        assert_eq!(verified, principal);
    }
}

/// Name, scope and time of issue may be absent, and stay so.
pub async fn a_token_without_optional_claims_is_good(fixture: TokenVerifierFixture) {
    let bare = Principal {
        name: None,
        scope: None,
        issued_at: None,
        ..principal(1)
    };
    let verified = fixture.verifier.verify(&fixture.mint(&bare)).await.unwrap();
    assert_eq!(verified, bare);
    assert!(!verified.is_admin());
}

/// The word `admin` among the scopes, and nothing that looks like it.
pub async fn the_scope_decides_about_admins(fixture: TokenVerifierFixture) {
    let scopes = [
        ("admin", true),
        ("chat admin", true),
        ("administrator", false),
        ("Admin", false),
        ("chat", false),
    ];
    for (scope, admin) in scopes {
        let principal = Principal {
            scope: Some(scope.into()),
            ..principal(1)
        };
        let verified = fixture.verifier.verify(&fixture.mint(&principal)).await.unwrap();
        assert_eq!(verified.is_admin(), admin, "{scope}");
    }
}

/// Nobody gets another's identity.
pub async fn tokens_of_several_users_are_told_apart(fixture: TokenVerifierFixture) {
    let tokens: Vec<(i64, String)> = (1..=20)
        .map(|number| (number, fixture.mint(&principal(number))))
        .collect();
    for (number, token) in tokens.iter().rev().chain(&tokens) {
        let verified = fixture.verifier.verify(token).await.unwrap();
        assert_eq!(verified.user_id, user(*number));
    }
}

/// The answer depends on no earlier question.
pub async fn a_token_is_good_more_than_once(fixture: TokenVerifierFixture) {
    let token = fixture.mint(&principal(1));
    for _ in 0..5 {
        fixture.assert_invalid("not a token").await;
        assert_eq!(fixture.verifier.verify(&token).await.unwrap(), principal(1));
    }
}

/// Good until the second before `exp`, and expired from `exp` on, without leeway (RFC 7519, section 4.1.4).
pub async fn a_token_expires_at_its_very_second(fixture: TokenVerifierFixture) {
    let principal = principal(1);
    let token = fixture.mint(&principal);
    for (before_exp, good) in [(60, true), (1, true), (0, false), (-1, false), (-3_600, false)] {
        let exp = principal.expires_at.as_micros();
        fixture
            .clock
            .set(Timestamp::from_micros(exp - before_exp * 1_000_000));
        let verified = fixture.verifier.verify(&token).await;
        match verified {
            Ok(verified) if good => assert_eq!(verified, principal),
            Err(TokenError::Expired) if !good => {}
            other => panic!("{before_exp} s before exp: {other:?}"),
        }
    }
    // The last moment before.
    fixture
        .clock
        .set(Timestamp::from_micros(principal.expires_at.as_micros() - 1));
    fixture.verifier.verify(&token).await.unwrap();
}

/// A clock that is set back makes the token good again: nothing is remembered.
pub async fn time_alone_decides_about_expiry(fixture: TokenVerifierFixture) {
    let token = fixture.mint(&principal(1));
    fixture.clock.advance(Duration::from_hours(2));
    let refused = fixture.verifier.verify(&token).await;
    assert!(matches!(refused, Err(TokenError::Expired)), "{refused:?}");
    fixture.clock.set(NOW);
    fixture.verifier.verify(&token).await.unwrap();
}

/// Anything else is invalid, and nothing else.
pub async fn texts_that_are_no_tokens_are_invalid(fixture: TokenVerifierFixture) {
    let token = fixture.mint(&principal(1));
    let texts = [
        String::new(),
        " ".into(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        "null".into(),
        "Nguyễn".into(),
        "\0".into(),
        "{\"user_id\":1}".into(),
        ".".repeat(100_000),
        "A".repeat(1_000_000),
        format!("Bearer {token}"),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}."),
        format!("{token}{token}"),
        token.to_uppercase(),
    ];
    for text in texts.iter().filter(|text| **text != token) {
        fixture.assert_invalid(text).await;
    }
    fixture.verifier.verify(&token).await.unwrap();
}

/// No character of a token may be another one.
pub async fn a_changed_token_is_invalid(fixture: TokenVerifierFixture) {
    let token = fixture.mint(&principal(1));
    let characters: Vec<char> = token.chars().collect();
    for position in 0..characters.len() {
        for other in ['A', 'B', '.', '='] {
            let mut changed = characters.clone();
            if std::mem::replace(&mut changed[position], other) != other {
                fixture.assert_invalid(&String::from_iter(changed)).await;
            }
        }
    }
    fixture.verifier.verify(&token).await.unwrap();
}

/// No part of a token is one.
pub async fn a_cut_token_is_invalid(fixture: TokenVerifierFixture) {
    let token = fixture.mint(&principal(1));
    for length in 0..token.len() {
        if let Some(cut) = token.get(..length) {
            fixture.assert_invalid(cut).await;
        }
        if let Some(rest) = token.get(length + 1..) {
            fixture.assert_invalid(rest).await;
        }
    }
}

/// A token is a secret also when it is refused.
pub async fn errors_do_not_show_the_token(fixture: TokenVerifierFixture) {
    let token = fixture.mint(&principal(1));
    let unknown = "unknown-token-that-no-error-may-show";
    fixture.clock.advance(Duration::from_hours(2));
    for refused in [&*token, unknown, &token[..token.len() - 2]] {
        let error = fixture.verifier.verify(refused).await.unwrap_err();
        let mut shown = String::new();
        let mut next: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = next {
            write!(shown, "{error} {error:?} ").unwrap();
            next = error.source();
        }
        for part in refused.split('.').filter(|part| part.len() > 8) {
            assert!(!shown.contains(part), "an error shows a part of the token");
        }
    }
    let verifier = format!("{:?}", fixture.verifier);
    assert!(!verifier.contains(&*token), "the verifier shows a token");
}

/// Good and bad tokens at once do not disturb each other.
pub async fn many_verify_at_once(fixture: TokenVerifierFixture) {
    let mut tasks = JoinSet::new();
    for number in 1..=64 {
        let verifier = Arc::clone(&fixture.verifier);
        let token = fixture.mint(&principal(number));
        tasks.spawn(async move {
            for _ in 0..10 {
                let principal = verifier.verify(&token).await.unwrap();
                assert_eq!(principal.user_id, user(number));
                let bad = format!("{token}x");
                assert!(matches!(verifier.verify(&bad).await, Err(TokenError::Invalid)));
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
}

fn principal(number: i64) -> Principal {
    Principal {
        user_id: user(number),
        name: Some(display_name("Nguyễn Văn A")),
        scope: Some("chat admin".into()),
        login_id: None,
        issued_at: Some(Timestamp::from_secs(1_705_314_590)),
        expires_at: NOW.plus(Duration::from_hours(1)),
    }
}
