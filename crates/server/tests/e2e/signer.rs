//! Issuers of tokens of every algorithm, with any claims.

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
use sealroom_domain::ports::Clock as _;
use sealroom_server::clock::SystemClock;
use serde_json::{Value, json};

/// The key of an issuer.
pub(crate) enum Signer {
    Hs256(String),
    Rs256(rsa::KeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    /// One of each algorithm with public keys.
    pub(crate) fn public() -> [Self; 3] {
        [
            Self::Rs256(rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap()),
            Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            Self::eddsa(),
        ]
    }

    pub(crate) fn eddsa() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hs256(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
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

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm()}), claims)
    }

    /// A token with this header and these claims.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        self.signed(&format!("{}.{}", part(header), part(claims)))
    }

    /// A token of these encoded parts, with their signature behind them.
    pub(crate) fn signed(&self, message: &str) -> String {
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// The public key as a PEM file has it.
    pub(crate) fn pem(&self) -> String {
        let der = match self {
            Self::Hs256(_) => panic!("a secret has no public key"),
            Self::Rs256(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Es256(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::EdDsa(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
        };
        let base64 = STANDARD.encode(der);
        let lines: Vec<&str> = base64
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    /// The public key of an Ed25519 issuer as a JWK set lists it.
    pub(crate) fn listed(&self, kid: &str) -> Value {
        let Self::EdDsa(key) = self else {
            panic!("only Ed25519 is listed here")
        };
        let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"})
    }
}

/// The time of a claim, so many seconds from now.
pub(crate) fn in_seconds(seconds: i64) -> i64 {
    SystemClock.now().as_micros().div_euclid(1_000_000) + seconds
}

/// Good claims of a user.
pub(crate) fn claims(user_id: u64) -> Value {
    json!({"user_id": user_id, "exp": in_seconds(3600)})
}
