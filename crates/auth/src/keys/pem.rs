//! Public keys in PEM (RFC 7468).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{pki_types::CertificateDer, server::ParsedCertificate};

use super::{VerificationKey, public, public::PublicKeyError};

/// The longest PEM text that is looked at: 256 KiB.
pub const MAX_PEM_BYTES: usize = 256 * 1024;
/// The most keys of one PEM text.
pub const MAX_PEM_KEYS: usize = 32;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// The longest label that an error repeats.
const MAX_LABEL: usize = 40;

/// Why a PEM text holds no public keys. Never holds the text of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// It has no section.
    #[error("there is no public key in PEM; it begins with -----BEGIN PUBLIC KEY-----")]
    Empty,
    /// Over [`MAX_PEM_BYTES`] or [`MAX_PEM_KEYS`].
    #[error("there are more than 32 keys or 256 KiB of PEM")]
    TooLarge,
    /// A section does not end, or is not base64.
    #[error("section {place} of the PEM text is damaged")]
    Malformed {
        /// Which one, counted from 1.
        place: usize,
    },
    /// It holds a private key, which belongs to the issuer alone.
    #[error("section {place} is a private key; only the issuer may have it: give the public key")]
    PrivateKey {
        /// Which one, counted from 1.
        place: usize,
    },
    /// A section of another kind.
    #[error("section {place} is no public key but {label:?}")]
    Label {
        /// Which one, counted from 1.
        place: usize,
        /// What it says it is, cut to 40 characters.
        label: String,
    },
    /// A second certificate: of a chain only the first one's key signs tokens.
    #[error("there is more than one certificate; give the issuer's own, without its chain, or public keys")]
    Chain,
    /// A public key that is not one for tokens.
    #[error("the key in section {place} of the PEM text cannot verify tokens")]
    Key {
        /// Which one, counted from 1.
        place: usize,
        /// What is wrong with it.
        source: PublicKeyError,
    },
}

/// The keys of a PEM text.
pub(super) fn read(text: &str) -> Result<Vec<VerificationKey>, PemError> {
    if text.len() > MAX_PEM_BYTES {
        return Err(PemError::TooLarge);
    }
    let mut keys = Vec::new();
    let mut certificates = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(label) = label(line, BEGIN) else {
            continue;
        };
        let place = keys.len() + 1;
        if place > MAX_PEM_KEYS {
            return Err(PemError::TooLarge);
        }
        if label.ends_with("PRIVATE KEY") {
            return Err(PemError::PrivateKey { place });
        }
        let der = body(&mut lines, label).ok_or(PemError::Malformed { place })?;
        let key = match label {
            "PUBLIC KEY" => public::from_spki(&der),
            "RSA PUBLIC KEY" => public::from_pkcs1(&der),
            "CERTIFICATE" => {
                certificates += 1;
                from_certificate(der)
            }
            other => {
                let label = other.chars().take(MAX_LABEL).collect();
                return Err(PemError::Label { place, label });
            }
        };
        keys.push(key.map_err(|source| PemError::Key { place, source })?);
    }
    if certificates > 1 {
        return Err(PemError::Chain);
    }
    if keys.is_empty() {
        return Err(PemError::Empty);
    }
    Ok(keys)
}

/// What a line begins or ends.
fn label<'a>(line: &'a str, edge: &str) -> Option<&'a str> {
    line.trim().strip_prefix(edge)?.strip_suffix(DASHES)
}

/// The bytes of a section up to its end.
fn body<'a>(lines: &mut impl Iterator<Item = &'a str>, begun: &str) -> Option<Vec<u8>> {
    let mut base64 = String::new();
    for line in lines {
        if let Some(ended) = label(line, END) {
            return STANDARD.decode(base64).ok().filter(|_| ended == begun);
        }
        base64.push_str(line.trim());
    }
    None
}

/// The key of a certificate. Nothing else of it is looked at: it was put here by who trusts it.
fn from_certificate(der: Vec<u8>) -> Result<VerificationKey, PublicKeyError> {
    let der = CertificateDer::from(der);
    let certificate = ParsedCertificate::try_from(&der).or(Err(PublicKeyError::Malformed))?;
    public::from_spki(&certificate.subject_public_key_info())
}
