//! What becomes of a refresh, on any store.

use sealroom_domain::{LoginId, Timestamp, UserId, ports::Refreshed};

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
    /// Decides, under the lock of the login.
    pub(crate) fn of(row: Option<TokenRow>, now: Timestamp) -> Result<Self, Inconsistency> {
        let Some(row) = row else {
            return Ok(Self::Refuse);
        };
        let is_over = row.ended_at.is_some() || now.as_micros() >= row.expires_at;
        let user_id = rows::user_id("logins", "user_id", row.user_id)?;
        let login_id = rows::login_id(row.login_id)?;
        Ok(match row.spent_at {
            Some(_) => Self::End(user_id, login_id),
            None if is_over => Self::Refuse,
            None => Self::Spend(user_id, login_id),
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

/// The logins of a user end whose last token was given out before this moment, where tokens were taken back up to
/// `up_to`: to the second, as tokens say when they were issued.
pub(crate) fn end_before(up_to: Timestamp) -> i64 {
    Timestamp::from_secs(up_to.whole_seconds().saturating_add(1)).as_micros()
}
