//! What holds for each algorithm, and between them.

use std::sync::Arc;

use crate::{
    signer::{PUBLIC, Signer, pem},
    support::{CLAIMS, NOW, b64, verify, word},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use sealroom_auth::{Algorithm, ClaimRules, JwtVerifier, KeySet, Secret, VerificationKey, VerifierOptions};
use sealroom_domain::Timestamp;
use sealroom_testkit::memory::FixedClock;

fn verifier_with(keys: KeySet) -> JwtVerifier {
    JwtVerifier::new(VerifierOptions {
        keys: keys.into(),
        claims: ClaimRules::default(),
        clock: Arc::new(FixedClock::new(Timestamp::from_secs(NOW))),
    })
    .unwrap()
}

fn verifier_of(key: VerificationKey) -> JwtVerifier {
    verifier_with(KeySet::single(key))
}

fn split(token: &str) -> (String, Vec<u8>) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    (message.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

#[test]
fn each_algorithm_accepts_its_own_tokens_and_no_others() {
    for mine in Algorithm::ALL {
        let [signer, other] = Signer::two(*mine);
        let verifier = verifier_of(signer.key());
        assert_eq!(signer.key().algorithm(), *mine);
        assert_eq!(word(&verify(&verifier, &signer.good())), "ok", "{mine:?}");
        assert_eq!(word(&verify(&verifier, &other.good())), "invalid", "{mine:?}");
        for theirs in Algorithm::ALL.iter().filter(|theirs| *theirs != mine) {
            let [stranger, _] = Signer::two(*theirs);
            assert_eq!(
                word(&verify(&verifier, &stranger.good())),
                "invalid",
                "{mine:?} {theirs:?}"
            );
            // The right key, and the name of another algorithm (HS-4).
            let mislabelled = signer.token(&format!(r#"{{"alg":"{}"}}"#, theirs.name()), CLAIMS);
            assert_eq!(
                word(&verify(&verifier, &mislabelled)),
                "invalid",
                "{mine:?} as {theirs:?}"
            );
            // The name of the right algorithm, and another's signature.
            let forged = stranger.token(&format!(r#"{{"alg":"{}"}}"#, mine.name()), CLAIMS);
            assert_eq!(
                word(&verify(&verifier, &forged)),
                "invalid",
                "{theirs:?} as {mine:?}"
            );
        }
    }
}

#[test]
fn hs_3_a_public_key_is_never_a_secret() {
    for algorithm in PUBLIC {
        let [signer, _] = Signer::two(algorithm);
        let der = signer.spki();
        let text = signer.pem();
        let mut secrets: Vec<Vec<u8>> = vec![
            text.clone().into_bytes(),
            text.trim().as_bytes().to_vec(),
            text.replace('\n', "\r\n").into_bytes(),
            text.replace('\n', "").into_bytes(),
            text.lines()
                .filter(|line| !line.starts_with('-'))
                .collect::<String>()
                .into_bytes(),
            signer.jwk().to_string().into_bytes(),
            Vec::new(),
        ];
        // The raw point or the raw key at the end of the DER.
        for length in [32, 64, 65, 270] {
            secrets.extend(der.len().checked_sub(length).map(|from| der[from..].to_vec()));
        }
        secrets.push(der);
        let alone = verifier_of(signer.key());
        let beside_a_secret = verifier_with(
            KeySet::new([signer.key(), VerificationKey::hs256(&Secret::generate().unwrap())]).unwrap(),
        );
        for secret in secrets {
            for header in [
                r#"{"alg":"HS256"}"#.to_owned(),
                format!(r#"{{"alg":"{}"}}"#, algorithm.name()),
            ] {
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
                let message = format!("{}.{}", b64(&header), b64(CLAIMS));
                let signature = aws_lc_rs::hmac::sign(&key, message.as_bytes());
                let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
                for verifier in [&alone, &beside_a_secret] {
                    assert_eq!(
                        word(&verify(verifier, &token)),
                        "invalid",
                        "{algorithm:?} {header}"
                    );
                }
            }
        }
        assert!(Secret::new(text).is_err(), "a PEM text is no secret");
    }
}

#[test]
fn hs_2_nothing_is_unsigned() {
    for algorithm in PUBLIC {
        let [signer, _] = Signer::two(algorithm);
        let verifier = verifier_of(signer.key());
        let (message, signature) = split(&signer.good());
        for length in [0, 1, 31, 32, 63, 64, 65, 255, 256, 257, 512] {
            for byte in [0, 0xff] {
                let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(vec![byte; length]));
                assert_eq!(
                    word(&verify(&verifier, &token)),
                    "invalid",
                    "{algorithm:?} {length}"
                );
            }
        }
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{"alg":""}"#] {
            for signature in [Vec::new(), signature.clone()] {
                let token = format!(
                    "{}.{}.{}",
                    b64(header),
                    b64(CLAIMS),
                    URL_SAFE_NO_PAD.encode(signature)
                );
                assert_eq!(
                    word(&verify(&verifier, &token)),
                    "invalid",
                    "{algorithm:?} {header}"
                );
            }
        }
    }
}

#[test]
fn hs_17_a_signature_is_whole_and_belongs_to_its_token() {
    for algorithm in Algorithm::ALL {
        let [signer, _] = Signer::two(*algorithm);
        let verifier = verifier_of(signer.key());
        let (message, signature) = split(&signer.good());
        let token = |signature: &[u8]| format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(word(&verify(&verifier, &token(&signature))), "ok");
        for length in 0..signature.len() {
            assert_eq!(
                word(&verify(&verifier, &token(&signature[..length]))),
                "invalid",
                "{algorithm:?}"
            );
        }
        for wrong in [
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
            [&signature[..], &signature].concat(),
            signature.iter().rev().copied().collect(),
        ] {
            assert_eq!(
                word(&verify(&verifier, &token(&wrong))),
                "invalid",
                "{algorithm:?}"
            );
        }
        let of_another = format!(
            "{}.{}.{}",
            b64(&format!(r#"{{"alg":"{}"}}"#, algorithm.name())),
            b64(r#"{"user_id":6,"exp":1700003600}"#),
            URL_SAFE_NO_PAD.encode(&signature)
        );
        assert_eq!(word(&verify(&verifier, &of_another)), "invalid");
    }
}

/// JOSE writes the two numbers one after the other; a DER of them is another encoding (RFC 7518, section 3.4).
#[test]
fn es256_signatures_have_the_form_of_jose() {
    let [signer, _] = Signer::two(Algorithm::Es256);
    let verifier = verifier_of(signer.key());
    let (message, signature) = split(&signer.good());
    let integer = |bytes: &[u8]| {
        let bytes = [&[0], bytes].concat();
        [&[2, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
    };
    let numbers = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let der = [&[0x30, u8::try_from(numbers.len()).unwrap()], &numbers[..]].concat();
    for wrong in [
        der,
        [[0; 32], [0; 32]].concat(),
        [&signature[..32], &[0; 32]].concat(),
    ] {
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(wrong));
        assert_eq!(word(&verify(&verifier, &token)), "invalid");
    }
}

#[test]
fn hs_6_a_header_never_brings_its_own_key() {
    for algorithm in PUBLIC {
        let [signer, attacker] = Signer::two(algorithm);
        let verifier = verifier_of(signer.key());
        let name = algorithm.name();
        for header in [
            format!(r#"{{"alg":"{name}","jwk":{}}}"#, attacker.jwk()),
            format!(r#"{{"alg":"{name}","x5c":["{}"]}}"#, b64("x")),
            format!(r#"{{"alg":"{name}","jku":"http://127.0.0.1/keys"}}"#),
            format!(r#"{{"alg":"{name}","x5u":"http://127.0.0.1/key"}}"#),
        ] {
            for signer in [signer, attacker] {
                assert_eq!(
                    word(&verify(&verifier, &signer.token(&header, CLAIMS))),
                    "invalid",
                    "{header}"
                );
            }
        }
    }
}

#[test]
fn hs_20_old_and_new_keys_of_one_file_serve_side_by_side() {
    for algorithm in PUBLIC {
        let [old, new] = Signer::two(algorithm);
        let file = format!("the old one\n{}\nthe new one\n{}", old.pem(), new.pem());
        let verifier = verifier_with(KeySet::new(VerificationKey::from_pem(&file).unwrap()).unwrap());
        let stranger = Signer::generate(algorithm);
        for (signer, expected) in [(old, "ok"), (new, "ok"), (&stranger, "invalid")] {
            assert_eq!(word(&verify(&verifier, &signer.good())), expected);
            assert_eq!(
                word(&verify(&verifier, &signer.named("2024-01"))),
                expected,
                "no names to choose by"
            );
            assert_eq!(
                word(&verify(&verifier, &signer.named("../../dev/null"))),
                "invalid"
            );
        }
    }
}

/// Tokens that another program signed.
#[test]
fn tokens_of_openssl() {
    for (algorithm, key, certificate, token) in [
        (
            Algorithm::Rs256,
            include_str!("../keys/rsa2048.pem"),
            include_str!("../keys/rsa2048.crt"),
            include_str!("../keys/rsa2048.jwt"),
        ),
        (
            Algorithm::Es256,
            include_str!("../keys/p256.pem"),
            include_str!("../keys/p256.crt"),
            include_str!("../keys/p256.jwt"),
        ),
        (
            Algorithm::EdDsa,
            include_str!("../keys/ed25519.pem"),
            include_str!("../keys/ed25519.crt"),
            include_str!("../keys/ed25519.jwt"),
        ),
    ] {
        for text in [key, certificate] {
            let keys = VerificationKey::from_pem(text).unwrap();
            assert_eq!(keys.len(), 1);
            assert_eq!(keys[0].algorithm(), algorithm);
            let verifier = verifier_with(KeySet::new(keys).unwrap());
            assert_eq!(verify(&verifier, token.trim()).unwrap().user_id.get(), 5);
        }
    }
    let pkcs1 = VerificationKey::from_pem(include_str!("../keys/rsa2048-pkcs1.pem")).unwrap();
    let verifier = verifier_with(KeySet::new(pkcs1).unwrap());
    assert_eq!(
        word(&verify(&verifier, include_str!("../keys/rsa2048.jwt").trim())),
        "ok"
    );
}

#[test]
fn every_flipped_bit_of_a_public_key_s_token_makes_it_invalid() {
    for algorithm in PUBLIC {
        let [signer, _] = Signer::two(algorithm);
        let verifier = verifier_of(signer.key());
        let token = signer.good();
        for place in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                if let Ok(flipped) = String::from_utf8(bytes) {
                    assert_eq!(word(&verify(&verifier, &flipped)), "invalid", "{flipped}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_signature(
        algorithm in prop::sample::select(&PUBLIC),
        signature in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let [signer, _] = Signer::two(algorithm);
        let (message, _) = split(&signer.good());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        prop_assert_eq!(word(&verify(&verifier_of(signer.key()), &token)), "invalid");
    }

    #[test]
    fn a_signature_with_changed_bytes_is_none(
        algorithm in prop::sample::select(&PUBLIC),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
    ) {
        let [signer, _] = Signer::two(algorithm);
        let (message, good) = split(&signer.good());
        let mut signature = good.clone();
        for (place, change) in changes {
            let place = place.index(signature.len());
            signature[place] ^= change;
        }
        prop_assume!(signature != good);
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        prop_assert_eq!(word(&verify(&verifier_of(signer.key()), &token)), "invalid");
    }

    #[test]
    fn no_bytes_make_a_pem_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..300), label in "(RSA |)PUBLIC KEY|CERTIFICATE") {
        prop_assert!(VerificationKey::from_pem(&pem(&label, &bytes)).is_err());
    }

    #[test]
    fn a_damaged_key_is_refused_or_another_key(
        algorithm in prop::sample::select(&PUBLIC),
        place in any::<prop::sample::Index>(),
        change in 1_u8..,
    ) {
        let [signer, _] = Signer::two(algorithm);
        let mut der = signer.spki();
        let place = place.index(der.len());
        der[place] ^= change;
        if let Ok(keys) = VerificationKey::from_pem(&pem("PUBLIC KEY", &der)) {
            let verifier = verifier_with(KeySet::new(keys).unwrap());
            prop_assert_eq!(word(&verify(&verifier, &signer.good())), "invalid");
        }
    }
}
