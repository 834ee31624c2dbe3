//! The verification of tokens.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealroom_domain::{
    Principal,
    ports::{Clock, TokenError, TokenVerifier},
};

use crate::{ClaimRules, ClaimRulesError, KeySet, header::Header};

/// The longest token that is looked at: 4 KiB. What is longer is refused by its length alone.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// What a [`JwtVerifier`] is made of.
#[derive(Debug)]
pub struct VerifierOptions {
    /// The keys that may have signed a token.
    pub keys: KeySet,
    /// What a token must say.
    pub claims: ClaimRules,
    /// The time that `exp`, `nbf` and `iat` are compared with.
    pub clock: Arc<dyn Clock>,
}

/// Verifies tokens with keys that it holds. See the crate's page for every rule.
pub struct JwtVerifier {
    keys: KeySet,
    claims: ClaimRules,
    clock: Arc<dyn Clock>,
}

impl JwtVerifier {
    /// Checks the options.
    pub fn new(options: VerifierOptions) -> Result<Self, ClaimRulesError> {
        let VerifierOptions { keys, claims, clock } = options;
        claims.check()?;
        Ok(Self { keys, claims, clock })
    }

    /// Everything about a token but its expiry. The claims are not looked at before the signature is known to be
    /// right.
    fn authenticate(&self, token: &str, now: sealroom_domain::Timestamp) -> Option<Principal> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let header = Header::parse(&decode(header)?)?;
        let key = self.keys.select(header.algorithm, header.kid.as_deref())?;
        if !key.verifies(message.as_bytes(), &decode(signature)?) {
            return None;
        }
        self.claims.read(&decode(claims)?, now).ok()
    }
}

/// The only encoding of some bytes: this engine refuses padding, other alphabets and trailing bits that are not 0,
/// so that two accepted tokens are never the same token in two spellings (RFC 4648, section 3.5).
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[async_trait]
impl TokenVerifier for JwtVerifier {
    async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let now = self.clock.now();
        let principal = self.authenticate(token, now).ok_or(TokenError::Invalid)?;
        if principal.is_expired(now) {
            return Err(TokenError::Expired);
        }
        Ok(principal)
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("keys", &self.keys)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
