//! Credentials without cryptography.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use sealroom_domain::{
    PasswordHash, Principal, TokenDigest,
    ports::{AccessGrant, Clock, Credentials, CredentialsError},
};

use super::MemoryVerifier;

/// What every hash begins with; a number that makes it unlike any other and the password itself follow.
const MARK: &str = "not-a-hash";

/// Numbers everything that is made in one test process, so that no two are the same.
static MADE: AtomicU64 = AtomicU64::new(1);

/// [`Credentials`] for tests: correct, fast, and anything but secure, since a hash holds the password itself.
///
/// A [`MemoryVerifier`] accepts the access tokens. Clones share their state.
#[derive(Clone)]
pub struct MemoryCredentials {
    clock: Arc<dyn Clock>,
    verifier: MemoryVerifier,
    checks: Arc<AtomicUsize>,
    busy: Arc<AtomicBool>,
}

impl MemoryCredentials {
    /// Access tokens are issued at the time of `clock`, and `verifier` accepts them.
    pub fn new(clock: Arc<dyn Clock>, verifier: MemoryVerifier) -> Self {
        Self {
            clock,
            verifier,
            checks: Arc::default(),
            busy: Arc::default(),
        }
    }

    /// How many passwords were checked, also where there was no hash to check against.
    pub fn checks(&self) -> usize {
        self.checks.load(Ordering::SeqCst)
    }

    /// While it is on, no password is hashed or checked: [`CredentialsError::Busy`].
    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::SeqCst);
    }

    fn work(&self) -> Result<(), CredentialsError> {
        if self.busy.load(Ordering::SeqCst) {
            return Err(CredentialsError::Busy);
        }
        Ok(())
    }
}

impl fmt::Debug for MemoryCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCredentials").finish_non_exhaustive()
    }
}

/// A hash that no adapter of this kind made.
#[derive(Debug, thiserror::Error)]
#[error("the hash was made by something else")]
struct ForeignHash;

#[async_trait]
impl Credentials for MemoryCredentials {
    async fn hash_password(&self, password: &str) -> Result<PasswordHash, CredentialsError> {
        self.work()?;
        Ok(PasswordHash::new(format!("{MARK}${}${password}", number())))
    }

    async fn check_password(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, CredentialsError> {
        self.work()?;
        self.checks.fetch_add(1, Ordering::SeqCst);
        let Some(hash) = hash else { return Ok(false) };
        let mut parts = hash.as_str().splitn(3, '$');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(MARK), Some(_), Some(hashed)) => Ok(hashed == password),
            _ => Err(CredentialsError::Failed {
                source: ForeignHash.into(),
            }),
        }
    }

    fn access_token(&self, grant: &AccessGrant) -> Result<String, CredentialsError> {
        let now = self.clock.now();
        let principal = Principal {
            user_id: grant.user_id,
            name: grant.name.clone(),
            scope: None,
            login_id: Some(grant.login_id),
            issued_at: Some(now),
            expires_at: now.plus(grant.ttl),
        };
        let token = format!("access-token-{}", number());
        self.verifier.register(token.clone(), principal);
        Ok(token)
    }

    fn refresh_token(&self) -> Result<(String, TokenDigest), CredentialsError> {
        let token = format!("refresh-token-{}", number());
        let digest = self.digest(&token);
        Ok((token, digest))
    }

    fn digest(&self, refresh_token: &str) -> TokenDigest {
        let mut bytes = [0; 32];
        for (index, part) in bytes.chunks_mut(8).enumerate() {
            let mut hasher = DefaultHasher::new();
            (index, refresh_token).hash(&mut hasher);
            part.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        TokenDigest::new(bytes)
    }
}

fn number() -> u64 {
    MADE.fetch_add(1, Ordering::Relaxed)
}
