//! What becomes of a refresh, on any store.

use sealroom_domain::{
    LoginId, Timestamp, UserId,
    ports::Refreshed,
};

use crate::{error::Inconsistency, rows};

/// A refresh token that is stored, with its login.
#[derive(Debug, Clone, Copy, diesel::Queryable)]
pub(crate) struct TokenRow {
    pub(crate) login_id: i64,
    user_id: i64,
    ended_at: Option<i64>,
    expires_at: i64,
    spent_at: Option<i64>,
}

/// What a refresh changes and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// The token is spent for the next one.
    Spend(UserId, LoginId),
    /// The login ends.
    End(UserId, LoginId),
    /// Nothing.
    Refuse,
}

impl Refresh {
    /// Decides, under the lock of the login. A token whose time is over is refused whether or not it was spent:
    /// such tokens are forgotten at some time.
    pub(crate) fn of(row: Option<TokenRow>, now: Timestamp) -> Result<Self, Inconsistency> {
        let Some(row) = row.filter(|row| now.as_micros() < row.expires_at) else {
            return Ok(Self::Refuse);
        };
        let user_id = rows::user_id("logins", "user_id", row.user_id)?;
        let login_id = rows::login_id(row.login_id)?;
        Ok(match (row.spent_at, row.ended_at) {
            (Some(_), _) => Self::End(user_id, login_id),
            (None, Some(_)) => Self::Refuse,
            (None, None) => Self::Spend(user_id, login_id),
        })
    }

    /// What the caller hears.
    pub(crate) fn answer(self) -> Refreshed {
        match self {
            Self::Spend(user_id, login_id) => Refreshed::Done { user_id, login_id },
            Self::End(user_id, login_id) => Refreshed::Reused { user_id, login_id },
            Self::Refuse => Refreshed::Refused,
        }
    }
}
