//! The parts of a token (RFC 7515, section 7.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{VerificationKey, header::Header};

/// The longest token that is looked at: 4 KiB. What is longer is refused by its length alone.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// A token of which the header is read, and the rest is not.
pub(crate) struct Token<'a> {
    pub(crate) header: Header,
    /// What is signed.
    message: &'a str,
    signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Token<'a> {
    /// Splits a token; `None` where its form or its header breaks a rule.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        if text.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        Some(Self {
            header: Header::parse(&decode(header)?)?,
            message,
            signature: decode(signature)?,
            claims,
        })
    }

    /// Whether one of these keys made the signature.
    pub(crate) fn is_signed_by_one_of(&self, keys: &[VerificationKey]) -> bool {
        keys.iter()
            .any(|key| key.verifies(self.message.as_bytes(), &self.signature))
    }

    /// The decoded claims, to be looked at only where the signature is right.
    pub(crate) fn claims(&self) -> Option<Vec<u8>> {
        decode(self.claims)
    }
}

/// The only encoding of some bytes: this engine refuses padding, other alphabets and trailing bits that are not 0,
/// so that two accepted tokens are never the same token in two spellings (RFC 4648, section 3.5).
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
