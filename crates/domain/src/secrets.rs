//! What proves an account, as the store keeps it.

use std::{fmt, sync::Arc};

/// A password's hash with its parameters and salt, as text (PHC string format). Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

impl PasswordHash {
    /// A hash that was made, or read from the store.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

/// What a refresh token is known by: 32 bytes from which the token cannot be had. Never printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// A digest that was computed, or read from the store.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_printed() {
        let hash = PasswordHash::new("$argon2id$x");
        let digest = TokenDigest::new([0xAB; 32]);
        let text = format!("{hash:?}{digest:?}");
        assert_eq!(text, "PasswordHash([redacted])TokenDigest([redacted])");
    }
}
