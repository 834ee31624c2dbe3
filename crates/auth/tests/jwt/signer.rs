//! Issuers of every algorithm, with keys of their own.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sealroom_auth::{Algorithm, Secret, VerificationKey};
use serde_json::{Value, json};

use crate::support::CLAIMS;

/// The algorithms with public keys.
pub(crate) const PUBLIC: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

/// The key of an issuer.
pub(crate) enum Signer {
    Hs256(Secret),
    Rs256(rsa::KeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::Hs256(Secret::generate().unwrap()),
            Algorithm::Rs256 => Self::Rs256(rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap()),
            Algorithm::Es256 => {
                Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            Algorithm::EdDsa => Self::EdDsa(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no signer for {other:?}"),
        }
    }

    /// Two issuers of one algorithm, the same ones in each test of a process.
    pub(crate) fn two(algorithm: Algorithm) -> &'static [Self; 2] {
        type Two = LazyLock<[Signer; 2]>;
        static HS256: Two = LazyLock::new(|| [(); 2].map(|()| Signer::generate(Algorithm::Hs256)));
        static RS256: Two = LazyLock::new(|| [(); 2].map(|()| Signer::generate(Algorithm::Rs256)));
        static ES256: Two = LazyLock::new(|| [(); 2].map(|()| Signer::generate(Algorithm::Es256)));
        static EDDSA: Two = LazyLock::new(|| [(); 2].map(|()| Signer::generate(Algorithm::EdDsa)));
        match algorithm {
            Algorithm::Hs256 => &HS256,
            Algorithm::Rs256 => &RS256,
            Algorithm::Es256 => &ES256,
            Algorithm::EdDsa => &EDDSA,
            other => panic!("no signer for {other:?}"),
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::Hs256,
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hs256(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_text().as_bytes());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Es256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of this header and these claims.
    pub(crate) fn token(&self, header: &str, claims: &str) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A good token without a `kid`.
    pub(crate) fn good(&self) -> String {
        self.token(&format!(r#"{{"alg":"{}"}}"#, self.algorithm().name()), CLAIMS)
    }

    /// A good token with a `kid`.
    pub(crate) fn named(&self, kid: &str) -> String {
        self.token(
            &json!({"alg": self.algorithm().name(), "kid": kid}).to_string(),
            CLAIMS,
        )
    }

    /// The public key as a `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> Vec<u8> {
        match self {
            Self::Hs256(_) => panic!("a secret has no public key"),
            Self::Rs256(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Es256(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::EdDsa(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    pub(crate) fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }

    /// The key that verifies.
    pub(crate) fn key(&self) -> VerificationKey {
        match self {
            Self::Hs256(secret) => VerificationKey::hs256(secret),
            _ => VerificationKey::from_pem(&self.pem()).unwrap().remove(0),
        }
    }

    /// The public key as a JWK without `kid`, `use` and `alg`.
    pub(crate) fn jwk(&self) -> Value {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Hs256(secret) => json!({"kty": "oct", "k": b64(secret.as_text().as_bytes())}),
            Self::Rs256(key) => {
                // RSAPublicKey of 2048 bits: 4 bytes of header, 5 before the modulus, 2 before the exponent.
                let (head, exponent) = key.public_key().as_ref().split_at(267);
                let (_, modulus) = head.split_at(9);
                let (modulus, _) = modulus.split_at(256);
                json!({"kty": "RSA", "n": b64(modulus), "e": b64(exponent)})
            }
            Self::Es256(key) => {
                let (_, coordinates) = key.public_key().as_ref().split_at(1);
                let (x, y) = coordinates.split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)})
            }
            Self::EdDsa(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().as_ref())}),
        }
    }

    /// The public key as an issuer lists it.
    pub(crate) fn listed(&self, kid: &str) -> Value {
        with(
            &self.jwk(),
            &json!({"kid": kid, "use": "sig", "alg": self.algorithm().name()}),
        )
    }
}

/// A JWK with further members, or others.
pub(crate) fn with(jwk: &Value, members: &Value) -> Value {
    let mut jwk = jwk.clone();
    jwk.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    jwk
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
