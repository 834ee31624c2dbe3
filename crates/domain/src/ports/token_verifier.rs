//! Tokens.

use std::fmt;

use async_trait::async_trait;

use super::BoxError;
use crate::{ErrorCode, Principal};

/// Decides whether a token speaks for a user.
///
/// Contract: the answer depends on the token, the keys and the time alone; a token is never stored, logged or
/// put into an error; anything unclear is [`TokenError::Invalid`].
#[async_trait]
pub trait TokenVerifier: fmt::Debug + Send + Sync {
    /// Who the token speaks for.
    async fn verify(&self, token: &str) -> Result<Principal, TokenError>;
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Everything else that may be wrong with a token.
    #[error("the token is invalid")]
    Invalid,
    /// Its time is over.
    #[error("the token is expired")]
    Expired,
    /// It was taken back.
    #[error("the token is revoked")]
    Revoked,
    /// It cannot be decided now.
    #[error("the token cannot be verified now")]
    Unavailable {
        /// What happened.
        source: BoxError,
    },
}

impl TokenError {
    /// The code that a client gets.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid => ErrorCode::TokenInvalid,
            Self::Expired => ErrorCode::TokenExpired,
            Self::Revoked => ErrorCode::TokenRevoked,
            Self::Unavailable { .. } => ErrorCode::Unavailable,
        }
    }
}
