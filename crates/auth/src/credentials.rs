//! What the built-in accounts prove themselves with.

use async_trait::async_trait;
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealroom_domain::{
    PasswordHash, TokenDigest,
    ports::{AccessGrant, Credentials, CredentialsError},
};

use crate::{Grant, Minter, PasswordOptions, PasswordOptionsError, passwords::Passwords, secret::random};

const REFRESH_TOKEN_BYTES: usize = 32;

/// What [`BuiltInCredentials`] are made of.
#[derive(Debug)]
pub struct CredentialsOptions {
    /// Makes the access tokens. The server's verifier must have its secret and its rules.
    pub minter: Minter,
    /// What hashing a password costs.
    pub passwords: PasswordOptions,
}

/// The credentials of accounts that the server keeps itself.
///
/// - *Passwords* are hashed with argon2id and a random salt of 16 bytes, on threads for blocking work, a few at once.
///   They are taken as they are: rules about them, and the form of Unicode that they are in, are the caller's.
/// - *Access tokens* are those of a [`Minter`], with the login in `login_id`.
/// - *Refresh tokens* are 32 random bytes in base64url, 43 characters. They are known by the SHA-256 of this text:
///   what is random enough needs no slow hash.
#[derive(Debug)]
pub struct BuiltInCredentials {
    minter: Minter,
    passwords: Passwords,
}

impl BuiltInCredentials {
    /// Checks the options.
    pub fn new(options: CredentialsOptions) -> Result<Self, PasswordOptionsError> {
        let CredentialsOptions { minter, passwords } = options;
        let passwords = Passwords::new(&passwords)?;
        Ok(Self { minter, passwords })
    }
}

#[async_trait]
impl Credentials for BuiltInCredentials {
    async fn hash_password(&self, password: &str) -> Result<PasswordHash, CredentialsError> {
        self.passwords.hash(password).await
    }

    async fn check_password(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, CredentialsError> {
        self.passwords.check(password, hash).await
    }

    fn access_token(&self, grant: &AccessGrant) -> Result<String, CredentialsError> {
        let AccessGrant {
            user_id,
            name,
            login_id,
            ttl,
        } = grant;
        let grant = Grant {
            name: name.clone(),
            login_id: Some(*login_id),
            ..Grant::new(*user_id, *ttl)
        };
        self.minter
            .mint(&grant)
            .map_err(|source| CredentialsError::Failed {
                source: source.into(),
            })
    }

    fn refresh_token(&self) -> Result<(String, TokenDigest), CredentialsError> {
        let bytes = random::<REFRESH_TOKEN_BYTES>().map_err(|source| CredentialsError::Failed {
            source: source.into(),
        })?;
        let token = URL_SAFE_NO_PAD.encode(bytes);
        let digest = self.digest(&token);
        Ok((token, digest))
    }

    fn digest(&self, refresh_token: &str) -> TokenDigest {
        let digest = digest::digest(&digest::SHA256, refresh_token.as_bytes());
        let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest.as_ref());
        TokenDigest::new(bytes)
    }
}
