//! The log.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::{
    ClientMessageId, DisplayName, EncryptedContent, Entry, GroupId, KeyEpoch, LogId, RemovalReason, Role,
    Seq, Timestamp, UserId,
};

/// The durable logs of all groups.
///
/// Contract:
/// - `seq` is dense from 1 in each group, in the order of the entries in their batch; the entries of one group are
///   visible in that order, never one without those before it.
/// - An append that returned is durable. One that failed as a whole has appended all of the batch or nothing, and
///   which of the two is not known.
/// - An entry that is refused, repeated or without effect takes no `seq` and spoils no other entry of its batch.
/// - `(group, sender, client_message_id)` is unique for as long as the message is stored: appending it again, also
///   later in the same batch, answers the first entry.
/// - Content is returned byte for byte, until the message is deleted: then the content of the message and of all of its
///   edits is gone from the store, and the entries keep their places without it.
/// - An edit or a deletion that repeats the last one of its message answers that entry.
/// - A page of messages shows each one as it stands: with the content of its last edit, and not at all once its content
///   is gone.
/// - Several callers, and several processes on one store, may append at the same time.
/// - An append that its caller abandons goes on or has no effect; it never leaves a lock or half of a batch.
#[async_trait]
pub trait GroupLog: fmt::Debug + Send + Sync {
    /// The name of this log, the same for as long as it is the same log.
    async fn log_id(&self) -> Result<LogId, StoreError>;

    /// Appends a batch durably; one result for each entry, in their order.
    async fn append(&self, batch: Vec<NewEntry>) -> Result<Vec<Result<Appended, RefusedEntry>>, StoreError>;

    /// A page of a group's log, entries ascending; `None` where there is no such group.
    async fn read(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<Page>, StoreError>;

    /// A page of a group's messages as they stand now, ascending; `None` where there is no such group.
    async fn messages(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<MessagesPage>, StoreError>;

    /// The place of the last entry of each of these groups, in any order; those that do not exist are left out.
    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError>;
}

/// An entry that is to be appended.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// The group.
    pub group_id: GroupId,
    /// Who does it: a message's sender, a change's actor.
    pub actor_id: UserId,
    /// When the server accepted it.
    pub at: Timestamp,
    /// What is to happen.
    pub body: NewBody,
    /// What must hold at the entry's place in the log.
    pub guard: Guard,
}

/// What is to happen.
#[derive(Debug, Clone)]
pub enum NewBody {
    /// A message.
    Message {
        /// The sender's name now.
        sender_name: DisplayName,
        /// The ciphertext.
        content: EncryptedContent,
        /// The client's own id of the message.
        client_message_id: Option<ClientMessageId>,
        /// The key that the content is encrypted with.
        key_epoch: Option<KeyEpoch>,
    },
    /// A message is to have other content. Only its sender may do that.
    EditMessage {
        /// The message's place.
        target_seq: Seq,
        /// The new ciphertext.
        content: EncryptedContent,
        /// The key that it is encrypted with.
        key_epoch: Option<KeyEpoch>,
    },
    /// A message is to be gone. Its sender may do that, and who may delete those of others.
    DeleteMessage {
        /// The message's place.
        target_seq: Seq,
        /// Whether the actor may delete messages of others.
        of_others: OfOthers,
    },
    /// A user is to be a member with this role. Without effect where it is one already with the same role.
    SetMember {
        /// The user.
        user_id: UserId,
        /// The role.
        role: Role,
        /// Bounds on what a new membership may add up to.
        limits: MemberLimits,
    },
    /// A user is to be a member no longer. Without effect where it is none.
    RemoveMember {
        /// The user.
        user_id: UserId,
        /// Why.
        reason: RemovalReason,
    },
}

/// Who may delete the messages of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfOthers {
    /// The actor may not.
    Never,
    /// The actor may where it has at least this role at the entry's place in the log. Where the host keeps the
    /// memberships there is no such role, and the actor may not.
    FromRole(Role),
    /// The actor may.
    Always,
}

/// How far memberships may add up, where the store keeps them; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemberLimits {
    /// Members of one group at most.
    pub per_group: Option<usize>,
    /// Groups of one user at most.
    pub per_user: Option<usize>,
}

/// What is checked, and changed along, in the same transaction that numbers the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The host keeps the memberships: nothing is checked, no membership is changed, and a change of members is
    /// always an entry.
    Host,
    /// The store keeps the memberships: a change of members changes them together with its entry.
    Kept {
        /// The least role that the actor must have then; `None` checks nothing.
        actor_role: Option<Role>,
        /// Refuses what takes the group's last owner away while the group has one.
        keeps_owner: bool,
    },
}

/// An entry that is in the log, or was without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is new.
    New(Entry),
    /// It is a repetition of this entry: a message with the same `client_message_id`, content and key epoch (or whose
    /// content is gone), the last edit of its message with the same content and key epoch, or its deletion.
    Duplicate(Entry),
    /// The membership was as asked already; there is no entry.
    Unchanged,
}

/// Why an entry is not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedEntry {
    /// There is no such group.
    #[error("no such group")]
    UnknownGroup,
    /// The actor has not the role that the guard asks for: no member at all, or a lesser role.
    #[error("the actor's role is not enough")]
    ActorRole,
    /// The group would lose its last owner.
    #[error("the last owner cannot go")]
    LastOwner,
    /// The `client_message_id` names a message with other content or key epoch.
    #[error("the client message id names another message")]
    IdempotencyConflict,
    /// What is to be edited or deleted is no message, or its content is gone already.
    #[error("no such message")]
    NoSuchMessage,
    /// The message is another user's, and the actor may not do this to those.
    #[error("the message is another user's")]
    NotItsSender,
    /// The group has as many members as are allowed.
    #[error("the group is full")]
    GroupFull,
    /// The user is a member of as many groups as are allowed.
    #[error("the user has too many groups")]
    TooManyGroups,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// The entries after this place, the first of them first.
    After(Seq),
    /// The last entries before this place.
    Before(Seq),
    /// The last entries.
    Newest,
}

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit {
    /// The most entries; at least 1.
    pub entries: usize,
    /// The most bytes by [`Entry::weight`]; the first entry is given however heavy it is.
    pub bytes: usize,
}

/// A page of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries, ascending and without a gap.
    pub entries: Vec<Entry>,
    /// Whether the log goes on in the direction of reading: after the last entry, or before the first.
    pub has_more: bool,
    /// The place of the last entry of the log when the page was read.
    pub head: Seq,
    /// The place of the first entry that is still stored; of an empty log, the place that its next entry takes.
    pub first: Seq,
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagesPage {
    /// The messages, ascending.
    pub messages: Vec<CurrentMessage>,
    /// Whether more messages follow in the direction of reading.
    pub has_more: bool,
    /// The place of the last entry of the log when the page was read.
    pub head: Seq,
    /// The place of the first entry that is still stored; of an empty log, the place that its next entry takes.
    pub first: Seq,
}

/// A message as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentMessage {
    /// Its entry, with the content and key epoch of its last edit.
    pub entry: Entry,
    /// The place of that edit.
    pub edited_seq: Option<Seq>,
}
