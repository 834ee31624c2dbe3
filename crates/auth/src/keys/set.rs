//! Keys of several names and algorithms.

use std::collections::{BTreeMap, HashMap};

use super::{Algorithm, VerificationKey};

/// The longest `kid` that is ignored for want of named keys.
const MAX_IGNORED_KID: usize = 128;
/// The most public keys of one algorithm without a name. All of them may have to be tried.
pub const MAX_UNNAMED: usize = 8;

/// The keys that may have signed a token.
///
/// A token's `alg` and `kid` choose the keys that are tried:
///
/// - only keys of exactly this algorithm are looked at;
/// - a `kid` names a key, and an unknown one names none;
/// - but where the algorithm has no named keys at all, there is nothing to choose, and a `kid` is ignored, because many
///   issuers write one. It must then look like a name: 1 to 128 ASCII letters, digits and `- . _ ~ : + =`;
/// - without a `kid` it is the keys without a name, or else the only key of the algorithm.
///
/// A `kid` is never a path, a query or an address. Without names there is one key of an algorithm, or, where the keys
/// are public (an old and a new one from a PEM file), up to [`MAX_UNNAMED`]: one of them must have made the signature.
#[derive(Debug, Clone)]
pub struct KeySet(BTreeMap<Algorithm, KeysOfOneAlgorithm>);

#[derive(Debug, Clone, Default)]
struct KeysOfOneAlgorithm {
    unnamed: Vec<VerificationKey>,
    named: HashMap<String, VerificationKey>,
}

/// Keys that cannot be told apart, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Without a key no token can ever be accepted.
    #[error("there is no key to verify tokens with")]
    Empty,
    /// Two keys of one algorithm have the same name, or two secrets have none.
    #[error("two keys of one algorithm have the same kid, or two secrets have none")]
    Ambiguous,
    /// More than [`MAX_UNNAMED`] public keys of one algorithm have no name.
    #[error("more than 8 keys of one algorithm have no kid")]
    TooManyUnnamed,
}

impl KeySet {
    /// Several keys.
    pub fn new(keys: impl IntoIterator<Item = VerificationKey>) -> Result<Self, KeySetError> {
        let mut set = BTreeMap::<Algorithm, KeysOfOneAlgorithm>::new();
        for key in keys {
            let same = set.entry(key.algorithm).or_default();
            match key.kid.clone() {
                Some(kid) => {
                    if same.named.insert(kid, key).is_some() {
                        return Err(KeySetError::Ambiguous);
                    }
                }
                None if !key.algorithm.is_public() && !same.unnamed.is_empty() => {
                    return Err(KeySetError::Ambiguous);
                }
                None if same.unnamed.len() == MAX_UNNAMED => return Err(KeySetError::TooManyUnnamed),
                None => same.unnamed.push(key),
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
        let mut keys = KeysOfOneAlgorithm::default();
        match key.kid.clone() {
            Some(kid) => {
                keys.named.insert(kid, key);
            }
            None => keys.unnamed.push(key),
        }
        Self(BTreeMap::from([(algorithm, keys)]))
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.0
            .values()
            .map(|keys| keys.unnamed.len() + keys.named.len())
            .sum()
    }

    /// Whether another set of public keys has the same keys under the same names.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same = |(one, two): (&KeysOfOneAlgorithm, &KeysOfOneAlgorithm)| {
            one.unnamed.len() == two.unnamed.len()
                && one.named.len() == two.named.len()
                && one
                    .unnamed
                    .iter()
                    .all(|key| two.unnamed.iter().any(|other| other.is_same(key)))
                && one
                    .named
                    .iter()
                    .all(|(kid, key)| two.named.get(kid).is_some_and(|other| other.is_same(key)))
        };
        self.0.keys().eq(other.0.keys()) && self.0.values().zip(other.0.values()).all(same)
    }

    /// The keys of which one may have signed a token with this header.
    pub(crate) fn select(&self, algorithm: Algorithm, kid: Option<&str>) -> &[VerificationKey] {
        let Some(keys) = self.0.get(&algorithm) else {
            return &[];
        };
        let named = |key: Option<_>| key.map_or(&[][..], std::slice::from_ref);
        match kid {
            Some(kid) if keys.named.is_empty() && looks_like_a_name(kid) => &keys.unnamed,
            Some(kid) => named(keys.named.get(kid)),
            None if keys.unnamed.is_empty() && keys.named.len() == 1 => named(keys.named.values().next()),
            None => &keys.unnamed,
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
    use crate::Secret;

    fn key() -> VerificationKey {
        VerificationKey::hs256(&Secret::generate().unwrap())
    }

    /// The name of the chosen key, `-` where it has none.
    fn chosen<'a>(set: &'a KeySet, kid: Option<&str>) -> Option<&'a str> {
        match set.select(Algorithm::Hs256, kid) {
            [] => None,
            [key] => Some(key.kid().unwrap_or("-")),
            _ => panic!("two secrets"),
        }
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
