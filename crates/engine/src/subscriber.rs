//! Who receives entries.

use std::{fmt, sync::Arc};

use sealroom_domain::{GroupId, RemovalReason, Seq, UserId};

use crate::{Published, Shared};

/// A socket, as the feeds see it.
///
/// Called with the feed locked: every method returns at once and calls nothing of [`crate::Chat`].
pub trait Subscriber: fmt::Debug + Send + Sync {
    /// Takes entries of one group, in the order of their `seq`. One that cannot take all of them closes itself: it
    /// comes back and recovers. Entries are never skipped.
    fn deliver(&self, entries: &[Arc<Published>]) -> Result<(), Gone>;

    /// Takes what is worth something only now. One that is busy drops it.
    fn signal(&self, signal: &Arc<Shared<Signal>>);

    /// Tells that the user is no longer a member. Nothing of that group follows.
    fn removed_from_group(&self, group_id: GroupId, reason: RemovalReason);

    /// Its place in the group's log is lost: it closes itself, comes back and recovers.
    fn position_lost(&self);

    /// Its token was taken back: it ends, and its client stays away.
    fn revoked(&self);
}

/// The subscriber takes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// What is told to those who have joined a group, and is no part of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Somebody types, or does no longer.
    Typing {
        /// The group.
        group_id: GroupId,
        /// Who.
        user_id: UserId,
        /// Whether it still does.
        is_typing: bool,
    },
    /// Somebody has read up to this place.
    Read {
        /// The group.
        group_id: GroupId,
        /// Who.
        user_id: UserId,
        /// The last entry that was read.
        read_seq: Seq,
    },
}
