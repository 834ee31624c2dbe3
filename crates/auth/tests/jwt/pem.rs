//! Files with public keys: which are accepted, and what is said of the others (HS-25).

use crate::signer::{PUBLIC, Signer, pem};
use sealroom_auth::{
    Algorithm, KeySet, KeySetError, MAX_PEM_BYTES, MAX_PEM_KEYS, MAX_UNNAMED, PemError, PublicKeyError,
    VerificationKey,
};

fn error(text: &str) -> PemError {
    VerificationKey::from_pem(text).unwrap_err()
}

#[test]
fn hs_25_keys_that_no_token_should_hang_on() {
    let key = |source| PemError::Key { place: 1, source };
    for (name, text, expected) in [
        (
            "rsa1024",
            include_str!("../keys/rsa1024.pem"),
            key(PublicKeyError::RsaSize { bits: 1024 }),
        ),
        (
            "rsa2047",
            include_str!("../keys/rsa2047.pem"),
            key(PublicKeyError::RsaSize { bits: 2047 }),
        ),
        (
            "rsa-pss",
            include_str!("../keys/rsa-pss.pem"),
            key(PublicKeyError::Type),
        ),
        (
            "p384",
            include_str!("../keys/p384.pem"),
            key(PublicKeyError::Curve),
        ),
        (
            "secp256k1",
            include_str!("../keys/secp256k1.pem"),
            key(PublicKeyError::Curve),
        ),
        (
            "p256 by its parameters",
            include_str!("../keys/p256-explicit.pem"),
            key(PublicKeyError::Curve),
        ),
        (
            "p256 compressed",
            include_str!("../keys/p256-compressed.pem"),
            key(PublicKeyError::Malformed),
        ),
        (
            "ed448",
            include_str!("../keys/ed448.pem"),
            key(PublicKeyError::Curve),
        ),
        (
            "x25519",
            include_str!("../keys/x25519.pem"),
            key(PublicKeyError::Curve),
        ),
    ] {
        assert_eq!(error(text), expected, "{name}");
    }
    let e3 = VerificationKey::from_pem(include_str!("../keys/rsa2048-e3.pem")).unwrap();
    assert_eq!(e3[0].algorithm(), Algorithm::Rs256);
}

#[test]
fn hs_25_an_exponent_must_be_one() {
    // RSAPublicKey of 2048 bits; the exponent is its end.
    let [signer, _] = Signer::two(Algorithm::Rs256);
    let spki = signer.spki();
    let modulus = &spki[spki.len() - 262..spki.len() - 5];
    for (exponent, expected) in [
        (&[1][..], Some(PublicKeyError::RsaExponent)),
        (&[2], Some(PublicKeyError::RsaExponent)),
        (&[3], None),
        (&[1, 0, 0], Some(PublicKeyError::RsaExponent)),
        (&[1, 0, 1], None),
        (&[1, 0xff, 0xff, 0xff, 0xff], None),
        (&[2, 0, 0, 0, 1], Some(PublicKeyError::RsaExponent)),
        (
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            Some(PublicKeyError::RsaExponent),
        ),
        (&[0], Some(PublicKeyError::Malformed)),
        (&[0, 3], Some(PublicKeyError::Malformed)),
        (&[0x80], Some(PublicKeyError::Malformed)),
        (&[], Some(PublicKeyError::Malformed)),
    ] {
        let integers = [
            &[2, 0x82, 1, 1][..],
            modulus,
            &[2, u8::try_from(exponent.len()).unwrap()],
            exponent,
        ]
        .concat();
        let length = u16::try_from(integers.len()).unwrap().to_be_bytes();
        let der = [&[0x30, 0x82][..], &length, &integers].concat();
        let outcome = VerificationKey::from_pem(&pem("RSA PUBLIC KEY", &der));
        let expected = expected.map(|source| PemError::Key { place: 1, source });
        assert_eq!(outcome.err(), expected, "{exponent:?}");
    }
}

