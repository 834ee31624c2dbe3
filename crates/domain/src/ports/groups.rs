//! The groups themselves.

use std::fmt;

use async_trait::async_trait;

use super::{Member, MemberLimits, RefusedEntry, StoreError};
use crate::{Entry, GroupId, GroupName, Retention, Timestamp, UserId};

/// The groups and their names.
///
/// Contract:
/// - Each call is atomic and durable when it returned.
/// - Ids that the store gives out are never those of a group that exists or existed, also where a group was put under a
///   chosen id before.
/// - A group that was deleted is unknown to every port. One that is put under its id later is another group with an empty
///   log, but its log goes on after the last place of the former one: no place ever names two entries.
#[async_trait]
pub trait Groups: fmt::Debug + Send + Sync {
    /// Creates a group under an id of the store's choice, with a `member_added` entry for each founder in the order
    /// given, and their memberships where [`NewGroup::keeps_membership`] says so: all of it or nothing. Refuses what
    /// [`NewGroup::limits`] does not allow.
    async fn create(
        &self,
        group: NewGroup,
    ) -> Result<Result<(GroupId, Vec<Entry>), RefusedEntry>, StoreError>;

    /// Creates a group under a chosen id, or renames the one that is there. Writes no entry and adds nobody.
    /// `true` where it was created.
    ///
    /// Under the id of a deleted group it is another one: its first entry comes two places after the last of that one.
    /// A server that has not heard of the deletion waits for the place between, which no entry ever has, and so cannot
    /// take the new entries for those of the old group.
    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError>;

    /// Changes what is `Some`; `false` where there is no such group.
    async fn update(&self, group_id: GroupId, change: GroupChange) -> Result<bool, StoreError>;

    /// Deletes a group with its memberships and read marks, and answers the members that the store kept; `None` where
    /// there is no such group. The entries are gone for every port at once, and leave the disk with
    /// [`super::Upkeep::trim`].
    async fn delete(&self, group_id: GroupId, at: Timestamp) -> Result<Option<Vec<UserId>>, StoreError>;

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
    /// Bounds on the memberships, where the store keeps them.
    pub limits: MemberLimits,
}

/// What is to change of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// The name.
    pub name: Option<GroupName>,
    /// How long its entries are kept.
    pub retention: Option<Retention>,
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
    /// How long its entries are kept, beside what holds for all groups.
    pub retention: Retention,
}
