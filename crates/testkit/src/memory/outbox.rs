//! The outbox.

use std::ops::Bound;

use async_trait::async_trait;
use sealroom_domain::{
    Timestamp,
    ports::{Outbox, OutboxId, OutboxItem, StoreError},
};

use super::MemoryStore;

#[async_trait]
impl Outbox for MemoryStore {
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state.lock();
        let is_anothers = state
            .lease
            .as_ref()
            .is_some_and(|(present, ends)| present != holder && now < *ends);
        if is_anothers {
            return Ok(false);
        }
        state.lease = Some((holder.to_owned(), until));
        Ok(true)
    }

    async fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, StoreError> {
        let state = self.state.lock();
        Ok(state
            .outbox
            .range((Bound::Excluded(after), Bound::Unbounded))
            .take(limit)
            .map(|(id, (group_id, seq))| OutboxItem {
                id: *id,
                entry: state
                    .groups
                    .get(group_id)
                    .and_then(|group| group.entry(*seq))
                    .cloned(),
            })
            .collect())
    }

    async fn delivered(&self, ids: &[OutboxId]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        for id in ids {
            state.outbox.remove(id);
        }
        Ok(())
    }
}
