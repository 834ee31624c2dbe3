//! Who receives entries.

use std::{fmt, sync::Arc};

use sealroom_domain::{GroupId, RemovalReason};

use crate::Published;

/// A socket, as the feeds see it.
///
/// Called with the feed locked: every method returns at once and calls nothing of [`crate::Chat`].
pub trait Subscriber: fmt::Debug + Send + Sync {
    /// Takes entries of one group, in the order of their `seq`. One that cannot take all of them closes itself: it
    /// comes back and recovers. Entries are never skipped.
    fn deliver(&self, entries: &[Arc<Published>]) -> Result<(), Gone>;

    /// Tells that the user is no longer a member. Nothing of that group follows.
    fn removed_from_group(&self, group_id: GroupId, reason: RemovalReason);

    /// Its place in the group's log is lost: it closes itself, comes back and recovers.
    fn position_lost(&self);
}

/// The subscriber takes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;
