//! The built-in accounts.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::{DisplayName, LoginId, PasswordHash, Timestamp, TokenDigest, UserId, Username};

/// Accounts, and who is logged in.
///
/// A login begins with a name and a password and lives by refresh tokens, each of which can be spent once. The store
/// knows their digests only.
///
/// Contract: each call is atomic and durable when it returned. Of two calls that spend one token at the same time, one
/// does.
#[async_trait]
pub trait Accounts: fmt::Debug + Send + Sync {
    /// Makes an account and its user, under an id that no user had before; `None` where the name is taken. The user is
    /// known to [`super::Users`] from then on, with this name.
    async fn register(&self, account: NewAccount) -> Result<Option<UserId>, StoreError>;

    /// The account of that name.
    async fn account(&self, username: &Username) -> Result<Option<Account>, StoreError>;

    /// Begins a login with its first refresh token.
    async fn open_login(&self, user_id: UserId, token: NewRefreshToken) -> Result<LoginId, StoreError>;

    /// Spends a refresh token for the next one. A token that was spent before ends its login: somebody else has it.
    async fn refresh(
        &self,
        token: &TokenDigest,
        next: NewRefreshToken,
        now: Timestamp,
    ) -> Result<Refreshed, StoreError>;

    /// Ends a login; harmless where it has ended.
    async fn close_login(&self, login_id: LoginId, at: Timestamp) -> Result<(), StoreError>;

    /// Whether a login goes on. One that was never begun does not.
    async fn is_open(&self, login_id: LoginId) -> Result<bool, StoreError>;
}

/// An account that is to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its unique name.
    pub username: Username,
    /// The name that others see.
    pub display_name: DisplayName,
    /// What its password is known by.
    pub password: PasswordHash,
    /// When.
    pub at: Timestamp,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub user_id: UserId,
    /// What its password is known by.
    pub password: PasswordHash,
}

/// A refresh token that is to be given out.
#[derive(Debug, Clone)]
pub struct NewRefreshToken {
    /// What it is known by.
    pub digest: TokenDigest,
    /// When it is given out.
    pub at: Timestamp,
    /// From this moment on it is worth nothing.
    pub expires_at: Timestamp,
}

/// What became of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// The next token stands in the place of the spent one.
    Done {
        /// The user.
        user_id: UserId,
        /// The login that goes on.
        login_id: LoginId,
    },
    /// The token had been spent before: its login has ended with this call, if it had not.
    Reused {
        /// The user.
        user_id: UserId,
        /// The login that has ended.
        login_id: LoginId,
    },
    /// No such token, its time is over, or its login has ended.
    Refused,
}