#[test]
fn what_is_no_public_key_is_called_by_its_name() {
    let [good, _] = Signer::two(Algorithm::EdDsa);
    let good = good.pem();
    let label = |place, label: &str| PemError::Label {
        place,
        label: label.to_owned(),
    };
    let malformed = |place| PemError::Malformed { place };
    for (text, expected) in [
        (String::new(), PemError::Empty),
        ("just a text\n".to_owned(), PemError::Empty),
        (good.replace("-----", "----"), PemError::Empty),
        (pem("PRIVATE KEY", b"x"), PemError::PrivateKey { place: 1 }),
        (pem("RSA PRIVATE KEY", b"x"), PemError::PrivateKey { place: 1 }),
        (pem("EC PRIVATE KEY", b"x"), PemError::PrivateKey { place: 1 }),
        (
            pem("ENCRYPTED PRIVATE KEY", b"x"),
            PemError::PrivateKey { place: 1 },
        ),
        (
            pem("OPENSSH PRIVATE KEY", b"x"),
            PemError::PrivateKey { place: 1 },
        ),
        (
            good.clone() + &pem("PRIVATE KEY", b"x"),
            PemError::PrivateKey { place: 2 },
        ),
        (pem("CERTIFICATE REQUEST", b"x"), label(1, "CERTIFICATE REQUEST")),
        (
            good.clone() + &pem("EC PARAMETERS", b"x"),
            label(2, "EC PARAMETERS"),
        ),
        (pem(&"X".repeat(100), b"x"), label(1, &"X".repeat(40))),
        (good.replace("-----END PUBLIC KEY-----", ""), malformed(1)),
        (good.replace("END PUBLIC KEY", "END CERTIFICATE"), malformed(1)),
        (good.replacen("MCow", "M-_w", 1), malformed(1)),
        (
            good.replacen("MCow", "", 1),
            PemError::Key {
                place: 1,
                source: PublicKeyError::Malformed,
            },
        ),
        (good.clone() + "-----BEGIN PUBLIC KEY-----\n", malformed(2)),
        (
            pem("PUBLIC KEY", b""),
            PemError::Key {
                place: 1,
                source: PublicKeyError::Malformed,
            },
        ),
        (
            pem("CERTIFICATE", b"x"),
            PemError::Key {
                place: 1,
                source: PublicKeyError::Malformed,
            },
        ),
        (
            include_str!("../keys/p256.crt").to_owned() + include_str!("../keys/rsa2048.crt"),
            PemError::Chain,
        ),
        (good.repeat(MAX_PEM_KEYS + 1), PemError::TooLarge),
        (good.clone() + &" ".repeat(MAX_PEM_BYTES), PemError::TooLarge),
    ] {
        assert_eq!(
            error(&text),
            expected,
            "{}",
            text.chars().take(200).collect::<String>()
        );
    }
}

#[test]
fn a_file_holds_several_keys_and_what_people_write_around_them() {
    let signers: Vec<&Signer> = PUBLIC
        .iter()
        .flat_map(|algorithm| Signer::two(*algorithm))
        .collect();
    let pems: Vec<String> = signers.iter().map(|signer| signer.pem()).collect();
    let file = format!("# keys\n\n{}", pems.join("\n# key\n\n"));
    for text in [
        file.clone(),
        file.replace('\n', "\r\n"),
        file.replace('\n', " \n\t"),
        format!("\u{feff}# keys\n{file}"),
    ] {
        let keys = VerificationKey::from_pem(&text).unwrap();
        let algorithms: Vec<Algorithm> = keys.iter().map(VerificationKey::algorithm).collect();
        let expected: Vec<Algorithm> = signers.iter().map(|signer| signer.algorithm()).collect();
        assert_eq!(algorithms, expected);
        assert_eq!(KeySet::new(keys).unwrap().count(), 6);
    }
}

#[test]
fn keys_without_names_are_few() {
    let [signer, _] = Signer::two(Algorithm::EdDsa);
    let keys = |count| std::iter::repeat_n(signer.key(), count);
    assert_eq!(KeySet::new(keys(MAX_UNNAMED)).unwrap().count(), MAX_UNNAMED);
    assert_eq!(
        KeySet::new(keys(MAX_UNNAMED + 1)).unwrap_err(),
        KeySetError::TooManyUnnamed
    );
    assert_eq!(
        KeySet::new(keys(2).map(|key| key.named("a"))).unwrap_err(),
        KeySetError::Ambiguous
    );
}

#[test]
fn no_key_is_printed() {
    let [signer, _] = Signer::two(Algorithm::EdDsa);
    let printed = format!("{:?}", signer.key());
    assert_eq!(
        printed,
        r#"VerificationKey { algorithm: EdDsa, kid: None, key: "[redacted]" }"#
    );
}
