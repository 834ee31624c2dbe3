//! How a store fails.

/// A source of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A question to a store was not answered. Its text names no query, path or value; the source does, for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot answer now: gone, too slow, full or locked. A write may have happened or not.
    #[error("the store is unavailable")]
    Unavailable {
        /// What happened.
        source: BoxError,
    },
    /// The store answered what it should not: a defect. A write may have happened or not.
    #[error("the store failed")]
    Internal {
        /// What happened.
        source: BoxError,
    },
}

impl StoreError {
    /// [`StoreError::Unavailable`] from any source.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }

    /// [`StoreError::Internal`] from any source.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::Internal {
            source: source.into(),
        }
    }
}
