//! Tokens, signed as the application's own backend would.

use std::fmt::Write as _;

use anyhow::Context as _;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use crate::clock::Clock;

/// Longer than any run.
const LIFETIME_SECS: u64 = 7 * 24 * 3600;
/// Who calls over HTTP; no member of anything.
const ADMIN: u64 = 1_000_000;

/// Signs tokens with the server's secret.
#[derive(Debug, Clone)]
pub(crate) struct Mint {
    pub(crate) secret: String,
    clock: Clock,
}

impl Mint {
    /// A new secret.
    pub(crate) fn new(clock: Clock) -> anyhow::Result<Self> {
        let mut secret = String::new();
        for _ in 0..4 {
            let part = getrandom::u64().context("no randomness for the secret")?;
            write!(secret, "{part:016x}")?;
        }
        Ok(Self { secret, clock })
    }

    /// The token of a user.
    pub(crate) fn user(&self, user_id: u64) -> anyhow::Result<String> {
        self.sign(&json!({"user_id": user_id, "name": format!("User {user_id}"), "exp": self.expiry()}))
    }

    /// The token of the admin calls.
    pub(crate) fn admin(&self) -> anyhow::Result<String> {
        self.sign(&json!({"user_id": ADMIN, "name": "Admin", "scope": "admin", "exp": self.expiry()}))
    }

    fn expiry(&self) -> u64 {
        self.clock.now_secs() + LIFETIME_SECS
    }

    fn sign(&self, claims: &serde_json::Value) -> anyhow::Result<String> {
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        encode(&Header::default(), claims, &key).context("cannot sign a token")
    }
}
