//! Which requests ask for a WebSocket. Socket.IO looks at their keys alone, whatever else they say.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};

/// The version of RFC 6455, which is the only one.
pub(crate) const VERSION: HeaderValue = HeaderValue::from_static("13");

/// A request for a WebSocket is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoHandshake {
    /// Of another version, or of none.
    Version,
    /// Not in the form of RFC 6455, section 4.2.1. A proxy in front takes it for a request like any other, and must not
    /// be answered with a change of the protocol.
    Form,
}

/// Looks at the headers as they came: of those that are given twice the transport sees one.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), NoHandshake> {
    if !lists(headers, &CONNECTION, "upgrade") || !lists(headers, &UPGRADE, "websocket") {
        return Err(NoHandshake::Form);
    }
    if one(headers, &SEC_WEBSOCKET_VERSION) != Some(VERSION.as_bytes()) {
        return Err(NoHandshake::Version);
    }
    if one(headers, &SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        Ok(())
    } else {
        Err(NoHandshake::Form)
    }
}

/// Whether a list has this token, in any case.
fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(token))
}

/// The value of a header that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

/// Whether these are 16 bytes in base64.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==")
        .is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            })
    }

    #[test]
    fn a_handshake_has_all_of_its_headers() {
        let good = [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "WebSocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert_eq!(check(&headers(&good)), Ok(()));
        for place in 0..good.len() {
            let expected = if place == 2 {
                NoHandshake::Version
            } else {
                NoHandshake::Form
            };
            let mut fewer = good.to_vec();
            fewer.remove(place);
            assert_eq!(check(&headers(&fewer)), Err(expected), "{fewer:?}");
            let mut other = good.to_vec();
            other[place].1 = "x";
            assert_eq!(check(&headers(&other)), Err(expected), "{other:?}");
        }
        for (place, expected) in [(2, NoHandshake::Version), (3, NoHandshake::Form)] {
            let mut more = good.to_vec();
            more.push(good[place].clone());
            assert_eq!(check(&headers(&more)), Err(expected), "{more:?}");
        }
    }
}
