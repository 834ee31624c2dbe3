//! What a feed is given.

use std::sync::Arc;

use crate::{Published, writer::Receipt};

/// An entry to deliver, with who waits to hear that it was.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) entry: Arc<Published>,
    pub(crate) receipt: Option<Receipt>,
}

impl Offer {
    /// An entry for whose delivery nobody waits.
    pub(crate) fn of(entry: Published) -> Self {
        Self {
            entry: Arc::new(entry),
            receipt: None,
        }
    }
}
