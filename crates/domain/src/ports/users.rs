//! What is known of users.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::{DisplayName, Timestamp, UserId, Username};

/// The users that Sealroom knows.
///
/// Contract: each call is atomic, and visible to every later call as soon as it returned. An erased user keeps its id
/// and nothing else; [`Users::upsert`] makes it a user like any other again, [`Users::provision`] does not.
#[async_trait]
pub trait Users: fmt::Debug + Send + Sync {
    /// The profiles of those of `ids` that are known, in any order.
    async fn profiles(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError>;

    /// Sets what the host application says of a user, who becomes known if it was not. An absent `username` leaves
    /// the present one. A `username` of another user changes nothing.
    async fn upsert(
        &self,
        user_id: UserId,
        display_name: &DisplayName,
        username: Option<&Username>,
    ) -> Result<UpsertOutcome, StoreError>;

    /// Makes a user known, and keeps the name of its token apart from the one that the host set. Without a token
    /// name the one kept before stays. Answers the profile as it is then.
    async fn provision(
        &self,
        user_id: UserId,
        token_name: Option<&DisplayName>,
    ) -> Result<Profile, StoreError>;

    /// Takes back every token that was issued up to this moment; never an earlier one. Makes the user known, so that a
    /// token that comes later is refused too. Refresh tokens are tokens: the logins of a built-in account end whose last
    /// one was given out up to this moment, to the second like [`Profile::has_revoked`].
    async fn revoke(&self, user_id: UserId, up_to: Timestamp) -> Result<(), StoreError>;

    /// Erases a user: its names, its account, its read marks; takes back its tokens, those issued later too. Its content
    /// goes by [`super::Upkeep::erase_content`], also what was written since an earlier call. `false` where it is not known.
    async fn erase(&self, user_id: UserId, at: Timestamp) -> Result<bool, StoreError>;
}

/// What is known of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The user.
    pub user_id: UserId,
    /// The name that the host application set.
    pub display_name: Option<DisplayName>,
    /// The name in the latest token that had one.
    pub token_name: Option<DisplayName>,
    /// The unique name in the host application.
    pub username: Option<Username>,
    /// Tokens issued up to this moment were taken back, and those that do not say when they were issued.
    pub revoked_up_to: Option<Timestamp>,
    /// Whether the user was erased: every token was taken back.
    pub erased: bool,
}

impl Profile {
    /// A user of whom nothing but the id is known.
    pub const fn unnamed(user_id: UserId) -> Self {
        Self {
            user_id,
            display_name: None,
            token_name: None,
            username: None,
            revoked_up_to: None,
            erased: false,
        }
    }

    /// Whether a token was taken back that was issued then, to the second (RFC 7519, 4.1.6).
    pub fn has_revoked(&self, issued_at: Option<Timestamp>) -> bool {
        let taken_back = self.revoked_up_to.is_some_and(|up_to| {
            issued_at.is_none_or(|issued_at| issued_at.whole_seconds() <= up_to.whole_seconds())
        });
        self.erased || taken_back
    }

    /// The name that others see: the host's, else the token's.
    pub fn shown_name(&self) -> Option<&DisplayName> {
        self.display_name.as_ref().or(self.token_name.as_ref())
    }
}

/// What an upsert did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpsertOutcome {
    /// It is as asked.
    Done,
    /// Another user has the `username`.
    UsernameTaken,
}
