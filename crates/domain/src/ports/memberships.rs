//! Who belongs to which group.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::{GroupId, Role, UserId};

/// The truth about memberships. A host application may implement it over its own tables.
///
/// Contract: a change is visible to every later call as soon as it returned; an unknown group has no members, an
/// unknown user no groups, and neither is an error.
#[async_trait]
pub trait Memberships: fmt::Debug + Send + Sync {
    /// One role for each pair, in their order; `None` where the user is not a member. One question, whatever the
    /// number of pairs.
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError>;

    /// The groups of a user with its role in each, by ascending id.
    async fn groups_of(&self, user_id: UserId) -> Result<Vec<(GroupId, Role)>, StoreError>;

    /// The members of a group, by ascending user id.
    async fn members_of(&self, group_id: GroupId) -> Result<Vec<Member>, StoreError>;

    /// Makes a user a member, or changes its role. Writes no entry: where Sealroom keeps the memberships, entry and
    /// membership change together in [`super::GroupLog::append`], and this is not called.
    async fn set(&self, group_id: GroupId, user_id: UserId, role: Role) -> Result<(), StoreError>;

    /// Ends a membership; `false` where there was none. Writes no entry, like [`Memberships::set`].
    async fn remove(&self, group_id: GroupId, user_id: UserId) -> Result<bool, StoreError>;
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user_id: UserId,
    /// Its role in the group.
    pub role: Role,
}
