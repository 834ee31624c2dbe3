//! How a JWK set is had.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use sealroom_domain::ports::BoxError;

/// Fetches an issuer's JWK set.
///
/// Contract: one call is one attempt; it may be dropped at any point, and is after [`crate::FETCH_LIMIT`]. What it
/// returns is not trusted to be a JWK set; it is no longer than [`crate::MAX_JWKS_BYTES`] and a little.
#[async_trait]
pub trait FetchJwks: fmt::Debug + Send + Sync {
    /// The set as the issuer publishes it now.
    async fn fetch(&self) -> Result<FetchedJwks, FetchError>;
}

/// What an issuer answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedJwks {
    /// The text of the set.
    pub body: Vec<u8>,
    /// How long it is good, where the issuer says so.
    pub max_age: Option<Duration>,
}

/// Why there is no set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Any status but 200.
    #[error("the issuer answered with status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// Over [`crate::MAX_JWKS_BYTES`].
    #[error("the issuer's answer is longer than 256 KiB")]
    TooLarge,
    /// No connection, no valid certificate, no end of the answer, or a redirect that is not followed.
    #[error("the issuer cannot be asked")]
    Failed {
        /// What happened.
        source: BoxError,
    },
}
