//! Credentials that cut, mix up or show what they are to keep.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sealroom_domain::{
    LoginId, PasswordHash, TokenDigest,
    ports::{AccessGrant, Credentials, CredentialsError},
};
use sealroom_testkit::{
    conformance::credentials::{self, CredentialsFixture},
    memory::{FixedClock, MemoryCredentials, MemoryVerifier},
};
use tokio::task::yield_now;

use super::caught;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    LongPasswordsFail,
    PasswordsAreCut,
    PasswordsAreTrimmed,
    PasswordsEndAtNul,
    NoSalt,
    NoHashPasses,
    NoHashIsQuick,
    UnreadableIsWrong,
    ErrorsShowTheHash,
    NameIsLost,
    LivesTwiceAsLong,
    OneLoginForAll,
    RefreshTokensRepeat,
    DigestsAreTrimmed,
    DebugShowsThePassword,
    SharedBuffer,
}

struct Broken {
    inner: MemoryCredentials,
    defect: Defect,
    hashes: Mutex<HashMap<String, PasswordHash>>,
    made: AtomicUsize,
    last: Mutex<Option<(String, TokenDigest)>>,
    buffer: Mutex<String>,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.defect {
            Defect::DebugShowsThePassword => write!(f, "Broken({})", self.buffer.lock().unwrap()),
            _ => f.write_str("Broken"),
        }
    }
}

fn broken(defect: Defect) -> CredentialsFixture {
    let clock = FixedClock::default();
    let verifier = MemoryVerifier::new(Arc::new(clock.clone()));
    let credentials = Broken {
        inner: MemoryCredentials::new(Arc::new(clock.clone()), verifier.clone()),
        defect,
        hashes: Mutex::default(),
        made: AtomicUsize::new(0),
        last: Mutex::default(),
        buffer: Mutex::default(),
    };
    CredentialsFixture::new(Arc::new(credentials), Arc::new(verifier), clock)
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::credentials_conformance!(async { broken(Defect::None) });
}

caught! {
    long_passwords_fail: credentials::a_password_passes_its_own_hash, broken(Defect::LongPasswordsFail);
    passwords_are_cut: credentials::every_character_of_a_password_counts, broken(Defect::PasswordsAreCut);
    passwords_are_trimmed: credentials::every_character_of_a_password_counts,
        broken(Defect::PasswordsAreTrimmed);
    passwords_end_at_nul: credentials::every_character_of_a_password_counts,
        broken(Defect::PasswordsEndAtNul);
    there_is_no_salt: credentials::every_hash_has_a_salt_of_its_own, broken(Defect::NoSalt);
    nobodys_password_passes: credentials::without_a_hash_no_password_passes, broken(Defect::NoHashPasses);
    an_unknown_name_is_quick: credentials::without_a_hash_a_check_costs_as_much, broken(Defect::NoHashIsQuick);
    an_unreadable_hash_is_a_wrong_password: credentials::a_hash_that_cannot_be_read_is_an_error,
        broken(Defect::UnreadableIsWrong);
    an_error_shows_the_hash: credentials::a_hash_that_cannot_be_read_is_an_error,
        broken(Defect::ErrorsShowTheHash);
    the_name_is_lost: credentials::an_access_token_says_what_was_granted, broken(Defect::NameIsLost);
    tokens_live_twice_as_long: credentials::an_access_token_lives_as_long_as_granted,
        broken(Defect::LivesTwiceAsLong);
    all_logins_are_one: credentials::access_tokens_are_told_apart, broken(Defect::OneLoginForAll);
    refresh_tokens_repeat: credentials::refresh_tokens_are_never_the_same,
        broken(Defect::RefreshTokensRepeat);
    digests_ignore_white_space: credentials::a_refresh_token_is_known_by_its_digest,
        broken(Defect::DigestsAreTrimmed);
    debug_shows_the_password: credentials::nothing_secret_is_printed, broken(Defect::DebugShowsThePassword);
    callers_share_a_buffer: credentials::many_passwords_at_once_are_not_mixed_up,
        broken(Defect::SharedBuffer);
}

impl Broken {
    /// What a sloppy adapter makes of a password.
    fn taken_for<'a>(&self, password: &'a str) -> &'a str {
        match self.defect {
            Defect::PasswordsAreCut => password.get(..72).unwrap_or(password),
            Defect::PasswordsAreTrimmed => password.trim(),
            Defect::PasswordsEndAtNul => password.split('\0').next().unwrap_or_default(),
            _ => password,
        }
    }
}

#[async_trait]
impl Credentials for Broken {
    async fn hash_password(&self, password: &str) -> Result<PasswordHash, CredentialsError> {
        *self.buffer.lock().unwrap() = password.into();
        let hash = self.inner.hash_password(self.taken_for(password)).await?;
        if self.defect == Defect::NoSalt {
            let mut hashes = self.hashes.lock().unwrap();
            return Ok(hashes.entry(password.into()).or_insert(hash).clone());
        }
        Ok(hash)
    }

    async fn check_password(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, CredentialsError> {
        let checked = self.inner.check_password(self.taken_for(password), hash).await;
        match (self.defect, hash) {
            (Defect::LongPasswordsFail, _) if password.len() > 72 => Ok(false),
            (Defect::NoHashPasses, None) => Ok(true),
            (Defect::NoHashIsQuick, Some(_)) => {
                // What a hash costs.
                std::thread::sleep(Duration::from_millis(10));
                checked
            }
            (Defect::UnreadableIsWrong, _) => Ok(checked.unwrap_or(false)),
            (Defect::ErrorsShowTheHash, Some(hash)) => checked.map_err(|error| CredentialsError::Failed {
                source: format!("{error}: {}", hash.as_str()).into(),
            }),
            (Defect::SharedBuffer, hash) => {
                *self.buffer.lock().unwrap() = password.into();
                yield_now().await;
                let password = self.buffer.lock().unwrap().clone();
                self.inner.check_password(&password, hash).await
            }
            _ => checked,
        }
    }

    fn access_token(&self, grant: &AccessGrant) -> Result<String, CredentialsError> {
        let mut grant = grant.clone();
        match self.defect {
            Defect::NameIsLost => grant.name = None,
            Defect::LivesTwiceAsLong => grant.ttl *= 2,
            Defect::OneLoginForAll => grant.login_id = LoginId::new(1).unwrap(),
            _ => {}
        }
        self.inner.access_token(&grant)
    }

    fn refresh_token(&self) -> Result<(String, TokenDigest), CredentialsError> {
        let repeats = self.made.fetch_add(1, Ordering::SeqCst) == 500;
        let made = self.inner.refresh_token()?;
        let last = self.last.lock().unwrap().replace(made.clone());
        match (self.defect, last) {
            (Defect::RefreshTokensRepeat, Some(last)) if repeats => Ok(last),
            _ => Ok(made),
        }
    }

    fn digest(&self, refresh_token: &str) -> TokenDigest {
        match self.defect {
            Defect::DigestsAreTrimmed => self.inner.digest(refresh_token.trim()),
            _ => self.inner.digest(refresh_token),
        }
    }
}
