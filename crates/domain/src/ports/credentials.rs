//! Passwords and tokens of the built-in accounts.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use super::BoxError;
use crate::{DisplayName, LoginId, PasswordHash, TokenDigest, UserId};

/// Makes what the built-in accounts prove themselves with.
///
/// Contract: hashing and checking a password costs the same whatever the password, also where there is no hash to check
/// against; what is secret is never logged or put into an error; tokens and salts come from the operating system's
/// randomness.
#[async_trait]
pub trait Credentials: fmt::Debug + Send + Sync {
    /// What a password is known by from now on.
    async fn hash_password(&self, password: &str) -> Result<PasswordHash, CredentialsError>;

    /// Whether the password is the one of this hash; `false`, after as much work, where there is no hash.
    async fn check_password(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, CredentialsError>;

    /// An access token that the server's own verifier accepts.
    fn access_token(&self, grant: &AccessGrant) -> Result<String, CredentialsError>;

    /// A new refresh token, and what it is known by.
    fn refresh_token(&self) -> Result<(String, TokenDigest), CredentialsError>;

    /// What a refresh token is known by.
    fn digest(&self, refresh_token: &str) -> TokenDigest;
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessGrant {
    /// The user.
    pub user_id: UserId,
    /// The name that others see.
    pub name: Option<DisplayName>,
    /// The login that it belongs to.
    pub login_id: LoginId,
    /// How long it is worth something.
    pub ttl: Duration,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// There is more to do than the machine can: later.
    #[error("too many passwords are being checked")]
    Busy,
    /// No randomness, or a hash that cannot be read.
    #[error("credentials cannot be made or checked")]
    Failed {
        /// What happened.
        source: BoxError,
    },
}
