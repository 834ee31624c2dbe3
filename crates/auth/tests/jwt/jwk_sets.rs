//! JWK sets: which keys of them are used, and which sets are refused.

use std::sync::Arc;

use crate::{
    signer::{PUBLIC, Signer, with},
    support::{NOW, verify, word},
};
use proptest::prelude::*;
use sealroom_auth::{
    Algorithm, ClaimRules, JwksError, JwtVerifier, KeySet, MAX_JWKS_BYTES, MAX_JWKS_KEYS, VerifierOptions,
};
use sealroom_domain::Timestamp;
use sealroom_testkit::memory::FixedClock;
use serde_json::{Value, json};

fn parse(keys: &[Value]) -> Result<KeySet, JwksError> {
    KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
}

fn verifier_of(keys: KeySet) -> JwtVerifier {
    JwtVerifier::new(VerifierOptions {
        keys: keys.into(),
        claims: ClaimRules::default(),
        clock: Arc::new(FixedClock::new(Timestamp::from_secs(NOW))),
    })
    .unwrap()
}

fn es256() -> Value {
    Signer::two(Algorithm::Es256)[0].jwk()
}

#[test]
fn keys_of_every_algorithm_are_read() {
    for algorithm in PUBLIC {
        let [signer, other] = Signer::two(algorithm);
        for jwk in [
            signer.jwk(),
            with(&signer.jwk(), &json!({"use": "sig"})),
            with(&signer.jwk(), &json!({"alg": algorithm.name()})),
            with(&signer.jwk(), &json!({"key_ops": ["verify"]})),
            with(
                &signer.jwk(),
                &json!({"x5t": "abc", "x5c": ["AAAA"], "exp": 5, "unknown": {"a": [null]}}),
            ),
        ] {
            let verifier = verifier_of(parse(std::slice::from_ref(&jwk)).unwrap());
            assert_eq!(word(&verify(&verifier, &signer.good())), "ok", "{jwk}");
            assert_eq!(word(&verify(&verifier, &other.good())), "invalid", "{jwk}");
        }
        let verifier = verifier_of(parse(&[signer.listed("a"), other.listed("b")]).unwrap());
        for (token, expected) in [
            (signer.named("a"), "ok"),
            (other.named("b"), "ok"),
            (signer.named("b"), "invalid"),
            (other.named("a"), "invalid"),
            (signer.named("c"), "invalid"),
            (signer.good(), "invalid"),
        ] {
            assert_eq!(word(&verify(&verifier, &token)), expected, "{algorithm:?}");
        }
    }
}

