//! How far users have read.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::{GroupId, Seq, UserId};

/// Each user's read mark in each group.
///
/// Contract: a mark only moves forward, and never beyond the end of the log; one that was never set is before the first
/// entry. Marks are kept whether or not the user is a member. A call is atomic, and durable when it returned.
#[async_trait]
pub trait ReadMarks: fmt::Debug + Send + Sync {
    /// Moves marks; answers each as it then is, in their order, or `None` where there is no such group.
    async fn advance(&self, marks: Vec<ReadMark>) -> Result<Vec<Option<MarkedRead>>, StoreError>;

    /// The marks of one user in those of these groups where it has any, in any order.
    async fn of_user(&self, user_id: UserId, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError>;
}

/// A mark that is to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadMark {
    /// The group.
    pub group_id: GroupId,
    /// Whose mark.
    pub user_id: UserId,
    /// The last entry that was read.
    pub seq: Seq,
}

/// A mark as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkedRead {
    /// The last entry that was read.
    pub read: Seq,
    /// The place of the last entry of the log.
    pub head: Seq,
}
