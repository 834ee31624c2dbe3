//! Keys, each bound to one algorithm.

mod der;
mod jwk;
mod pem;
mod public;
mod set;

use std::fmt;

use jsonwebtoken::{
    DecodingKey, DecodingKeyKind, EncodingKey, crypto::aws_lc::DEFAULT_PROVIDER, errors::Error,
};

use crate::Secret;

pub use jwk::{JwksError, MAX_JWKS_BYTES, MAX_JWKS_KEYS};
pub use pem::{MAX_PEM_BYTES, MAX_PEM_KEYS, PemError};
pub use public::PublicKeyError;
pub use set::{KeySet, KeySetError, MAX_UNNAMED};

pub(crate) use jwk::Jwks;

/// How a signature is made (RFC 7518, section 3.1; RFC 8037, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 and an RSA key of 2048 to 8192 bits.
    Rs256,
    /// ECDSA with SHA-256 on the curve P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm that a key can have.
    pub const ALL: &'static [Self] = &[Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in a token's `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether its keys are public: who can verify cannot sign.
    pub const fn is_public(self) -> bool {
        !matches!(self, Self::Hs256)
    }

    /// The algorithm of that name, with its exact case (RFC 7515, section 4.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }

    const fn in_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// A key that checks signatures of exactly one algorithm.
#[derive(Clone)]
pub struct VerificationKey {
    algorithm: Algorithm,
    kid: Option<String>,
    key: DecodingKey,
}

impl VerificationKey {
    /// A shared secret.
    pub fn hs256(secret: &Secret) -> Self {
        Self::unnamed(Algorithm::Hs256, DecodingKey::from_secret(secret.as_bytes()))
    }

    /// The public keys of a PEM text (RFC 7468), in its order and without names: `PUBLIC KEY` sections, `RSA PUBLIC
    /// KEY` sections, and at most one `CERTIFICATE`, of which the key alone counts (not its dates, its names or its
    /// issuer; a chain is refused, because its other keys sign no tokens). The algorithm follows from the key's own
    /// type. Anything else in the text, a private key above all, is an error; text around the sections is a comment.
    ///
    /// At most [`MAX_PEM_BYTES`] and [`MAX_PEM_KEYS`].
    pub fn from_pem(text: &str) -> Result<Vec<Self>, PemError> {
        pem::read(text)
    }

    /// The same key under the name that tokens call it by in `kid`.
    #[must_use]
    pub fn named(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// The only algorithm whose signatures it checks.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name that tokens call it by.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether the signature over `message` was made with this key; against a secret in constant time.
    pub(crate) fn verifies(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named here, not taken from the process: a host may have none installed, or another.
        (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.in_library(), &self.key)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    /// Whether both are the same public key, whatever they are called. Secrets are never compared.
    fn is_same(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.algorithm.is_public() && self.parts() == other.parts()
    }

    /// What a public key consists of; `public` lets in one form of each.
    fn parts(&self) -> (&[u8], &[u8]) {
        match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => (n, e),
            DecodingKeyKind::SecretOrDer(bytes) => (bytes, &[]),
        }
    }

    /// A key that has passed every check: the library takes any bytes, and with bad ones no signature is right.
    const fn unnamed(algorithm: Algorithm, key: DecodingKey) -> Self {
        Self {
            algorithm,
            kid: None,
            key,
        }
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("key", &"[redacted]")
            .finish()
    }
}

/// A key that makes signatures of exactly one algorithm.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    kid: Option<String>,
    key: EncodingKey,
}

impl SigningKey {
    /// A shared secret.
    pub fn hs256(secret: &Secret) -> Self {
        Self {
            algorithm: Algorithm::Hs256,
            kid: None,
            key: EncodingKey::from_secret(secret.as_bytes()),
        }
    }

    /// The same key under the name that its tokens carry in `kid`.
    #[must_use]
    pub fn named(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signer = (DEFAULT_PROVIDER.signer_factory)(&self.algorithm.in_library(), &self.key)?;
        Ok(signer.try_sign(message)?)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("key", &"[redacted]")
            .finish()
    }
}
