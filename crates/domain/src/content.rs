//! What the clients encrypted.

use std::{fmt, sync::Arc};

/// Ciphertext of a message: opaque, kept byte for byte, never looked into and never printed.
///
/// Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedContent(Arc<str>);

/// Why a text cannot be a message's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// It has no bytes.
    #[error("content is empty")]
    Empty,
    /// It holds U+0000, which PostgreSQL cannot store in a text.
    #[error("content holds U+0000")]
    Nul,
    /// It is longer than allowed.
    #[error("content is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The most bytes that are allowed.
        limit_bytes: usize,
    },
}

impl EncryptedContent {
    /// Checks the size in bytes of UTF-8: 1 to `limit_bytes`, and that there is no U+0000.
    pub fn new(text: impl Into<Arc<str>>, limit_bytes: usize) -> Result<Self, ContentError> {
        let text = text.into();
        if text.is_empty() {
            Err(ContentError::Empty)
        } else if text.len() > limit_bytes {
            Err(ContentError::TooLarge { limit_bytes })
        } else if text.as_bytes().contains(&0) {
            Err(ContentError::Nul)
        } else {
            Ok(Self(text))
        }
    }

    /// The text as the client sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The size in bytes of UTF-8.
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for EncryptedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedContent({} bytes)", self.len_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_checked_in_bytes() {
        assert!(EncryptedContent::new("é", 2).is_ok());
        assert_eq!(
            EncryptedContent::new("é", 1),
            Err(ContentError::TooLarge { limit_bytes: 1 })
        );
        assert_eq!(EncryptedContent::new("", 1), Err(ContentError::Empty));
        assert_eq!(EncryptedContent::new("a\0", 9), Err(ContentError::Nul));
    }

    #[test]
    fn debug_shows_no_content() {
        let content = EncryptedContent::new("secret", 100).unwrap();
        assert_eq!(format!("{content:?}"), "EncryptedContent(6 bytes)");
    }
}
