//! The wrappers around the ports beside the log: read marks, the outbox, upkeep.

use async_trait::async_trait;
use sealroom_domain::{
    GroupId, Retention, Seq, Timestamp, UserId,
    ports::{MarkedRead, Outbox, OutboxId, OutboxItem, ReadMark, ReadMarks, StoreError, Trimmed, Upkeep},
};

use super::{Call, Faulty};

#[async_trait]
impl ReadMarks for Faulty<dyn ReadMarks> {
    async fn advance(&self, marks: Vec<ReadMark>) -> Result<Vec<Option<MarkedRead>>, StoreError> {
        self.store(Call::AdvanceMarks, self.inner.advance(marks)).await
    }

    async fn of_user(&self, user_id: UserId, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        self.store(Call::MarksOfUser, self.inner.of_user(user_id, groups))
            .await
    }
}

#[async_trait]
impl Outbox for Faulty<dyn Outbox> {
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.store(Call::LeaseOutbox, self.inner.lease(holder, now, until))
            .await
    }

    async fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, StoreError> {
        self.store(Call::PendingOutbox, self.inner.pending(after, limit))
            .await
    }

    async fn delivered(&self, ids: &[OutboxId]) -> Result<(), StoreError> {
        self.store(Call::DeliveredOutbox, self.inner.delivered(ids)).await
    }
}

#[async_trait]
impl Upkeep for Faulty<dyn Upkeep> {
    async fn trim(
        &self,
        after: Option<GroupId>,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Trimmed, StoreError> {
        self.store(Call::Trim, self.inner.trim(after, retention, now))
            .await
    }

    async fn unfinished_erasures(&self) -> Result<Vec<UserId>, StoreError> {
        self.store(Call::UnfinishedErasures, self.inner.unfinished_erasures())
            .await
    }

    async fn erase_content(
        &self,
        user_id: UserId,
        after: Option<(GroupId, Seq)>,
    ) -> Result<Option<(GroupId, Seq)>, StoreError> {
        self.store(Call::EraseContent, self.inner.erase_content(user_id, after))
            .await
    }
}
