//! Everything about a token but its claims: each row is one input that must be refused, or one that must not.

use std::time::{Duration, Instant};

use crate::support::{
    self, CLAIMS, HEADER, NOW, OTHER_SECRET, SECRET, b64, sign, sign_parts, sign_with, verifier, verify, word,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE},
};
use jsonwebtoken::{Algorithm, EncodingKey};
use sealroom_auth::{
    ClaimRules, JwtVerifier, KeySet, MAX_TOKEN_BYTES, Secret, VerificationKey, VerifierOptions,
};
use sealroom_domain::Timestamp;
use sealroom_testkit::memory::FixedClock;

const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----
";

#[test]
fn headers() {
    let verifier = verifier(ClaimRules::default());
    let long_kid = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(129));
    let deep = format!(
        r#"{{"alg":"HS256","x":{}{}}}"#,
        "[".repeat(1000),
        "]".repeat(1000)
    );
    let rows: &[(&str, &str, &str)] = &[
        ("plain", HEADER, "ok"),
        ("HS-2", r#"{"alg":"none"}"#, "invalid"),
        ("HS-2", r#"{"alg":"None"}"#, "invalid"),
        ("HS-2", r#"{"alg":"NONE"}"#, "invalid"),
        ("HS-2", r#"{"alg":""}"#, "invalid"),
        ("HS-2", r#"{"alg":null}"#, "invalid"),
        ("HS-2", r#"{"typ":"JWT"}"#, "invalid"),
        ("HS-2", r"{}", "invalid"),
        ("HS-4", r#"{"alg":"HS256"}"#, "ok"),
        ("HS-4", r#"{"alg":"hs256"}"#, "invalid"),
        ("HS-4", r#"{"alg":"HS256 "}"#, "invalid"),
        ("HS-4", r#"{"alg":"HS256\u0000"}"#, "invalid"),
        ("HS-4", r#"{"alg":["HS256"]}"#, "invalid"),
        ("HS-4", r#"{"alg":256}"#, "invalid"),
        ("HS-4", r#"{"alg":"HS384"}"#, "invalid"),
        ("HS-4", r#"{"alg":"HS512"}"#, "invalid"),
        ("HS-4", r#"{"alg":"RS256"}"#, "invalid"),
        ("HS-4", r#"{"alg":"ES256"}"#, "invalid"),
        ("HS-4", r#"{"alg":"ES256K"}"#, "invalid"),
        ("HS-4", r#"{"alg":"EdDSA"}"#, "invalid"),
        ("HS-5", r#"{"alg":"HS256","kid":"key-1"}"#, "ok"),
        ("HS-5", r#"{"alg":"HS256","kid":"../../dev/null"}"#, "invalid"),
        ("HS-5", r#"{"alg":"HS256","kid":"' OR 1=1"}"#, "invalid"),
        ("HS-5", r#"{"alg":"HS256","kid":"http://127.0.0.1/k"}"#, "invalid"),
        ("HS-5", r#"{"alg":"HS256","kid":"a\u0000"}"#, "invalid"),
        ("HS-5", r#"{"alg":"HS256","kid":""}"#, "invalid"),
        ("HS-5", r#"{"alg":"HS256","kid":1}"#, "invalid"),
        ("HS-5", r#"{"alg":"HS256","kid":null}"#, "invalid"),
        ("HS-5", r#"{"alg":"HS256","kid":["key-1"]}"#, "invalid"),
        ("HS-5", &long_kid, "invalid"),
        ("HS-6", r#"{"alg":"HS256","jku":"http://127.0.0.1/k"}"#, "invalid"),
        (
            "HS-6",
            r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#,
            "invalid",
        ),
        ("HS-6", r#"{"alg":"HS256","x5u":"http://127.0.0.1/k"}"#, "invalid"),
        ("HS-6", r#"{"alg":"HS256","x5c":["AAAA"]}"#, "invalid"),
        ("HS-6", r#"{"alg":"HS256","jku":null}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","crit":["exp"]}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","crit":[]}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","b64":false}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","b64":true}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","zip":"DEF"}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","enc":"A256GCM"}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","cty":"JWT"}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","cty":"jwt"}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","cty":"application/jwt"}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","cty":5}"#, "invalid"),
        ("HS-7", r#"{"alg":"HS256","cty":"json"}"#, "ok"),
        ("HS-8", &deep, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":"jwt"}"#, "ok"),
        ("HS-13", r#"{"alg":"HS256","typ":"at+jwt"}"#, "ok"),
        ("HS-13", r#"{"alg":"HS256","typ":"AT+JWT"}"#, "ok"),
        ("HS-13", r#"{"alg":"HS256","typ":"application/at+jwt"}"#, "ok"),
        ("HS-13", r#"{"alg":"HS256","typ":"refresh+jwt"}"#, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":"refresh"}"#, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":"id+jwt"}"#, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":"logout+jwt"}"#, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":"dpop+jwt"}"#, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":"JWT "}"#, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":""}"#, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":null}"#, "invalid"),
        ("HS-13", r#"{"alg":"HS256","typ":["JWT"]}"#, "invalid"),
        ("HS-15", r#"{"alg":"none","alg":"HS256"}"#, "invalid"),
        ("HS-15", r#"{"alg":"HS256","\u0061lg":"HS256"}"#, "invalid"),
        ("HS-15", r#"{"alg":"HS256","x":{"a":1,"a":2}}"#, "invalid"),
        ("HS-15", "\u{feff}{\"alg\":\"HS256\"}", "invalid"),
        ("HS-15", r#"{"alg":"HS256"}{}"#, "invalid"),
        ("HS-15", "{\"alg\":\"HS256\"}\0", "invalid"),
        ("HS-15", r#"{"alg":"HS256","x":"\ud800"}"#, "invalid"),
        ("HS-15", r#"["HS256"]"#, "invalid"),
        ("HS-15", r#""HS256""#, "invalid"),
        ("HS-15", "null", "invalid"),
        ("HS-15", "", "invalid"),
        ("HS-15", " {\"alg\" : \"HS256\" , \"unknown\":[1]}\n", "ok"),
    ];
    for (id, header, expected) in rows {
        assert_eq!(
            word(&verify(&verifier, &sign(header, CLAIMS))),
            *expected,
            "{id}: {header}"
        );
    }
    let not_utf8 = sign(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}", CLAIMS);
    assert_eq!(word(&verify(&verifier, &not_utf8)), "invalid", "HS-15");
}

#[test]
fn shapes_and_encodings() {
    let verifier = verifier(ClaimRules::default());
    let good = sign(HEADER, CLAIMS);
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    assert_eq!(word(&verify(&verifier, &good)), "ok");

    // 16 header bytes and 31 claim bytes leave bits over: 22 and 42 characters.
    let (odd_header, odd_claims) = (
        b64(r#"{"alg":"HS256" }"#),
        b64(r#"{"user_id":5,"exp":1700003600 }"#),
    );
    assert_eq!(
        word(&verify(&verifier, &sign_parts(SECRET, &odd_header, &odd_claims))),
        "ok"
    );
    let padded_header = URL_SAFE.encode(r#"{"alg":"HS256" }"#);
    assert!(padded_header.ends_with('='));
    // `~` and `?` are where the two alphabets differ.
    let claims_text = r#"{"user_id":5,"exp":1700003600,"x":"~~~???>>>"}"#;
    assert_ne!(b64(claims_text), STANDARD_NO_PAD.encode(claims_text));
    assert_eq!(word(&verify(&verifier, &sign(HEADER, claims_text))), "ok");

    let none = b64(r#"{"alg":"none"}"#);
    let rows: &[(&str, String)] = &[
        ("HS-1", String::new()),
        ("HS-1", ".".to_owned()),
        ("HS-1", "..".to_owned()),
        ("HS-1", "token".to_owned()),
        ("HS-1", format!("Bearer {good}")),
        ("HS-2", format!("{header}.{claims}")),
        ("HS-2", format!("{none}.{claims}")),
        ("HS-2", format!("{none}.{claims}.")),
        ("HS-7", format!("{good}.{signature}.{signature}")),
        ("HS-7", format!("{good}.")),
        ("HS-7", format!(".{good}")),
        ("HS-7", format!("{header}..{claims}.{signature}")),
        ("HS-16", format!("{good}=")),
        ("HS-16", format!("{good} ")),
        ("HS-16", format!(" {good}")),
        ("HS-16", format!("{good}\n")),
        (
            "HS-16",
            format!("{header}.{claims}.{}\n{}", &signature[..20], &signature[20..]),
        ),
        ("HS-16", sign_parts(SECRET, &padded_header, claims)),
        (
            "HS-16",
            sign_parts(
                SECRET,
                header,
                &URL_SAFE.encode(r#"{"user_id":5,"exp":1700003600 }"#),
            ),
        ),
        ("HS-16", sign_parts(SECRET, &next_letter(&odd_header), claims)),
        ("HS-16", sign_parts(SECRET, header, &next_letter(&odd_claims))),
        (
            "HS-16",
            sign_parts(SECRET, header, &STANDARD_NO_PAD.encode(claims_text)),
        ),
        ("HS-16", format!("{header}.{claims}.{}", next_letter(signature))),
        ("HS-16", sign_parts(SECRET, &format!("{header}A"), claims)),
        ("HS-16", sign_parts(SECRET, header, "é")),
        ("HS-17", format!("{header}.{claims}.")),
        (
            "HS-17",
            format!("{header}.{claims}.{}", &signature[..signature.len() - 1]),
        ),
        ("HS-17", format!("{header}.{claims}.{}", &signature[..42])),
        ("HS-17", format!("{header}.{claims}.{}", &signature[..40])),
        ("HS-17", format!("{header}.{claims}.{signature}AAAA")),
        ("HS-17", format!("{header}.{claims}.{}", "A".repeat(43))),
        (
            "HS-17",
            format!(
                "{header}.{}.{signature}",
                b64(r#"{"user_id":6,"exp":1700003600}"#)
            ),
        ),
        (
            "HS-17",
            format!("{}.{claims}.{signature}", b64(r#"{"alg":"HS256"}"#)),
        ),
        ("HS-17", sign_with(OTHER_SECRET, HEADER, CLAIMS)),
        ("HS-17", sign_with("", HEADER, CLAIMS)),
        ("HS-17", sign_with(&SECRET[..31], HEADER, CLAIMS)),
        ("HS-3", sign_with(PUBLIC_KEY, HEADER, CLAIMS)),
        ("HS-3", sign_with(PUBLIC_KEY.trim(), HEADER, CLAIMS)),
    ];
    for (id, token) in rows {
        assert_eq!(word(&verify(&verifier, token)), "invalid", "{id}: {token}");
    }
}

/// The next letter of the alphabet in the last place: the same bytes once the bits left over are dropped.
fn next_letter(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let next = ALPHABET.find(last).unwrap() + 1;
    format!("{rest}{}", &ALPHABET[next..=next])
}

#[test]
fn hs_4_other_hashes_with_the_right_secret() {
    let verifier = verifier(ClaimRules::default());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let message = format!(
            "{}.{}",
            b64(&format!(r#"{{"alg":"{algorithm:?}"}}"#)),
            b64(CLAIMS)
        );
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        assert_eq!(
            word(&verify(&verifier, &format!("{message}.{signature}"))),
            "invalid"
        );
    }
}

#[test]
fn hs_8_long_tokens_are_refused_by_their_length_alone() {
    let verifier = verifier(ClaimRules::default());
    // 36 + 43 characters of header and signature, two dots; the rest is for the claims.
    let token_of = |claims_len: usize| {
        let empty = r#"{"user_id":5,"exp":1700003600,"x":""}"#.len();
        sign(
            HEADER,
            format!(
                r#"{{"user_id":5,"exp":1700003600,"x":"{}"}}"#,
                "x".repeat(claims_len - empty)
            ),
        )
    };
    let longest = token_of(3011);
    assert_eq!(longest.len(), MAX_TOKEN_BYTES);
    assert_eq!(word(&verify(&verifier, &longest)), "ok");
    let too_long = token_of(3012);
    assert_eq!(too_long.len(), MAX_TOKEN_BYTES + 1);
    assert_eq!(word(&verify(&verifier, &too_long)), "invalid");

    for token in [
        token_of(75_000),
        "a".repeat(10_000_000),
        ".".repeat(100_000),
        ".".repeat(10_000_000),
    ] {
        let start = Instant::now();
        for _ in 0..1000 {
            assert_eq!(word(&verify(&verifier, &token)), "invalid");
        }
        assert!(start.elapsed() < Duration::from_secs(1), "less than 1 ms each");
    }
}

#[test]
fn hs_20_a_kid_chooses_the_key() {
    let key = |text: &str| VerificationKey::hs256(&Secret::new(text).unwrap());
    let verifier = JwtVerifier::new(VerifierOptions {
        keys: KeySet::new([key(SECRET).named("new"), key(OTHER_SECRET).named("old")])
            .unwrap()
            .into(),
        claims: ClaimRules::default(),
        clock: std::sync::Arc::new(FixedClock::new(Timestamp::from_secs(NOW))),
    })
    .unwrap();
    for (secret, kid, expected) in [
        (SECRET, r#""new""#, "ok"),
        (OTHER_SECRET, r#""old""#, "ok"),
        (SECRET, r#""old""#, "invalid"),
        (OTHER_SECRET, r#""new""#, "invalid"),
        (SECRET, r#""unknown""#, "invalid"),
        (SECRET, r#""../../dev/null""#, "invalid"),
        (SECRET, "null", "invalid"),
    ] {
        let token = sign_with(secret, format!(r#"{{"alg":"HS256","kid":{kid}}}"#), CLAIMS);
        assert_eq!(word(&verify(&verifier, &token)), expected, "{kid}");
    }
    assert_eq!(
        word(&verify(&verifier, &sign(HEADER, CLAIMS))),
        "invalid",
        "no kid, two keys"
    );
}

#[test]
fn nothing_secret_is_printed() {
    let verifier = verifier(ClaimRules::default());
    let printed = format!("{verifier:?} {:?}", support::secret());
    assert!(
        !printed.contains(SECRET) && printed.contains("[redacted]"),
        "{printed}"
    );
    let bytes = format!("{:?}", SECRET.as_bytes());
    assert!(!printed.contains(bytes.trim_matches(['[', ']'])), "{printed}");

    let token = sign(HEADER, r#"{"user_id":"me@example.com","exp":1700003600}"#);
    let error = verify(&verifier, &token).unwrap_err();
    assert_eq!(format!("{error} {error:?}"), "the token is invalid Invalid");
}
