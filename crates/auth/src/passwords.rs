//! Password hashes: argon2id (RFC 9106) as PHC strings.

use std::{num::NonZeroUsize, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{
        self, PasswordHasher as _, PasswordVerifier as _,
        phc::{self, Output, ParamsString, Salt},
    },
};
use sealroom_domain::{
    PasswordHash,
    ports::{BoxError, CredentialsError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::secret::random;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// A hash from the store that would cost more than this is not one of ours: 1 GiB.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;
const MAX_LANES: u32 = 255;

/// What hashing a password costs us, and an attacker for each guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordOptions {
    /// Memory of one hash in KiB, at least 8 for each lane, at most 1 GiB. 19 456 (19 MiB).
    pub memory_kib: u32,
    /// Passes over the memory, 1 to 64. 2.
    pub passes: u32,
    /// Lanes, 1 to 255. 1.
    pub lanes: u32,
    /// How many are computed at once, each on a thread of its own. 2.
    pub at_once: NonZeroUsize,
    /// How many more may wait. What comes then is [`CredentialsError::Busy`]. 32.
    pub waiting: usize,
}

impl Default for PasswordOptions {
    /// What OWASP asks for at least (Password Storage Cheat Sheet).
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
            at_once: const { NonZeroUsize::new(2).unwrap() },
            waiting: 32,
        }
    }
}

/// Parameters that argon2id does not have, or no randomness.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordOptionsError {
    /// Out of bounds.
    #[error("argon2id cannot work with these parameters")]
    Parameters,
    /// The operating system gives no randomness.
    #[error("no randomness is available")]
    NoRandomness {
        /// What happened.
        source: BoxError,
    },
}

/// Hashes and checks passwords, a few at once.
#[derive(Debug)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// What a password is checked against where there is no hash. No password is known to have it.
    nobody: PasswordHash,
    /// One permit for each that is computed or waits.
    places: Arc<Semaphore>,
    /// One permit for each that is computed.
    running: Arc<Semaphore>,
}

/// A place among those that are computed, kept to the end of the computation, also where nobody waits for it any more.
struct Turn {
    _place: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Passwords {
    pub(crate) fn new(options: &PasswordOptions) -> Result<Self, PasswordOptionsError> {
        let PasswordOptions {
            memory_kib,
            passes,
            lanes,
            at_once,
            waiting,
        } = *options;
        let params = (memory_kib <= MAX_MEMORY_KIB && passes <= MAX_PASSES && lanes <= MAX_LANES)
            .then(|| Params::new(memory_kib, passes, lanes, Some(HASH_BYTES)).ok())
            .flatten()
            .ok_or(PasswordOptionsError::Parameters)?;
        let nobody = nobody(&params)?;
        let places = at_once.get().saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            nobody,
            places: Arc::new(Semaphore::new(places)),
            running: Arc::new(Semaphore::new(at_once.get().min(Semaphore::MAX_PERMITS))),
        })
    }

    pub(crate) async fn hash(&self, password: &str) -> Result<PasswordHash, CredentialsError> {
        let salt = random::<SALT_BYTES>().map_err(failed)?;
        let argon2 = self.argon2.clone();
        let password = password.to_owned();
        let hash = self
            .compute(move || argon2.hash_password_with_salt(password.as_bytes(), &salt))
            .await?
            .map_err(failed)?;
        Ok(PasswordHash::new(hash.to_string()))
    }

    pub(crate) async fn check(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, CredentialsError> {
        let expected = phc::PasswordHash::new(hash.unwrap_or(&self.nobody).as_str()).map_err(failed)?;
        if !is_ours(&expected) {
            return Err(failed("the hash of a password is not one of argon2id"));
        }
        let argon2 = self.argon2.clone();
        let password = password.to_owned();
        // The parameters are those of the hash, which may be older than these.
        let outcome = self
            .compute(move || argon2.verify_password(password.as_bytes(), &expected))
            .await?;
        match outcome {
            Ok(()) => Ok(hash.is_some()),
            Err(password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CredentialsError> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .or(Err(CredentialsError::Busy))?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(failed)?;
        let turn = Turn {
            _place: place,
            _running: running,
        };
        spawn_blocking(move || {
            let value = work();
            drop(turn);
            value
        })
        .await
        .map_err(failed)
    }
}

/// The hash of no password at all: random bytes.
fn nobody(params: &Params) -> Result<PasswordHash, PasswordOptionsError> {
    let no_randomness = |source: getrandom::Error| PasswordOptionsError::NoRandomness {
        source: source.into(),
    };
    let salt = random::<SALT_BYTES>().map_err(no_randomness)?;
    let output = random::<HASH_BYTES>().map_err(no_randomness)?;
    let parts = || {
        Some(phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(params).ok()?,
            salt: Some(Salt::new(&salt).ok()?),
            hash: Some(Output::new(&output).ok()?),
        })
    };
    parts()
        .map(|hash| PasswordHash::new(hash.to_string()))
        .ok_or(PasswordOptionsError::Parameters)
}

/// Whether a hash from the store can be ours, so that it costs about what we mean it to.
fn is_ours(hash: &phc::PasswordHash) -> bool {
    let bounded = |params: Params| {
        params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES
    };
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.salt.is_some()
        && hash.hash.is_some()
        && Params::try_from(hash).is_ok_and(bounded)
}

fn failed(source: impl Into<BoxError>) -> CredentialsError {
    CredentialsError::Failed {
        source: source.into(),
    }
}
