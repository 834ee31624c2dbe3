//! JWK sets (RFC 7517), with keys of RFC 7518, section 6, and RFC 8037.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::value::RawValue;

use super::{Algorithm, KeySet, MAX_UNNAMED, VerificationKey, public};
use crate::json::Object;

/// The longest JWK set that is looked at: 256 KiB.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;
/// The most keys that a JWK set may list, of whatever type.
pub const MAX_JWKS_KEYS: usize = 100;

/// What only the owner of a key may know. Who publishes it has lost the key.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a JWK set holds no keys for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// Over [`MAX_JWKS_BYTES`].
    #[error("the JWK set is longer than 256 KiB")]
    TooLarge,
    /// Not a JSON object with an array of objects in `keys`, or with a key of JSON twice.
    #[error("this is no JWK set")]
    Malformed,
    /// Over [`MAX_JWKS_KEYS`].
    #[error("the JWK set lists more than 100 keys")]
    TooManyKeys,
    /// All keys are of other types or for other uses, too weak or damaged, or there are none.
    #[error("the JWK set lists {listed} keys, and none of them is for RS256, ES256 or EdDSA signatures")]
    NoUsableKey {
        /// How many there are.
        listed: usize,
    },
}

/// What a JWK set holds.
#[derive(Debug)]
pub(crate) struct Jwks {
    pub(crate) keys: KeySet,
    /// How many listed keys are not among them.
    pub(crate) skipped: usize,
}

impl KeySet {
    /// The keys of a JWK set (RFC 7517, section 5) that sign tokens: RSA keys for RS256, P-256 keys for ES256, Ed25519
    /// keys for `EdDSA`, each under its `kid`.
    ///
    /// Skipped are keys of other types, curves and algorithms, symmetric and private ones, those whose `use` is not
    /// `sig` or whose `key_ops` lack `verify`, those whose `alg` does not fit their type, weak and damaged ones,
    /// different ones of the same algorithm and `kid`, and those beyond [`MAX_UNNAMED`] without one. The same key
    /// twice is one key. A set without any usable key is an error.
    pub fn from_jwks(bytes: &[u8]) -> Result<Self, JwksError> {
        Jwks::parse(bytes).map(|set| set.keys)
    }
}

impl Jwks {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, JwksError> {
        if bytes.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge);
        }
        let set = Object::parse(bytes).ok_or(JwksError::Malformed)?;
        let listed = set.get("keys").ok_or(JwksError::Malformed)?;
        let listed: Vec<&RawValue> = serde_json::from_str(listed.raw()).or(Err(JwksError::Malformed))?;
        if listed.len() > MAX_JWKS_KEYS {
            return Err(JwksError::TooManyKeys);
        }
        let mut found = Vec::new();
        for raw in &listed {
            let jwk = Object::parse(raw.get().as_bytes()).ok_or(JwksError::Malformed)?;
            found.extend(read(&jwk));
        }
        let usable = distinct(&found);
        let skipped = listed.len() - usable.len();
        let keys = KeySet::new(usable).or(Err(JwksError::NoUsableKey { listed: listed.len() }))?;
        Ok(Self { keys, skipped })
    }
}

/// A key for tokens; `None` for all others.
fn read(jwk: &Object<'_>) -> Option<VerificationKey> {
    let signs = jwk.text("use").ok()?.is_none_or(|purpose| purpose == "sig");
    let verifies = match jwk.get("key_ops") {
        Some(operations) => operations.texts()?.iter().any(|one| one == "verify"),
        None => true,
    };
    if !signs || !verifies || PRIVATE.iter().any(|name| jwk.has(name)) {
        return None;
    }
    let curve = jwk.text("crv").ok()?;
    let key = match (jwk.text("kty").ok()??.as_str(), curve.as_deref()) {
        ("RSA", _) => public::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?),
        ("EC", Some("P-256")) => public::p256_from_coordinates(&bytes(jwk, "x")?, &bytes(jwk, "y")?),
        ("OKP", Some("Ed25519")) => public::ed25519(&bytes(jwk, "x")?),
        _ => return None,
    };
    let key = key.ok()?;
    let algorithm = jwk.text("alg").ok()?;
    if algorithm.is_some_and(|name| Algorithm::from_name(&name) != Some(key.algorithm())) {
        return None;
    }
    match jwk.text("kid").ok()? {
        Some(kid) => Some(key.named(kid)),
        None => Some(key),
    }
}

fn bytes(jwk: &Object<'_>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.text(name).ok()??).ok()
}

/// The keys that can be told apart: each once, none that shares its name with another, and not too many without one.
fn distinct(found: &[VerificationKey]) -> Vec<VerificationKey> {
    let namesakes = |one: &VerificationKey, two: &VerificationKey| {
        one.algorithm() == two.algorithm() && one.kid() == two.kid()
    };
    let mut usable = Vec::<VerificationKey>::new();
    for key in found {
        let mut before = usable.iter().filter(|other| namesakes(key, other));
        let again = before.clone().any(|other| other.is_same(key));
        let ambiguous = match key.kid() {
            Some(_) => found
                .iter()
                .any(|other| namesakes(key, other) && !other.is_same(key)),
            None => before.nth(MAX_UNNAMED - 1).is_some(),
        };
        if !again && !ambiguous {
            usable.push(key.clone());
        }
    }
    usable
}
