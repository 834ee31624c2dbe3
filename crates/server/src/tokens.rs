//! Which tokens are accepted, and the making of those of the built-in accounts.

use std::{fs, io, path::PathBuf, sync::Arc};

use sealroom_auth::{
    BuiltInCredentials, CredentialsOptions, HttpJwks, HttpTargetError, IssuerKeys, IssuerOptions,
    JwtVerifier, KeySet, KeySetError, Keys, Minter, MinterOptions, PasswordOptions, PemError, SigningKey,
    VerificationKey, VerifierOptions,
};

use crate::{
    clock::SystemClock,
    secret::{SecretFileError, secret},
    settings::Settings,
};

/// The longest file of public keys that is read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why no token could be accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenSetupError {
    /// The file of the public keys cannot be read.
    #[error("the public keys in {path:?} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The file holds no public keys that can be used.
    #[error("the public keys in {path:?} cannot be used")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: PemError,
    },
    /// The keys of the issuer cannot be fetched at all.
    #[error("the keys of the issuer cannot be fetched")]
    Jwks(#[from] HttpTargetError),
    /// The keys cannot be told apart.
    #[error("the keys for tokens do not fit together")]
    Keys(#[from] KeySetError),
    /// There is no secret.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// A token could never be accepted.
    #[error("no token can be verified")]
    Claims(#[from] sealroom_auth::ClaimRulesError),
    /// Passwords cannot be hashed.
    #[error("passwords cannot be hashed")]
    Passwords(#[from] sealroom_auth::PasswordOptionsError),
}

/// The verifier of the settings. Must be called within a tokio runtime: the keys of an issuer are fetched in the
/// background from then on.
pub(crate) fn verifier(settings: &Settings) -> Result<JwtVerifier, TokenSetupError> {
    let mut given = public_keys(settings)?;
    let issuer = match &settings.jwks_url {
        Some(url) => {
            let jwks = HttpJwks::new(url)?;
            if jwks.is_unprotected() {
                tracing::warn!(
                    "the keys of the issuer are fetched without TLS: whoever is on the way can replace them"
                );
            }
            Some(IssuerKeys::start(jwks, &IssuerOptions::default()))
        }
        None => None,
    };
    // A generated secret opens nothing where tokens come from an issuer.
    let has_issuer = issuer.is_some() || !given.is_empty();
    if settings.jwt_secret.is_some() || !has_issuer {
        given.push(VerificationKey::hs256(&secret(settings)?));
    }
    let keys = match (given.is_empty(), issuer) {
        (true, Some(issuer)) => Keys::of_issuer(issuer),
        (false, Some(issuer)) => Keys::given_and_of_issuer(KeySet::new(given)?, issuer),
        (_, None) => Keys::given(KeySet::new(given)?),
    };
    Ok(JwtVerifier::new(VerifierOptions {
        keys,
        claims: settings.claims.clone(),
        clock: Arc::new(SystemClock),
    })?)
}

/// What the built-in accounts prove themselves with.
pub(crate) fn credentials(settings: &Settings) -> Result<BuiltInCredentials, TokenSetupError> {
    Ok(BuiltInCredentials::new(CredentialsOptions {
        minter: Minter::new(MinterOptions {
            key: SigningKey::hs256(&secret(settings)?),
            claims: settings.claims.clone(),
            clock: Arc::new(SystemClock),
        })?,
        passwords: PasswordOptions::default(),
    })?)
}

/// The public keys of the configured file; none where there is no such setting.
pub(crate) fn public_keys(settings: &Settings) -> Result<Vec<VerificationKey>, TokenSetupError> {
    let Some(path) = &settings.jwt_public_key_file else {
        return Ok(Vec::new());
    };
    let read = |source| TokenSetupError::Read {
        path: path.clone(),
        source,
    };
    let metadata = fs::metadata(path).map_err(read)?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(read(io::Error::other("it is not a file of a fitting size")));
    }
    let text = fs::read_to_string(path).map_err(read)?;
    VerificationKey::from_pem(&text).map_err(|source| TokenSetupError::Pem {
        path: path.clone(),
        source,
    })
}
