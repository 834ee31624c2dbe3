//! The header of a token (RFC 7515, section 4).

use crate::{Algorithm, json::Object};

/// Parameters that change how a token is read, or say where its key comes from. None is understood here, and an
/// attacker writes the header: it must not be able to choose the key, or to fetch one.
const REFUSED: [&str; 8] = ["crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"];

/// What chooses the key.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
}

impl Header {
    /// Reads a decoded header; `None` where it breaks a rule.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = Object::parse(bytes)?;
        if REFUSED.iter().any(|name| header.has(name)) {
            return None;
        }
        let kind = header.text("typ").ok()?;
        if kind.is_some_and(|kind| !is_media_type(&kind, "jwt") && !is_media_type(&kind, "at+jwt")) {
            return None; // another kind of token (RFC 8725, section 3.11)
        }
        let content = header.text("cty").ok()?;
        if content.is_some_and(|content| is_media_type(&content, "jwt")) {
            return None; // a token within a token (RFC 7519, section 5.2)
        }
        Some(Self {
            algorithm: Algorithm::from_name(&header.text("alg").ok()??)?,
            kid: header.text("kid").ok()?,
        })
    }
}

/// Media types are compared without case, and `application/` may be left out (RFC 7515, section 4.1.9).
fn is_media_type(value: &str, subtype: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.strip_prefix("application/").unwrap_or(&value) == subtype
}
