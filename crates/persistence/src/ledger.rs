//! What an append asks of a store.

use sealroom_domain::{Entry, GroupId, MessageId, Role, Seq, UserId};

use crate::{error::Failure, target::Target};

/// The part of a store that an append works on, inside its transaction.
pub(crate) trait Ledger {
    /// The place of the last entry of a group's log before this batch; `None` where there is no such group. Asked once
    /// for each group.
    fn head(&mut self, group_id: GroupId) -> Result<Option<i64>, Failure>;

    /// The role of a user before this batch. Asked once for each pair.
    fn role(&mut self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Failure>;

    /// How many owners a group has now, with the changes of this batch.
    fn owners(&mut self, group_id: GroupId) -> Result<i64, Failure>;

    /// How many members a group has now, with the changes of this batch. Asked once for each group.
    fn members(&mut self, group_id: GroupId) -> Result<i64, Failure>;

    /// Of how many groups a user is a member now, with the changes of this batch. Asked once for each user.
    fn memberships(&mut self, user_id: UserId) -> Result<i64, Failure>;

    /// The message at a place, as it was before this batch; `None` where there is none. Asked once for each place.
    fn target(&mut self, group_id: GroupId, seq: Seq) -> Result<Option<Target>, Failure>;

    /// The id of the next message. Another one only after a message was inserted.
    fn next_message_id(&mut self) -> Result<MessageId, Failure>;

    /// Puts an entry at its place; answers the message that it repeats where it is none of its own.
    fn insert(&mut self, entry: &Entry) -> Result<Option<Entry>, Failure>;

    /// Removes the content of a message and of all of its edits, those of this batch among them.
    fn clear(&mut self, message: &Entry) -> Result<(), Failure>;

    /// Changes a membership; `None` ends it.
    fn set_role(&mut self, group_id: GroupId, user_id: UserId, change: RoleChange) -> Result<(), Failure>;
}

/// A change of a membership; `None` is no membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoleChange {
    pub(crate) before: Option<Role>,
    pub(crate) after: Option<Role>,
}
