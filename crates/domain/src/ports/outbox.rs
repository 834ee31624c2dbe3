//! What the host is told of.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::{Entry, Timestamp};

/// Entries of which the host has not heard yet. A store that keeps one puts an entry there in the transaction that
/// appends it, so that none is ever forgotten; changes of groups that are deleted are not in it.
///
/// Contract: items come in the order of their ids; those of one group are in the order of its log. An item stays until it
/// was delivered. Each call is atomic and durable when it returned.
#[async_trait]
pub trait Outbox: fmt::Debug + Send + Sync {
    /// Takes or renews the right to deliver, which one holder has at a time, until `until`. `false` where somebody else
    /// has it at `now`.
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// The first items behind `after`, at most so many.
    async fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, StoreError>;

    /// Removes items.
    async fn delivered(&self, ids: &[OutboxId]) -> Result<(), StoreError>;
}

/// The place of an item in the outbox; 0 is before the first one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxId(pub i64);

/// An entry of which the host is to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// Its place in the outbox.
    pub id: OutboxId,
    /// The entry as it is now; `None` where it was forgotten in the meantime.
    pub entry: Option<Entry>,
}
