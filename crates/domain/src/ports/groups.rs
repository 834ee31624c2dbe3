//! The groups themselves.

use std::fmt;

use async_trait::async_trait;

use super::{Member, StoreError};
use crate::{Entry, GroupId, GroupName, Timestamp, UserId};

/// The groups and their names.
///
/// Contract: each call is atomic and durable when it returned. Ids that the store gives out are never those of an
/// existing group, also where a group was put under a chosen id before.
#[async_trait]
pub trait Groups: fmt::Debug + Send + Sync {
    /// Creates a group under an id of the store's choice, with a `member_added` entry for each founder in the order
    /// given, and their memberships where [`NewGroup::keeps_membership`] says so: all of it or nothing.
    async fn create(&self, group: NewGroup) -> Result<(GroupId, Vec<Entry>), StoreError>;

    /// Creates a group under a chosen id, or renames the one that is there. Writes no entry and adds nobody.
    /// `true` where it was created.
    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError>;

    /// Those of `ids` that exist, by ascending id.
    async fn get(&self, ids: &[GroupId]) -> Result<Vec<Group>, StoreError>;
}

/// A group that is to be created.
#[derive(Debug, Clone)]
pub struct NewGroup {
    /// Its name.
    pub name: GroupName,
    /// Its first members; each user at most once.
    pub founders: Vec<Member>,
    /// Who creates it.
    pub actor_id: UserId,
    /// When.
    pub at: Timestamp,
    /// Whether the store keeps the memberships too.
    pub keeps_membership: bool,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub group_id: GroupId,
    /// Its name.
    pub name: GroupName,
    /// The place of the last entry of its log.
    pub head: crate::Seq,
    /// When it was created.
    pub created_at: Timestamp,
}
