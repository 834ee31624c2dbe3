//! Who somebody is: JSON Web Tokens (RFC 7519), passwords, and the keys of an outside issuer. Adapters of
//! [`sealroom_domain::ports::TokenVerifier`] and [`sealroom_domain::ports::Credentials`], and the minting of tokens.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use sealroom_auth::{
//!     ClaimRules, Grant, JwtVerifier, KeySet, Minter, MinterOptions, Secret, SigningKey, VerificationKey,
//!     VerifierOptions,
//! };
//! use sealroom_domain::{UserId, ports::Clock, ports::TokenVerifier};
//!
//! # async fn example(clock: Arc<dyn Clock>) -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::generate()?;
//! let verifier = JwtVerifier::new(VerifierOptions {
//!     keys: KeySet::single(VerificationKey::hs256(&secret)).into(),
//!     claims: ClaimRules::default(),
//!     clock: Arc::clone(&clock),
//! })?;
//! let minter = Minter::new(MinterOptions {
//!     key: SigningKey::hs256(&secret),
//!     claims: ClaimRules::default(),
//!     clock,
//! })?;
//!
//! let token = minter.mint(&Grant::new(UserId::new(5)?, Duration::from_secs(3600)))?;
//! assert_eq!(verifier.verify(&token).await?.user_id.get(), 5);
//! # Ok(())
//! # }
//! ```
//!
//! With an outside issuer, whose keys are fetched and refreshed, and a secret beside it:
//!
//! ```
//! use sealroom_auth::{HttpJwks, IssuerKeys, IssuerOptions, KeySet, Keys, Secret, VerificationKey};
//!
//! # async fn example(secret: &Secret, pem: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let mut given = VerificationKey::from_pem(pem)?;
//! given.push(VerificationKey::hs256(secret));
//! let issuer = IssuerKeys::start(
//!     HttpJwks::new("https://issuer.example/.well-known/jwks.json")?,
//!     &IssuerOptions::default(),
//! );
//! let keys = Keys::given_and_of_issuer(KeySet::new(given)?, issuer);
//! # Ok(())
//! # }
//! ```
//!
//! # What is accepted
//!
//! A token is a JWS in compact form (RFC 7515, section 7.1) of at most [`MAX_TOKEN_BYTES`], and every rule here is
//! checked in this crate; the library beneath computes and compares the signature and nothing more. What is unclear
//! is refused (RFC 8725).
//!
//! - *Encoding*: three parts of canonical base64url without padding or white space; header and claims are JSON
//!   objects in UTF-8 without duplicate keys at any depth, lone surrogates, a byte order mark or trailing text.
//! - *Algorithms*: HS256, RS256 with RSA keys of 2048 to 8192 bits, ES256, and `EdDSA` with Ed25519. A key has one of
//!   them and never serves a second, so a public key can never be taken for a secret. HS256 is accepted where a secret
//!   is given, and nowhere else.
//! - *Header*: `alg` names the algorithm of a key in the [`KeySet`]. `kid` chooses among these keys and does nothing
//!   else, except that an unknown one may cause the issuer's keys to be fetched ahead of time. `typ`, where present, is
//!   `JWT` or `at+jwt`. `crit`, `jku`, `jwk`, `x5u`, `x5c`, `b64`, `zip`, `enc` and a nested token (`cty`) are refused.
//! - *Times*: `exp` is required and has no leeway; `nbf` and `iat` have [`LEEWAY`]. They come from the `Clock` port.
//! - *Identity*: the user claim is a JSON integer from 1 to 2^53 - 1. `"5"`, `5.0` and `5e0` are not. The same holds for
//!   `login_id`, which may be absent.
//! - *Texts*: `name`, `scope`, `iss`, `aud`, `sub` and `jti` have the types that RFC 7519 and RFC 8693 give them, and
//!   hold no U+0000. Only `name` may be `null`.
//! - *Kind*: a token that says of itself that it is an ID token or a refresh token is refused (RFC 8725,
//!   section 3.11).
//!
//! Which public keys are accepted from a file is with [`VerificationKey::from_pem`], and from a JWK set with
//! [`KeySet::from_jwks`].
//!
//! # What is fetched
//!
//! One thing: the JWK set of the issuer, by [`HttpJwks`], from the one address that it was made with, never from one
//! that a token names. [`IssuerKeys`] says when. No set, no access: tokens that hang on it are then
//! [`sealroom_domain::ports::TokenError::Unavailable`], and those of given keys are decided as ever.
//!
//! # Adding an algorithm
//!
//! A variant of [`Algorithm`], and constructors in `keys/public.rs` that bind a key to it. A key type has one algorithm
//! here; where a second one is to come, the key must say which it is for.
//!
//! This crate must never know sockets of clients, HTTP handlers, a database or the wall clock.

mod claims;
mod credentials;
mod header;
mod json;
mod jwks;
mod keys;
mod minter;
mod numeric_date;
mod passwords;
mod secret;
mod token;
mod verifier;

pub use claims::{ClaimRules, ClaimRulesError, LEEWAY};
pub use credentials::{BuiltInCredentials, CredentialsOptions};
pub use jwks::{FETCH_LIMIT, FetchError, FetchJwks, FetchedJwks, HttpJwks, IssuerKeys, IssuerOptions};
pub use keys::{
    Algorithm, JwksError, KeySet, KeySetError, MAX_JWKS_BYTES, MAX_JWKS_KEYS, MAX_PEM_BYTES, MAX_PEM_KEYS,
    MAX_UNNAMED, PemError, PublicKeyError, SigningKey, VerificationKey,
};
pub use minter::{Grant, MintError, Minter, MinterOptions};
pub use passwords::{PasswordOptions, PasswordOptionsError};
/// Why nothing can be asked of an address at all.
pub use sealroom_outbound::HttpTargetError;
pub use secret::{Secret, SecretError};
pub use token::MAX_TOKEN_BYTES;
pub use verifier::{JwtVerifier, Keys, VerifierOptions};
