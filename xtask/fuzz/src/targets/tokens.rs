//! What says who somebody is.

use std::sync::{Arc, LazyLock};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sealroom_auth::{
    ClaimRules, JwtVerifier, KeySet, MAX_TOKEN_BYTES, Secret, VerificationKey, VerifierOptions,
};
use sealroom_domain::{
    DisplayName, ErrorCode, Principal, Timestamp,
    ports::{Clock as _, TokenVerifier as _},
};
use sealroom_testkit::memory::FixedClock;
use serde_json::Value;
use sha2::Sha256;

use crate::{
    Verdict,
    oracle::{assert_clean, first_line, is_id},
};

/// The secret that the tokens of the inputs are signed with.
pub(crate) const SECRET: &str = "0mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6GsA";

/// Public keys of each kind, whose private halves signed some of the inputs.
const PUBLIC: [&str; 3] = [
    include_str!("../../../../crates/auth/tests/keys/rsa2048.pem"),
    include_str!("../../../../crates/auth/tests/keys/p256.pem"),
    include_str!("../../../../crates/auth/tests/keys/ed25519.pem"),
];

static VERIFIER: LazyLock<JwtVerifier> = LazyLock::new(|| {
    let mut keys: Vec<VerificationKey> = PUBLIC
        .iter()
        .flat_map(|pem| VerificationKey::from_pem(pem).expect("a public key"))
        .collect();
    keys.push(VerificationKey::hs256(&secret()));
    verifier(KeySet::new(keys).expect("one key of each kind"))
});

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET).expect("a good secret")
}

/// The moment at which the tokens of the test keys are good.
fn clock() -> FixedClock {
    FixedClock::new(Timestamp::from_secs(1_700_000_000))
}

/// A verifier with these keys.
pub(crate) fn verifier(keys: KeySet) -> JwtVerifier {
    let options = VerifierOptions {
        keys: keys.into(),
        claims: ClaimRules::default(),
        clock: Arc::new(clock()),
    };
    JwtVerifier::new(options).expect("the default rules are good")
}

/// What a verifier says of a token; its keys are given, so it never waits.
pub(crate) fn verify(verifier: &JwtVerifier, token: &str) -> Result<Principal, ErrorCode> {
    let answer = verifier
        .verify(token)
        .now_or_never()
        .expect("nothing to wait for");
    answer.map_err(|error| error.code())
}

/// A token as a client sends it.
pub fn token(data: &[u8]) -> Verdict {
    str::from_utf8(data).map_or(Verdict::Refused, check)
}

/// The header of a token, a line feed, and its claims: the target signs them, which a fuzzer cannot.
pub fn token_claims(data: &[u8]) -> Verdict {
    let (header, claims) = first_line(data);
    check(&signed(header, claims))
}

pub(crate) fn signed(header: &[u8], claims: &[u8]) -> String {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let message = format!("{}.{}", encode(header), encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length will do");
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(&mac.finalize().into_bytes()))
}

fn check(token: &str) -> Verdict {
    let verified = verify(&VERIFIER, token);
    assert_eq!(verified, verify(&VERIFIER, token), "the second time is another");
    match verified {
        Ok(principal) => {
            check_accepted(token, &principal);
            Verdict::Accepted
        }
        Err(code) => {
            assert!(
                matches!(code, ErrorCode::TokenInvalid | ErrorCode::TokenExpired),
                "{code:?}"
            );
            Verdict::Refused
        }
    }
}

fn check_accepted(token: &str, principal: &Principal) {
    assert!(token.len() <= MAX_TOKEN_BYTES);
    assert!(is_id(principal.user_id.get()));
    assert!(principal.login_id.is_none_or(|id| is_id(id.get())));
    let now = clock().now();
    assert!(principal.expires_at > now, "it is over");
    let texts = [
        principal.name.as_ref().map(DisplayName::as_str),
        principal.scope.as_deref(),
    ];
    texts.into_iter().flatten().for_each(assert_clean);

    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _] = *parts else {
        panic!("{} parts", parts.len())
    };
    let header = json(header);
    let algorithm = header.get("alg").and_then(Value::as_str);
    assert!(matches!(algorithm, Some("HS256" | "RS256" | "ES256" | "EdDSA")));
    for refused in ["crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"] {
        assert!(header.get(refused).is_none(), "{refused} was accepted");
    }
    let claims = json(claims);
    // A number with a fraction or an exponent is none for `as_i64`.
    let user_id = claims.get("user_id").and_then(Value::as_i64);
    assert_eq!(user_id, Some(principal.user_id.get()));
    let exp = claims
        .get("exp")
        .and_then(Value::as_f64)
        .expect("exp is a number");
    assert!(exp > 0.0);

    // No second spelling of the same token, and none with less of it.
    let shorter = token.get(..token.len() - 1).expect("it is ASCII");
    for other in [
        format!("{token}="),
        format!(" {token}"),
        format!("{token}A"),
        shorter.to_owned(),
    ] {
        assert_eq!(verify(&VERIFIER, &other), Err(ErrorCode::TokenInvalid));
    }
}

fn json(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}
