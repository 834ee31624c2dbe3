//! Rows of `users`.

use diesel::{AsChangeset, Queryable, Selectable};
use sealroom_domain::{DisplayName, Timestamp, Username, ports::Profile};

use super::{user_id, valid};
use crate::{error::Inconsistency, schema::users};

/// A user that is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    id: i64,
    display_name: Option<String>,
    token_name: Option<String>,
    username: Option<String>,
    revoked_up_to: Option<i64>,
    erased_at: Option<i64>,
}

impl TryFrom<UserRow> for Profile {
    type Error = Inconsistency;

    fn try_from(row: UserRow) -> Result<Self, Inconsistency> {
        Ok(Self {
            user_id: user_id("users", "id", row.id)?,
            display_name: row
                .display_name
                .map(|name| valid("users", "display_name", DisplayName::new(name)))
                .transpose()?,
            token_name: row
                .token_name
                .map(|name| valid("users", "token_name", DisplayName::new(name)))
                .transpose()?,
            username: row
                .username
                .map(|name| valid("users", "username", Username::new(name)))
                .transpose()?,
            revoked_up_to: row.revoked_up_to.map(Timestamp::from_micros),
            erased: row.erased_at.is_some(),
        })
    }
}

/// What an erasure changes of the user's row: the id stays, and that its tokens were taken back.
#[derive(AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
pub(crate) struct Erasure {
    display_name: Option<String>,
    token_name: Option<String>,
    username: Option<String>,
    revoked_up_to: i64,
    erased_at: i64,
    erase_up_to: i64,
}

impl Erasure {
    /// `revoked_up_to` is up to when tokens were taken back before: those of a user who comes back are later ones.
    pub(crate) fn at(at: Timestamp, revoked_up_to: Option<i64>) -> Self {
        Self {
            display_name: None,
            token_name: None,
            username: None,
            revoked_up_to: revoked_up_to.map_or(at.as_micros(), |before| before.max(at.as_micros())),
            erased_at: at.as_micros(),
            erase_up_to: i64::MAX,
        }
    }
}
