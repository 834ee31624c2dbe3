//! The making of tokens that a [`crate::JwtVerifier`] of the same rules accepts.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealroom_domain::{
    DisplayName, LoginId, UserId,
    ports::{BoxError, Clock},
};
use serde_json::{Map, Value};

use crate::{
    ClaimRules, ClaimRulesError, SigningKey, numeric_date::MAX_SECONDS, secret::random,
    token::MAX_TOKEN_BYTES,
};

const JTI_BYTES: usize = 16;

/// What a [`Minter`] is made of.
#[derive(Debug)]
pub struct MinterOptions {
    /// What signs.
    pub key: SigningKey,
    /// `issuer` and `audience` go into each token where they are set, the user under `user_claim`.
    pub claims: ClaimRules,
    /// The time of `iat`.
    pub clock: Arc<dyn Clock>,
}

/// Makes tokens.
pub struct Minter {
    key: SigningKey,
    claims: ClaimRules,
    clock: Arc<dyn Clock>,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user.
    pub user_id: UserId,
    /// The name that others see.
    pub name: Option<DisplayName>,
    /// What the token opens, space-separated; `admin` opens the admin calls.
    pub scope: Option<String>,
    /// The login of a built-in account that the token belongs to.
    pub login_id: Option<LoginId>,
    /// How long the token is worth something: 1 s or more. It may end up to 1 s earlier, at a whole second.
    pub ttl: Duration,
}

impl Grant {
    /// A token for a user without name, scope and login.
    pub const fn new(user_id: UserId, ttl: Duration) -> Self {
        Self {
            user_id,
            name: None,
            scope: None,
            login_id: None,
            ttl,
        }
    }
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The lifetime is under one second, or ends after the year 9999.
    #[error("the token's lifetime must be at least one second and end before the year 10000")]
    Lifetime,
    /// The scope holds U+0000.
    #[error("the scope holds characters that are not allowed")]
    Scope,
    /// The token would be longer than a verifier reads.
    #[error("the token would be longer than 4096 bytes")]
    TooLong,
    /// There is no randomness, or the signature could not be made.
    #[error("the token could not be made")]
    Failed {
        /// What happened.
        source: BoxError,
    },
}

impl Minter {
    /// Checks the options.
    pub fn new(options: MinterOptions) -> Result<Self, ClaimRulesError> {
        let MinterOptions { key, claims, clock } = options;
        claims.check()?;
        Ok(Self { key, claims, clock })
    }

    /// A signed token with a random `jti`.
    pub fn mint(&self, grant: &Grant) -> Result<String, MintError> {
        let claims = self.claims_of(grant)?;
        let mut token = format!("{}.{}", encode(self.header()), encode(claims));
        let signature = self
            .key
            .sign(token.as_bytes())
            .map_err(|source| MintError::Failed {
                source: source.into(),
            })?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(MintError::TooLong);
        }
        Ok(token)
    }

    fn header(&self) -> Map<String, Value> {
        let mut header = Map::new();
        header.insert("alg".to_owned(), self.key.algorithm().name().into());
        header.insert("typ".to_owned(), "JWT".into());
        if let Some(kid) = self.key.kid() {
            header.insert("kid".to_owned(), kid.into());
        }
        header
    }

    fn claims_of(&self, grant: &Grant) -> Result<Map<String, Value>, MintError> {
        if grant.scope.as_deref().is_some_and(|scope| scope.contains('\0')) {
            return Err(MintError::Scope);
        }
        let (issued_at, expires_at) = self.lifetime(grant.ttl)?;
        let jti = random::<JTI_BYTES>().map_err(|source| MintError::Failed {
            source: source.into(),
        })?;

        let mut claims = Map::new();
        claims.insert(self.claims.user_claim.clone(), grant.user_id.get().into());
        claims.insert("iat".to_owned(), issued_at.into());
        claims.insert("exp".to_owned(), expires_at.into());
        claims.insert("jti".to_owned(), URL_SAFE_NO_PAD.encode(jti).into());
        if let Some(login_id) = grant.login_id {
            claims.insert("login_id".to_owned(), login_id.get().into());
        }
        let texts = [
            ("name", grant.name.as_ref().map(DisplayName::as_str)),
            ("scope", grant.scope.as_deref()),
            ("iss", self.claims.issuer.as_deref()),
            ("aud", self.claims.audience.as_deref()),
        ];
        for (claim, text) in texts {
            if let Some(text) = text {
                claims.insert(claim.to_owned(), text.into());
            }
        }
        Ok(claims)
    }

    /// `iat` and `exp` in whole seconds, which every reader of tokens understands; both rounded to earlier.
    fn lifetime(&self, ttl: Duration) -> Result<(i64, i64), MintError> {
        let now = self.clock.now();
        let seconds = |time: sealroom_domain::Timestamp| time.as_micros().div_euclid(1_000_000);
        let (issued_at, expires_at) = (seconds(now), seconds(now.plus(ttl)));
        if ttl < Duration::from_secs(1) || issued_at < 0 || expires_at > MAX_SECONDS {
            return Err(MintError::Lifetime);
        }
        Ok((issued_at, expires_at))
    }
}

fn encode(object: Map<String, Value>) -> String {
    URL_SAFE_NO_PAD.encode(Value::Object(object).to_string())
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minter")
            .field("key", &self.key)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
