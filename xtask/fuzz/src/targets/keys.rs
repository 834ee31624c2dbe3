//! What tells who may sign: public keys, and the secrets of webhooks.

use std::error::Error;

use sealroom_auth::{KeySet, MAX_JWKS_BYTES, MAX_JWKS_KEYS, MAX_PEM_BYTES, MAX_PEM_KEYS, VerificationKey};
use sealroom_domain::ErrorCode;
use sealroom_hooks::Secrets;

use super::tokens::{signed, verifier, verify};
use crate::Verdict;

/// The public keys of a file.
pub fn pem(data: &[u8]) -> Verdict {
    let Ok(text) = str::from_utf8(data) else {
        return Verdict::Refused;
    };
    match VerificationKey::from_pem(text) {
        Ok(keys) => {
            assert!((1..=MAX_PEM_KEYS).contains(&keys.len()) && text.len() <= MAX_PEM_BYTES);
            assert!(
                keys.iter()
                    .all(|key| key.algorithm().is_public() && key.kid().is_none())
            );
            // The sets of keys that go together are another rule; it must not panic either.
            if let Ok(set) = KeySet::new(keys) {
                assert_no_secret(set);
            }
            Verdict::Accepted
        }
        Err(error) => refused(&error),
    }
}

/// The JWK set that an issuer publishes.
pub fn jwks(data: &[u8]) -> Verdict {
    match KeySet::from_jwks(data) {
        Ok(set) => {
            assert!((1..=MAX_JWKS_KEYS).contains(&set.count()) && data.len() <= MAX_JWKS_BYTES);
            let again = KeySet::from_jwks(data).expect("the second time is another");
            assert_eq!(set.count(), again.count());
            assert_no_secret(set);
            Verdict::Accepted
        }
        Err(error) => refused(&error),
    }
}

/// The secrets that webhooks are signed with.
pub fn webhook_secret(data: &[u8]) -> Verdict {
    let Ok(text) = str::from_utf8(data) else {
        return Verdict::Refused;
    };
    match Secrets::parse(text) {
        Ok(secrets) => {
            let parts: Vec<&str> = text
                .split(|c: char| c == ',' || c.is_ascii_whitespace())
                .filter(|part| !part.is_empty())
                .collect();
            assert!((1..=Secrets::MAX).contains(&parts.len()));
            let printed = format!("{secrets:?}");
            for part in parts {
                let encoded = part.strip_prefix("whsec_").expect("the prefix");
                assert!((32..=88).contains(&encoded.len()), "24 to 64 bytes");
                assert!(!printed.contains(encoded), "a secret was printed");
            }
            Verdict::Accepted
        }
        Err(error) => refused(&error),
    }
}

/// Public keys never let in a token that is signed with a secret, whatever they hold.
fn assert_no_secret(keys: KeySet) {
    let token = signed(br#"{"alg":"HS256"}"#, br#"{"user_id":5,"exp":4102444800}"#);
    assert_eq!(verify(&verifier(keys), &token), Err(ErrorCode::TokenInvalid));
}

/// The reason is one line for whoever starts the server.
fn refused(error: &dyn Error) -> Verdict {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        assert!(
            !text.is_empty() && text.len() < 400 && !text.contains(char::is_control),
            "{text:?}"
        );
        next = error.source();
    }
    Verdict::Refused
}
