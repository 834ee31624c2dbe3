//! The shared secret of HS256.

use std::{collections::BTreeSet, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealroom_domain::ports::BoxError;

/// A key shorter than the hash can be searched for (RFC 7518, section 3.2).
const MIN_BYTES: usize = 32;
/// What a generated secret holds before it is made printable.
const GENERATED_BYTES: usize = 32;
/// Fewer different bytes than this are no random text, in whatever alphabet of 16 or more.
const MIN_DISTINCT: usize = 6;

/// Secrets of public examples: whoever can read can sign.
const EXAMPLES: [&str; 6] = [
    // jwt.io
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    // RFC 7515, appendix A.1; RFC 7520, section 3.5
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    // Tutorials of jjwt and Spring
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "5367566B59703373367639792F423F4528482B4D6251655468576D5A71347437",
];

/// What placeholders say, in lower case and without anything but letters and digits. Long enough never to turn up in
/// a random text.
const PLACEHOLDERS: [&str; 26] = [
    "changeit",
    "changeme",
    "changethis",
    "donotuse",
    "examplekey",
    "examplesecret",
    "insecure",
    "jwtsecret",
    "keyboardcat",
    "mypassword",
    "mysecret",
    "notasecret",
    "notsecret",
    "placeholder",
    "qwertyuiop",
    "replaceme",
    "replacethis",
    "secretkey",
    "supersecret",
    "thisisasecret",
    "yoursecret",
    "256bitsecret",
    "384bitsecret",
    "512bitsecret",
    "stringsecretatleast",
    "stringsecretthatisatleast",
];

/// A secret that both signs and verifies: at least 32 bytes, and nothing that is easily guessed. Its bytes are the
/// UTF-8 of its text. It cannot be printed.
#[derive(Clone)]
pub struct Secret(String);

/// Why a text is no secret. Never holds the text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Under 32 bytes.
    #[error("the secret is shorter than 32 bytes")]
    TooShort,
    /// A placeholder, or the secret of a public example.
    #[error("the secret is a known example value; use a random one")]
    KnownExample,
    /// A repeated piece, a run of neighbouring characters, or too few different ones.
    #[error("the secret is a repetition or a simple sequence; use a random one")]
    Predictable,
    /// A key in PEM: a public key is no secret, and a private one is not for HS256.
    #[error("the secret is a PEM key; HS256 needs a shared random text")]
    Pem,
    /// The operating system gives no randomness.
    #[error("no randomness is available to generate a secret")]
    NoRandomness {
        /// What happened.
        source: BoxError,
    },
}

impl Secret {
    /// Checks a text from a setting or a file, which is taken as it is: white space around it is part of it.
    pub fn new(text: impl Into<String>) -> Result<Self, SecretError> {
        let text = text.into();
        if text.contains("-----BEGIN") {
            return Err(SecretError::Pem);
        }
        // Before the length: that a text is an example says more than that it is short.
        if is_example(&text) {
            return Err(SecretError::KnownExample);
        }
        if text.len() < MIN_BYTES {
            return Err(SecretError::TooShort);
        }
        if is_predictable(text.as_bytes()) {
            return Err(SecretError::Predictable);
        }
        Ok(Self(text))
    }

    /// A new secret of 256 random bits, as 43 characters of base64url.
    pub fn generate() -> Result<Self, SecretError> {
        let bytes = random::<GENERATED_BYTES>().map_err(|source| SecretError::NoRandomness {
            source: source.into(),
        })?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret itself, to be written to the file that it is kept in and nowhere else.
    pub fn as_text(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// Bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn is_example(text: &str) -> bool {
    let text = text.trim();
    let plain: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|char| char.to_ascii_lowercase())
        .collect();
    EXAMPLES.iter().any(|example| example.eq_ignore_ascii_case(text))
        || PLACEHOLDERS.iter().any(|words| plain.contains(words))
}

fn is_predictable(bytes: &[u8]) -> bool {
    let distinct = bytes.iter().collect::<BTreeSet<_>>().len();
    // A piece of full length that stands there twice is as good as once.
    let periods = 1..=(MIN_BYTES - 1).min(bytes.len() / 2);
    let repeated = periods
        .into_iter()
        .any(|period| bytes.iter().zip(bytes.iter().skip(period)).all(|(a, b)| a == b));
    let neighbours = bytes
        .iter()
        .zip(bytes.iter().skip(1))
        .filter(|(a, b)| a.abs_diff(**b) == 1)
        .count();
    distinct < MIN_DISTINCT || repeated || neighbours > bytes.len() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessable_texts_are_no_secrets() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----";
        for (text, outcome) in [
            ("", "TooShort"),
            ("short", "TooShort"),
            ("secret", "TooShort"),
            ("0mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6Gs", "TooShort"),
            ("changeme", "KnownExample"),
            ("CHANGE_ME", "KnownExample"),
            ("changeme-changeme-changeme-changeme", "KnownExample"),
            ("please-change-this-to-something-random", "KnownExample"),
            ("your-256-bit-secret", "KnownExample"),
            ("your-512-bit-secret-your-512-bit-secret", "KnownExample"),
            ("a-string-secret-at-least-256-bits-long", "KnownExample"),
            ("a-string-secret-at-least-256-bits-long\n", "KnownExample"),
            ("your_super_secret_key_for_jwt_tokens_2024", "KnownExample"),
            ("qwertyuiopasdfghjklzxcvbnm123456", "KnownExample"),
            (
                "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
                "KnownExample",
            ),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Predictable"),
            ("00000000000000000000000000000000", "Predictable"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "Predictable"),
            ("secretsecretsecretsecretsecretsecret", "Predictable"),
            ("secretsecretsecretsecretsecretsecretse", "Predictable"),
            ("passwordpasswordpasswordpassword", "Predictable"),
            ("12345678901234567890123456789012", "Predictable"),
            ("0123456789abcdef0123456789abcdef", "Predictable"),
            ("abcdefghijklmnopqrstuvwxyz012345", "Predictable"),
            (pem, "Pem"),
        ] {
            let error = Secret::new(text).unwrap_err();
            assert!(format!("{error:?}").starts_with(outcome), "{text}: {error:?}");
            let printed = format!("{error}{error:?}");
            assert!(text.len() < MIN_BYTES || !printed.contains(text), "{text}");
        }
    }

    #[test]
    fn random_texts_are_secrets() {
        for text in [
            "0mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6GsA",
            "9f86d081884c7d659a2feaa0c55ad015",
            "correct horse battery staple and seven more",
            "Một câu bí mật đủ dài, không ai đoán được",
        ] {
            assert_eq!(Secret::new(text).unwrap().as_text(), text);
        }
    }

    #[test]
    fn generated_secrets_are_good_printable_and_different() {
        let mut seen = BTreeSet::new();
        for _ in 0..1000 {
            let secret = Secret::generate().unwrap();
            let text = secret.as_text();
            assert_eq!(text.len(), 43);
            assert!(
                text.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            );
            assert!(
                Secret::new(text).is_ok(),
                "what is written to a file must be read again"
            );
            assert!(seen.insert(text.to_owned()));
        }
    }

    #[test]
    fn secrets_cannot_be_printed() {
        assert_eq!(format!("{:?}", Secret::generate().unwrap()), "Secret([redacted])");
    }
}
