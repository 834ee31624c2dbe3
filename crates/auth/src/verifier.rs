//! The verification of tokens.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use sealroom_domain::{
    Principal,
    ports::{Clock, TokenError, TokenVerifier},
};

use crate::{ClaimRules, ClaimRulesError, IssuerKeys, KeySet, token::Token};

/// The keys of a [`JwtVerifier`]: some that it is given, those that an issuer publishes, or both.
///
/// The two are independent: each chooses among its own keys by the rules of [`KeySet`], and a token is accepted where
/// a chosen key of either made its signature. Those that are given come first, so what they decide never waits. A
/// secret is only ever given: HS256 is accepted where one is, and an issuer cannot add one.
#[derive(Debug, Clone)]
pub struct Keys {
    given: Option<KeySet>,
    issuer: Option<Arc<IssuerKeys>>,
}

impl Keys {
    /// Keys that stay as they are.
    pub const fn given(keys: KeySet) -> Self {
        Self {
            given: Some(keys),
            issuer: None,
        }
    }

    /// Keys that an issuer publishes.
    pub fn of_issuer(keys: IssuerKeys) -> Self {
        Self {
            given: None,
            issuer: Some(Arc::new(keys)),
        }
    }

    /// Both.
    pub fn given_and_of_issuer(given: KeySet, issuer: IssuerKeys) -> Self {
        Self {
            given: Some(given),
            issuer: Some(Arc::new(issuer)),
        }
    }

    async fn signed(&self, token: &Token<'_>) -> Result<bool, TokenError> {
        let given = self.given.as_ref().is_some_and(|keys| {
            token.is_signed_by_one_of(keys.select(token.header.algorithm, token.header.kid.as_deref()))
        });
        match &self.issuer {
            Some(issuer) if !given && token.header.algorithm.is_public() => issuer.signed(token).await,
            _ => Ok(given),
        }
    }
}

impl From<KeySet> for Keys {
    fn from(keys: KeySet) -> Self {
        Self::given(keys)
    }
}

impl From<IssuerKeys> for Keys {
    fn from(keys: IssuerKeys) -> Self {
        Self::of_issuer(keys)
    }
}

/// What a [`JwtVerifier`] is made of.
#[derive(Debug)]
pub struct VerifierOptions {
    /// The keys that may have signed a token.
    pub keys: Keys,
    /// What a token must say.
    pub claims: ClaimRules,
    /// The time that `exp`, `nbf` and `iat` are compared with.
    pub clock: Arc<dyn Clock>,
}

/// Verifies tokens. See the crate's page for every rule.
pub struct JwtVerifier {
    keys: Keys,
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
}

#[async_trait]
impl TokenVerifier for JwtVerifier {
    /// The claims are not looked at before the signature is known to be right, and expiry comes last.
    async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let token = Token::read(token).ok_or(TokenError::Invalid)?;
        if !self.keys.signed(&token).await? {
            return Err(TokenError::Invalid);
        }
        let claims = token.claims().ok_or(TokenError::Invalid)?;
        let now = self.clock.now();
        let principal = self.claims.read(&claims, now).or(Err(TokenError::Invalid))?;
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
