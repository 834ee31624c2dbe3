//! Who is there.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::UserId;

/// Who has a socket now.
///
/// Contract: the answer is a hint; it may be old by the time it is used.
#[async_trait]
pub trait Presence: fmt::Debug + Send + Sync {
    /// Those of these users who have a socket, in their order.
    async fn online_among(&self, users: &[UserId]) -> Result<Vec<UserId>, StoreError>;
}