#[test]
fn keys_for_anything_else_are_skipped() {
    let [rsa, _] = Signer::two(Algorithm::Rs256);
    let [ec, _] = Signer::two(Algorithm::Es256);
    let [ed, _] = Signer::two(Algorithm::EdDsa);
    let (rsa, ec, ed) = (rsa.jwk(), ec.jwk(), ed.jwk());
    let without = |jwk: &Value, name: &str| {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    };
    let (x, n) = (ec["x"].as_str().unwrap(), rsa["n"].as_str().unwrap());
    for (why, jwk) in [
        ("no kty", json!({})),
        ("unknown kty", with(&ec, &json!({"kty": "LWE"}))),
        ("kty in another case", with(&ec, &json!({"kty": "ec"}))),
        ("kty of another type", with(&ec, &json!({"kty": 5}))),
        ("a secret", Signer::two(Algorithm::Hs256)[0].jwk()),
        (
            "a secret for HS256",
            json!({"kty": "oct", "alg": "HS256", "k": "AAAA"}),
        ),
        ("for encryption", with(&rsa, &json!({"use": "enc"}))),
        ("use of another type", with(&rsa, &json!({"use": null}))),
        ("to encrypt", with(&rsa, &json!({"key_ops": ["encrypt"]}))),
        ("to sign", with(&rsa, &json!({"key_ops": ["sign"]}))),
        ("for nothing", with(&rsa, &json!({"key_ops": []}))),
        ("RS512", with(&rsa, &json!({"alg": "RS512"}))),
        ("PS256", with(&rsa, &json!({"alg": "PS256"}))),
        ("RSA-OAEP", with(&rsa, &json!({"alg": "RSA-OAEP"}))),
        ("RSA as HS256", with(&rsa, &json!({"alg": "HS256"}))),
        ("RSA as ES256", with(&rsa, &json!({"alg": "ES256"}))),
        ("EC as RS256", with(&ec, &json!({"alg": "RS256"}))),
        ("EC as ES384", with(&ec, &json!({"alg": "ES384"}))),
        ("OKP as ES256", with(&ed, &json!({"alg": "ES256"}))),
        ("none", with(&ed, &json!({"alg": "none"}))),
        ("alg of another type", with(&ed, &json!({"alg": ["EdDSA"]}))),
        ("P-384", with(&ec, &json!({"crv": "P-384"}))),
        ("secp256k1", with(&ec, &json!({"crv": "secp256k1"}))),
        ("no curve", without(&ec, "crv")),
        ("Ed448", with(&ed, &json!({"crv": "Ed448"}))),
        ("X25519", with(&ed, &json!({"crv": "X25519"}))),
        ("curve of another type", with(&ec, &json!({"crv": "Ed25519"}))),
        ("kid of another type", with(&ed, &json!({"kid": 5}))),
        ("kid null", with(&ed, &json!({"kid": null}))),
        ("private", with(&ec, &json!({"d": "AAAA"}))),
        ("private RSA", with(&rsa, &json!({"p": "AAAA", "q": "AAAA"}))),
        ("RSA of 1024 bits", with(&rsa, &json!({"n": &n[..171]}))),
        ("RSA without exponent", without(&rsa, "e")),
        ("RSA with exponent 1", with(&rsa, &json!({"e": "AQ"}))),
        ("RSA with exponent 2", with(&rsa, &json!({"e": "Ag"}))),
        ("RSA with a leading zero", with(&rsa, &json!({"e": "AAEAAQ"}))),
        ("n in padded base64", with(&rsa, &json!({"n": format!("{n}==")}))),
        ("n as a number", with(&rsa, &json!({"n": 5}))),
        ("no y", without(&ec, "y")),
        ("not on the curve", with(&ec, &json!({"y": x}))),
        ("short x", with(&ec, &json!({"x": "AAAA"}))),
        (
            "all zero",
            with(&ec, &json!({"x": "A".repeat(43), "y": "A".repeat(43)})),
        ),
        (
            "halves of wrong length",
            with(&ec, &json!({"x": "A".repeat(42), "y": "A".repeat(44)})),
        ),
        ("short Ed25519", with(&ed, &json!({"x": "AAAA"}))),
        ("long Ed25519", with(&ed, &json!({"x": "A".repeat(44)}))),
        ("empty", with(&ed, &json!({"x": ""}))),
    ] {
        assert_eq!(
            parse(std::slice::from_ref(&jwk)).unwrap_err(),
            JwksError::NoUsableKey { listed: 1 },
            "{why}"
        );
        // Beside a good key it changes nothing.
        let [good, _] = Signer::two(Algorithm::EdDsa);
        let set = parse(&[jwk, good.listed("good")]).unwrap();
        assert_eq!(set.count(), 1, "{why}");
        assert_eq!(
            word(&verify(&verifier_of(set), &good.named("good"))),
            "ok",
            "{why}"
        );
    }
}

#[test]
fn an_issuer_cannot_add_a_secret() {
    let [signer, _] = Signer::two(Algorithm::Hs256);
    let secret = with(&signer.jwk(), &json!({"kid": "s", "alg": "HS256", "use": "sig"}));
    let verifier = verifier_of(parse(&[secret, es256()]).unwrap());
    assert_eq!(word(&verify(&verifier, &signer.good())), "invalid");
    assert_eq!(word(&verify(&verifier, &signer.named("s"))), "invalid");
}

#[test]
fn keys_that_share_a_name() {
    let [one, two] = Signer::two(Algorithm::Es256);
    let [rsa, _] = Signer::two(Algorithm::Rs256);

    let same_twice = parse(&[
        one.listed("a"),
        one.listed("a"),
        with(&one.jwk(), &json!({"kid": "a"})),
    ])
    .unwrap();
    assert_eq!(same_twice.count(), 1);
    assert_eq!(word(&verify(&verifier_of(same_twice), &one.named("a"))), "ok");

    let different = parse(&[one.listed("a"), two.listed("a"), two.listed("b")]).unwrap();
    assert_eq!(different.count(), 1, "nobody knows which is meant");
    let verifier = verifier_of(different);
    assert_eq!(word(&verify(&verifier, &one.named("a"))), "invalid");
    assert_eq!(word(&verify(&verifier, &two.named("a"))), "invalid");
    assert_eq!(word(&verify(&verifier, &two.named("b"))), "ok");

    let verifier = verifier_of(parse(&[one.listed("a"), rsa.listed("a")]).unwrap());
    assert_eq!(
        word(&verify(&verifier, &one.named("a"))),
        "ok",
        "of another algorithm"
    );
    assert_eq!(word(&verify(&verifier, &rsa.named("a"))), "ok");

    let verifier = verifier_of(parse(&[one.listed("a"), one.listed("b")]).unwrap());
    assert_eq!(
        word(&verify(&verifier, &one.named("a"))),
        "ok",
        "one key under two names"
    );
    assert_eq!(word(&verify(&verifier, &one.named("b"))), "ok");
}

