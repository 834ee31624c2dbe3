//! A verifier at a fixed time, and tokens with any header and any claims.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use sealroom_auth::{ClaimRules, JwtVerifier, KeySet, Secret, VerificationKey, VerifierOptions};
use sealroom_domain::{
    Principal, Timestamp,
    ports::{TokenError, TokenVerifier},
};
use sealroom_testkit::memory::FixedClock;

/// The time of every test that says no other: 2023-11-14T22:13:20Z.
pub(crate) const NOW: i64 = 1_700_000_000;
pub(crate) const SECRET: &str = "0mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6GsA";
pub(crate) const OTHER_SECRET: &str = "Qe5Rt1Yu9Io3Pa7Sd2Fg8Hj4Kl6Zx0Cv";
pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
pub(crate) const CLAIMS: &str = r#"{"user_id":5,"exp":1700003600}"#;

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

pub(crate) fn verifier_at(claims: ClaimRules, now: Timestamp) -> JwtVerifier {
    JwtVerifier::new(VerifierOptions {
        keys: KeySet::single(VerificationKey::hs256(&secret())).into(),
        claims,
        clock: Arc::new(FixedClock::new(now)),
    })
    .unwrap()
}

pub(crate) fn verifier(claims: ClaimRules) -> JwtVerifier {
    verifier_at(claims, Timestamp::from_secs(NOW))
}

/// Verification never waits: it must be ready at once.
pub(crate) fn verify(verifier: &JwtVerifier, token: &str) -> Result<Principal, TokenError> {
    let verdict = pin!(verifier.verify(token));
    match verdict.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(verdict) => verdict,
        Poll::Pending => panic!("verification waited"),
    }
}

/// The verdict in a word: `ok`, `invalid`, `expired`, `unavailable` or `other`.
pub(crate) fn word<T>(verdict: &Result<T, TokenError>) -> &'static str {
    match verdict {
        Ok(_) => "ok",
        Err(TokenError::Invalid) => "invalid",
        Err(TokenError::Expired) => "expired",
        Err(TokenError::Unavailable { .. }) => "unavailable",
        Err(_) => "other",
    }
}

pub(crate) fn b64(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token of any bytes with a right signature.
pub(crate) fn sign(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    sign_with(SECRET, header, claims)
}

pub(crate) fn sign_with(secret: &str, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    sign_parts(
        secret,
        &URL_SAFE_NO_PAD.encode(header),
        &URL_SAFE_NO_PAD.encode(claims),
    )
}

/// Signs parts that are encoded already, in whatever way.
pub(crate) fn sign_parts(secret: &str, header: &str, claims: &str) -> String {
    let message = format!("{header}.{claims}");
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}
