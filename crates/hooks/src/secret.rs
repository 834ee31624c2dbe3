//! Secrets, and what is signed with them.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A secret of Standard Webhooks: `whsec_` and 24 to 64 random bytes in base64.
///
/// Never printed.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// The secrets that everything is signed with: one, or during a rotation the new one and those that receivers still
/// know. There are 1 to [`Secrets::MAX`].
#[derive(Debug, Clone)]
pub struct Secrets(Vec<Secret>);

/// Why a text is no secret, or no list of secrets. Holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It does not begin with `whsec_`.
    #[error("a webhook secret begins with whsec_")]
    Prefix,
    /// What follows is no base64 of the standard alphabet, with its padding.
    #[error("a webhook secret is base64 after whsec_")]
    Base64,
    /// It is too short to be safe, or longer than receivers take.
    #[error("a webhook secret has 24 to 64 bytes")]
    Length,
    /// There is none, or there are too many.
    #[error("there must be 1 to 4 webhook secrets")]
    Count,
}

impl Secret {
    const PREFIX: &'static str = "whsec_";

    /// Reads `whsec_<base64>`.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(Self::PREFIX).ok_or(SecretError::Prefix)?;
        let bytes = STANDARD.decode(encoded).or(Err(SecretError::Base64))?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(SecretError::Length);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

impl Secrets {
    /// The most secrets at a time.
    pub const MAX: usize = 4;

    /// These secrets, the newest first.
    pub fn new(secrets: Vec<Secret>) -> Result<Self, SecretError> {
        if secrets.is_empty() || secrets.len() > Self::MAX {
            return Err(SecretError::Count);
        }
        Ok(Self(secrets))
    }

    /// Reads secrets that are separated by commas or white space, the newest first.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let secrets = text
            .split(|c: char| c == ',' || c.is_ascii_whitespace())
            .filter(|part| !part.is_empty())
            .map(Secret::new)
            .collect::<Result<_, _>>()?;
        Self::new(secrets)
    }

    /// The value of `webhook-signature`: one signature for each secret.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signatures: Vec<String> = self
            .0
            .iter()
            .map(|secret| secret.sign(id, timestamp, body))
            .collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the libraries of Standard Webhooks share.
    const PUBLISHED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_published_example() {
        let secrets = Secrets::parse(PUBLISHED).unwrap();
        assert_eq!(
            secrets.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_is_a_secret() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for (text, expected) in [
            (PUBLISHED.to_owned(), None),
            (of(24), None),
            (of(25), None),
            (of(64), None),
            (of(23), Some(SecretError::Length)),
            (of(65), Some(SecretError::Length)),
            ("whsec_".to_owned(), Some(SecretError::Length)),
            (String::new(), Some(SecretError::Prefix)),
            (PUBLISHED.replace("whsec_", ""), Some(SecretError::Prefix)),
            (PUBLISHED.replace("whsec", "WHSEC"), Some(SecretError::Prefix)),
            (format!("{PUBLISHED}="), Some(SecretError::Base64)),
            (of(25).replace('=', ""), Some(SecretError::Base64)),
            (PUBLISHED.replace('M', "-"), Some(SecretError::Base64)),
            (format!(" {PUBLISHED}"), Some(SecretError::Prefix)),
        ] {
            assert_eq!(Secret::new(&text).err(), expected, "{text}");
        }
    }

    #[test]
    fn several_secrets_sign_side_by_side() {
        let other = format!("whsec_{}", STANDARD.encode([9; 32]));
        let one = |secret: &str| Secrets::parse(secret).unwrap().sign("msg_1", 5, b"{}");
        for list in [
            format!("{PUBLISHED} {other}"),
            format!("{PUBLISHED},{other}"),
            format!(" {PUBLISHED} ,\n {other},"),
        ] {
            assert_eq!(
                Secrets::parse(&list).unwrap().sign("msg_1", 5, b"{}"),
                format!("{} {}", one(PUBLISHED), one(&other))
            );
        }
        for bad in [String::new(), " , ".to_owned(), [PUBLISHED; 5].join(" ")] {
            assert_eq!(Secrets::parse(&bad).err(), Some(SecretError::Count), "{bad}");
        }
    }

    #[test]
    fn secrets_are_never_printed() {
        let printed = format!("{:?}", Secrets::parse(PUBLISHED).unwrap());
        assert_eq!(printed, "Secrets([Secret([redacted])])");
    }
}
