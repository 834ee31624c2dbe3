//! Public keys from their parts. Whether they come from PEM or from a JWK, they pass here.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;

use super::{Algorithm, VerificationKey, der::Reader};

/// Shorter RSA keys are within reach (RFC 7518, section 3.3).
const MIN_RSA_BITS: usize = 2048;
/// Longer ones cost an attacker nothing and us a lot.
const MAX_RSA_BITS: usize = 8192;
/// What the library beneath takes: 33 bits. Everybody uses 65537.
const MAX_RSA_EXPONENT: u64 = (1 << 33) - 1;

/// The first byte of a point that is written in full (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;
const P256_POINT_BYTES: usize = 65;
const ED25519_BYTES: usize = 32;

/// Object identifiers in DER, as they stand in a key (RFC 3279, section 2.3; RFC 8410, section 3).
mod oid {
    pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    pub(super) const X25519: &[u8] = &[0x2b, 0x65, 0x6e];
    pub(super) const X448: &[u8] = &[0x2b, 0x65, 0x6f];
    pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    pub(super) const ED448: &[u8] = &[0x2b, 0x65, 0x71];
}

/// Why a public key is not one for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// An RSA key of another size.
    #[error("the RSA key has {bits} bits; 2048 to 8192 are accepted")]
    RsaSize {
        /// Its size.
        bits: usize,
    },
    /// An RSA key whose exponent is even, 1, or longer than 33 bits.
    #[error("the public exponent of the RSA key is not an odd number from 3 to 2^33 - 1")]
    RsaExponent,
    /// An elliptic curve other than these.
    #[error("the key is on another curve than P-256 (ES256) or Ed25519 (EdDSA)")]
    Curve,
    /// No key of these types at all.
    #[error("the key is neither RSA (RS256), P-256 (ES256) nor Ed25519 (EdDSA)")]
    Type,
    /// Damaged: not what its type asks for, or not a point of its curve.
    #[error("the key is damaged, or a point of it is compressed")]
    Malformed,
}

/// An RSA key from its modulus and exponent, big-endian without leading zeros.
pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<VerificationKey, PublicKeyError> {
    let bits = match modulus.first() {
        Some(0) | None => return Err(PublicKeyError::Malformed),
        Some(first) => modulus
            .len()
            .saturating_mul(8)
            .saturating_sub(usize::try_from(first.leading_zeros()).unwrap_or(0)),
    };
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err(PublicKeyError::RsaSize { bits });
    }
    if modulus.last().is_none_or(|last| last % 2 == 0) {
        return Err(PublicKeyError::Malformed); // 2 is no factor of a key
    }
    // With the exponent 1 a signature is the message itself, and everybody can make it.
    let value = exponent
        .iter()
        .try_fold(0_u64, |sum, byte| Some(sum.checked_mul(256)? | u64::from(*byte)))
        .ok_or(PublicKeyError::RsaExponent)?;
    if exponent.first() == Some(&0) || !(3..=MAX_RSA_EXPONENT).contains(&value) || value % 2 == 0 {
        return Err(PublicKeyError::RsaExponent);
    }
    let parts = RsaPublicKeyComponents {
        n: modulus,
        e: exponent,
    };
    parts
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .or(Err(PublicKeyError::Malformed))?;
    let key = DecodingKey::from_rsa_raw_components(modulus, exponent);
    Ok(VerificationKey::unnamed(Algorithm::Rs256, key))
}

/// A key on P-256 from its point, written in full.
pub(super) fn p256(point: &[u8]) -> Result<VerificationKey, PublicKeyError> {
    if point.len() != P256_POINT_BYTES || point.first() != Some(&UNCOMPRESSED) {
        return Err(PublicKeyError::Malformed);
    }
    well_formed(&ECDSA_P256_SHA256_FIXED, point)?;
    // Despite its name this takes the point itself.
    let key = DecodingKey::from_ec_der(point);
    Ok(VerificationKey::unnamed(Algorithm::Es256, key))
}

/// A key on P-256 from its coordinates.
pub(super) fn p256_from_coordinates(x: &[u8], y: &[u8]) -> Result<VerificationKey, PublicKeyError> {
    if x.len() != y.len() {
        return Err(PublicKeyError::Malformed);
    }
    p256(&[&[UNCOMPRESSED], x, y].concat())
}

/// An Ed25519 key.
pub(super) fn ed25519(bytes: &[u8]) -> Result<VerificationKey, PublicKeyError> {
    if bytes.len() != ED25519_BYTES {
        return Err(PublicKeyError::Malformed); // the library would also take other encodings
    }
    well_formed(&ED25519, bytes)?;
    // Despite its name this takes the 32 bytes themselves.
    let key = DecodingKey::from_ed_der(bytes);
    Ok(VerificationKey::unnamed(Algorithm::EdDsa, key))
}

/// Reads a key as every verification will. jsonwebtoken itself looks at a key no earlier than that, and then cannot
/// tell a damaged one from a wrong signature.
fn well_formed(signatures: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Result<(), PublicKeyError> {
    match ParsedPublicKey::new(signatures, bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(PublicKeyError::Malformed),
    }
}

/// A key in a `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7).
pub(super) fn from_spki(der: &[u8]) -> Result<VerificationKey, PublicKeyError> {
    let (kind, parameters, key) = split_spki(der).ok_or(PublicKeyError::Malformed)?;
    match kind {
        oid::RSA => {
            // The parameters are NULL (RFC 3279, section 2.3.1).
            Reader::whole(parameters, Reader::null).ok_or(PublicKeyError::Malformed)?;
            from_pkcs1(key)
        }
        oid::EC => {
            let curve = Reader::whole(parameters, Reader::oid);
            // Curves by their parameters instead of their name are a trap of its own (CVE-2020-0601).
            if curve != Some(oid::P256) {
                return Err(PublicKeyError::Curve);
            }
            p256(key)
        }
        oid::ED25519 if parameters.is_empty() => ed25519(key),
        oid::ED25519 => Err(PublicKeyError::Malformed),
        oid::X25519 | oid::X448 | oid::ED448 => Err(PublicKeyError::Curve),
        _ => Err(PublicKeyError::Type),
    }
}

/// An RSA key in an `RSAPublicKey` (RFC 8017, appendix A.1.1).
pub(super) fn from_pkcs1(der: &[u8]) -> Result<VerificationKey, PublicKeyError> {
    let (modulus, exponent) = Reader::whole(der, |outer| {
        let mut parts = outer.sequence()?;
        let pair = (parts.positive()?, parts.positive()?);
        parts.end()?;
        Some(pair)
    })
    .ok_or(PublicKeyError::Malformed)?;
    rsa(modulus, exponent)
}

/// The type of a key, the parameters of the type, and the key.
fn split_spki(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    Reader::whole(der, |outer| {
        let mut info = outer.sequence()?;
        let mut algorithm = info.sequence()?;
        let kind = algorithm.oid()?;
        let parameters = algorithm.rest();
        let key = info.bit_string()?;
        info.end()?;
        Some((kind, parameters, key))
    })
}