#[test]
fn keys_without_a_name_are_tried_one_after_the_other() {
    let signers: Vec<Signer> = (0..9).map(|_| Signer::generate(Algorithm::EdDsa)).collect();
    let listed: Vec<Value> = signers.iter().map(Signer::jwk).collect();
    let set = parse(&listed).unwrap();
    assert_eq!(set.count(), 8);
    let verifier = verifier_of(set);
    for signer in &signers[..8] {
        assert_eq!(word(&verify(&verifier, &signer.good())), "ok");
    }
    assert_eq!(word(&verify(&verifier, &signers[8].good())), "invalid");
}

#[test]
fn sets_that_are_none() {
    let good = es256().to_string();
    let deep = format!(
        r#"{{"keys":[{good}],"x":{}{}}}"#,
        "[".repeat(1000),
        "]".repeat(1000)
    );
    for (text, expected) in [
        ("", JwksError::Malformed),
        ("null", JwksError::Malformed),
        ("[]", JwksError::Malformed),
        ("{}", JwksError::Malformed),
        ("<html>Sign in</html>", JwksError::Malformed),
        (&good, JwksError::Malformed),
        (r#"{"keys":null}"#, JwksError::Malformed),
        (r#"{"keys":{}}"#, JwksError::Malformed),
        (r#"{"keys":"a"}"#, JwksError::Malformed),
        (r#"{"keys":[5]}"#, JwksError::Malformed),
        (r#"{"keys":[[]]}"#, JwksError::Malformed),
        (&format!(r#"{{"keys":[{good}],"keys":[]}}"#), JwksError::Malformed),
        (
            &format!(r#"{{"keys":[{good},{{"kty":"EC","kty":"EC"}}]}}"#),
            JwksError::Malformed,
        ),
        (&format!(r#"{{"keys":[{good}]}}x"#), JwksError::Malformed),
        (&format!("\u{feff}{{\"keys\":[{good}]}}"), JwksError::Malformed),
        (&deep, JwksError::Malformed),
        (r#"{"keys":[]}"#, JwksError::NoUsableKey { listed: 0 }),
        (r#"{"keys":[{},{}]}"#, JwksError::NoUsableKey { listed: 2 }),
    ] {
        assert_eq!(
            KeySet::from_jwks(text.as_bytes()).unwrap_err(),
            expected,
            "{text}"
        );
    }
    assert_eq!(
        KeySet::from_jwks(b"{\"keys\":[{\"kid\":\"\xff\"}]}").unwrap_err(),
        JwksError::Malformed
    );
}

#[test]
fn sets_are_bounded() {
    let fill = |count: usize| {
        let mut keys = vec![json!({"kty": "oct"}); count - 1];
        keys.push(es256());
        parse(&keys)
    };
    assert_eq!(fill(MAX_JWKS_KEYS).unwrap().count(), 1);
    assert_eq!(fill(MAX_JWKS_KEYS + 1).unwrap_err(), JwksError::TooManyKeys);

    let mut text = json!({"keys": [es256()]}).to_string();
    text.push_str(&" ".repeat(MAX_JWKS_BYTES - text.len()));
    assert_eq!(KeySet::from_jwks(text.as_bytes()).unwrap().count(), 1);
    text.push(' ');
    assert_eq!(
        KeySet::from_jwks(text.as_bytes()).unwrap_err(),
        JwksError::TooLarge
    );
}

/// The public keys of RFC 7515, A.2 and A.3, and of RFC 8037, A.2.
#[test]
fn the_keys_of_the_standards_are_read() {
    for jwk in [
        json!({"kty": "RSA", "e": "AQAB", "n": concat!(
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR",
            "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB",
            "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia",
            "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ")}),
        json!({"kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
    ] {
        assert_eq!(parse(std::slice::from_ref(&jwk)).unwrap().count(), 1, "{jwk}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..200), members in "\\PC{0,80}") {
        prop_assert!(KeySet::from_jwks(&bytes).is_err());
        let _ = KeySet::from_jwks(format!(r#"{{"keys":[{{{members}}}]}}"#).as_bytes());
    }

    /// Whatever is changed in a listed key: it is skipped, or another key, or the same one.
    #[test]
    fn a_damaged_set_never_accepts_a_stranger(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let [signer, stranger] = Signer::two(Algorithm::Es256);
        let mut text = json!({"keys": [signer.listed("a")]}).to_string().into_bytes();
        let place = place.index(text.len());
        text[place] = byte;
        if let Ok(set) = KeySet::from_jwks(&text) {
            prop_assert_eq!(word(&verify(&verifier_of(set), &stranger.named("a"))), "invalid");
        }
    }
}
