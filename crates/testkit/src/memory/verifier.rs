//! Tokens without cryptography.

use std::{collections::HashMap, fmt, sync::Arc};

use async_trait::async_trait;
use parking_lot::RwLock;
use sealroom_domain::{
    Principal,
    ports::{Clock, TokenError, TokenVerifier},
};

/// Accepts the tokens that a test registered, until they expire by its clock or are revoked. Clones share the tokens.
#[derive(Clone)]
pub struct MemoryVerifier {
    clock: Arc<dyn Clock>,
    tokens: Arc<RwLock<HashMap<String, Known>>>,
}

struct Known {
    principal: Principal,
    revoked: bool,
}

impl MemoryVerifier {
    /// Knows no token yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            tokens: Arc::default(),
        }
    }

    /// Lets the token speak for this principal.
    pub fn register(&self, token: impl Into<String>, principal: Principal) {
        let known = Known {
            principal,
            revoked: false,
        };
        self.tokens.write().insert(token.into(), known);
    }

    /// Takes the token back. A token that is not registered stays invalid.
    pub fn revoke(&self, token: &str) {
        if let Some(known) = self.tokens.write().get_mut(token) {
            known.revoked = true;
        }
    }
}

impl fmt::Debug for MemoryVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryVerifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenVerifier for MemoryVerifier {
    async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        match self.tokens.read().get(token) {
            None => Err(TokenError::Invalid),
            Some(known) if known.revoked => Err(TokenError::Revoked),
            Some(known) if known.principal.is_expired(self.clock.now()) => Err(TokenError::Expired),
            Some(known) => Ok(known.principal.clone()),
        }
    }
}
