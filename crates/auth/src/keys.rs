//! Keys, each bound to one algorithm.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use jsonwebtoken::{DecodingKey, EncodingKey, crypto::aws_lc::DEFAULT_PROVIDER, errors::Error};

use crate::Secret;

/// The longest `kid` that is ignored for want of named keys.
const MAX_IGNORED_KID: usize = 128;

/// How a signature is made (RFC 7518, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
}

impl Algorithm {
    /// Every algorithm that a key can have.
    pub const ALL: &'static [Self] = &[Self::Hs256];

    /// The name in a token's `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of that name, with its exact case (RFC 7515, section 4.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }

    const fn in_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
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
        Self {
            algorithm: Algorithm::Hs256,
            kid: None,
            key: DecodingKey::from_secret(secret.as_bytes()),
        }
    }

    /// The same key under the name that tokens call it by in `kid`.
    #[must_use]
    pub fn named(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Whether the signature over `message` was made with this key; in constant time.
    pub(crate) fn verifies(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named here, not taken from the process: a host may have none installed, or another.
        (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.in_library(), &self.key)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
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

/// The keys that may have signed a token.
///
/// A token's `alg` and `kid` choose one key, or none:
///
/// - only keys of exactly this algorithm are looked at;
/// - a `kid` names a key, and an unknown one names none;
/// - but where the algorithm has a single key and this key has no name, there is nothing to choose, and a `kid` is
///   ignored, because many issuers write one. It must then look like a name: 1 to 128 ASCII letters, digits and
///   `- . _ ~ : + =`;
/// - without a `kid` it is the key without a name, or else the only key of the algorithm.
///
/// A `kid` is never a path, a query or an address.
#[derive(Debug, Clone)]
pub struct KeySet(BTreeMap<Algorithm, KeysOfOneAlgorithm>);

#[derive(Debug, Clone, Default)]
struct KeysOfOneAlgorithm {
    unnamed: Option<VerificationKey>,
    named: HashMap<String, VerificationKey>,
}

/// Keys that cannot be told apart, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Without a key no token can ever be accepted.
    #[error("there is no key to verify tokens with")]
    Empty,
    /// Two keys of one algorithm have the same name, or both have none.
    #[error("two keys of one algorithm have the same kid, or both have none")]
    Ambiguous,
}

impl KeySet {
    /// Several keys, at most one of each algorithm without a name.
    pub fn new(keys: impl IntoIterator<Item = VerificationKey>) -> Result<Self, KeySetError> {
        let mut set = BTreeMap::<Algorithm, KeysOfOneAlgorithm>::new();
        for key in keys {
            let same = set.entry(key.algorithm).or_default();
            let replaced = match key.kid.clone() {
                Some(kid) => same.named.insert(kid, key),
                None => same.unnamed.replace(key),
            };
            if replaced.is_some() {
                return Err(KeySetError::Ambiguous);
            }
        }
        if set.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self(set))
    }

    /// One key.
    pub fn single(key: VerificationKey) -> Self {
        let algorithm = key.algorithm;
        let keys = match key.kid.clone() {
            Some(kid) => KeysOfOneAlgorithm {
                unnamed: None,
                named: HashMap::from([(kid, key)]),
            },
            None => KeysOfOneAlgorithm {
                unnamed: Some(key),
                named: HashMap::new(),
            },
        };
        Self(BTreeMap::from([(algorithm, keys)]))
    }

    /// The one key that may have signed a token with this header.
    pub(crate) fn select(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<&VerificationKey> {
        let keys = self.0.get(&algorithm)?;
        match kid {
            Some(kid) if keys.named.is_empty() => keys.unnamed.as_ref().filter(|_| looks_like_a_name(kid)),
            Some(kid) => keys.named.get(kid),
            None if keys.unnamed.is_none() && keys.named.len() == 1 => keys.named.values().next(),
            None => keys.unnamed.as_ref(),
        }
    }
}

fn looks_like_a_name(kid: &str) -> bool {
    (1..=MAX_IGNORED_KID).contains(&kid.len())
        && kid
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:+=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> VerificationKey {
        VerificationKey::hs256(&Secret::generate().unwrap())
    }

    /// The name of the chosen key, `-` where it has none.
    fn chosen<'a>(set: &'a KeySet, kid: Option<&str>) -> Option<&'a str> {
        let key = set.select(Algorithm::Hs256, kid)?;
        Some(key.kid.as_deref().unwrap_or("-"))
    }

    #[test]
    fn a_kid_chooses_among_named_keys_and_an_unknown_one_chooses_none() {
        let two = KeySet::new([key().named("old"), key().named("new")]).unwrap();
        assert_eq!(chosen(&two, Some("old")), Some("old"));
        assert_eq!(chosen(&two, Some("new")), Some("new"));
        assert_eq!(chosen(&two, Some("other")), None);
        assert_eq!(chosen(&two, None), None, "nothing says which");

        let mixed = KeySet::new([key().named("new"), key()]).unwrap();
        assert_eq!(chosen(&mixed, Some("new")), Some("new"));
        assert_eq!(chosen(&mixed, None), Some("-"));
        assert_eq!(chosen(&mixed, Some("other")), None);
    }

    #[test]
    fn one_key_serves_tokens_without_a_kid() {
        for (set, name) in [
            (KeySet::single(key()), "-"),
            (KeySet::single(key().named("a")), "a"),
        ] {
            assert_eq!(chosen(&set, None), Some(name));
        }
        assert_eq!(chosen(&KeySet::single(key().named("a")), Some("b")), None);
    }

    #[test]
    fn one_key_without_a_name_ignores_names_and_nothing_else() {
        let set = KeySet::single(key());
        for good in ["key-1", "2024.01", "urn:key:1", "aGVsbG8=", &"k".repeat(128)] {
            assert_eq!(chosen(&set, Some(good)), Some("-"), "{good}");
        }
        for bad in ["", "../../dev/null", "' OR 1=1", "a\0", "é", &"k".repeat(129)] {
            assert_eq!(chosen(&set, Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn keys_that_cannot_be_told_apart_are_refused() {
        assert_eq!(KeySet::new([]).unwrap_err(), KeySetError::Empty);
        assert_eq!(KeySet::new([key(), key()]).unwrap_err(), KeySetError::Ambiguous);
        assert_eq!(
            KeySet::new([key().named("a"), key().named("a")]).unwrap_err(),
            KeySetError::Ambiguous
        );
    }
}
