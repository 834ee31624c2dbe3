//! Forgetting.

use std::{collections::BTreeMap, collections::BTreeSet, ops::Bound};

use async_trait::async_trait;
use sealroom_domain::{
    GroupId, MAX_SAFE_INTEGER, Retention, Seq, Timestamp, UserId,
    ports::{StoreError, Trimmed, Upkeep},
};

use super::{MemoryStore, state::State};

/// Groups that one step looks at.
const GROUPS: usize = 100;

/// What of a user is to go.
pub(super) enum Erasure {
    /// Everything.
    All,
    /// What there was when the user came back: up to these places.
    UpTo(BTreeMap<GroupId, Seq>),
}

#[async_trait]
impl Upkeep for MemoryStore {
    async fn trim(
        &self,
        after: Option<GroupId>,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Trimmed, StoreError> {
        Ok(self.state.lock().trim(after, retention, now))
    }

    async fn unfinished_erasures(&self) -> Result<Vec<UserId>, StoreError> {
        Ok(self.state.lock().erasures.keys().copied().collect())
    }

    async fn erase_content(
        &self,
        user_id: UserId,
        after: Option<(GroupId, Seq)>,
    ) -> Result<Option<(GroupId, Seq)>, StoreError> {
        Ok(self.state.lock().erase_content(user_id, after))
    }
}

impl State {
    fn trim(&mut self, after: Option<GroupId>, retention: Retention, now: Timestamp) -> Trimmed {
        let all: BTreeSet<GroupId> = self.groups.keys().chain(self.graves.keys()).copied().collect();
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut rest = all.range(behind).copied();
        let mut left = usize::try_from(Trimmed::ENTRIES).expect("a small number");
        let mut entries = 0;
        let mut last = None;
        for group_id in rest.by_ref().take(GROUPS) {
            last = Some(group_id);
            if let Some(grave) = self.graves.get_mut(&group_id) {
                entries += std::mem::take(&mut grave.entries);
            }
            if let Some(group) = self.groups.get_mut(&group_id) {
                let rule = group.retention.and(retention);
                let removed = group.trim(rule, now, left);
                left -= removed;
                entries += u64::try_from(removed).expect("a small number");
            }
            // What is left of this group, the next round takes.
            if left == 0 {
                break;
            }
        }
        Trimmed {
            next: last.filter(|_| rest.next().is_some()),
            entries,
        }
    }

    /// One group a step.
    fn erase_content(&mut self, user_id: UserId, after: Option<(GroupId, Seq)>) -> Option<(GroupId, Seq)> {
        let end = Seq::new(MAX_SAFE_INTEGER).expect("the largest place");
        let behind = after.map_or(Bound::Unbounded, |(group_id, _)| Bound::Excluded(group_id));
        let erasure = self.erasures.get(&user_id)?;
        let next = self.groups.range_mut((behind, Bound::Unbounded)).next();
        let Some((group_id, group)) = next else {
            self.erasures.remove(&user_id);
            return None;
        };
        let up_to = match erasure {
            Erasure::All => Some(&end),
            Erasure::UpTo(places) => places.get(group_id),
        };
        if let Some(up_to) = up_to {
            group.erase(user_id, *up_to);
        }
        Some((*group_id, end))
    }
}
