//! What a store does in the background.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::{GroupId, Retention, Seq, Timestamp, UserId};

/// Forgetting: by age or number, of deleted groups, of erased users. Each call is one bounded step.
///
/// Contract:
/// - A step is atomic; whoever reads sees a log before or after it, and a log that was trimmed says so by its first place.
/// - The last entry of a group that exists is never forgotten, so that the head stays the place of an entry.
/// - Several callers, also of several processes, may take steps at the same time.
#[async_trait]
pub trait Upkeep: fmt::Debug + Send + Sync {
    /// Looks at some groups behind `after`, by ascending id, and forgets the oldest entries that neither `retention` nor
    /// the group's own keeps; of a deleted group all. Removes at most about [`Trimmed::ENTRIES`] entries.
    async fn trim(
        &self,
        after: Option<GroupId>,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Trimmed, StoreError>;

    /// The erased users whose content may not be gone yet.
    async fn unfinished_erasures(&self) -> Result<Vec<UserId>, StoreError>;

    /// Removes content, names and client ids from some of the entries of an erased user behind `after`. Answers the
    /// place to go on from; `None` where all of it is gone, which is noted then. What a user writes who came back
    /// ([`super::Users::upsert`]) stays; a user who is not being erased loses nothing.
    async fn erase_content(
        &self,
        user_id: UserId,
        after: Option<(GroupId, Seq)>,
    ) -> Result<Option<(GroupId, Seq)>, StoreError>;
}

/// What a step of [`Upkeep::trim`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimmed {
    /// The group to go on behind; `None` after the last group.
    pub next: Option<GroupId>,
    /// Entries that were removed.
    pub entries: u64,
}

impl Trimmed {
    /// Entries that one step removes, about.
    pub const ENTRIES: u64 = 1000;
}
