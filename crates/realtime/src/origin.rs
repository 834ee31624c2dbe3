//! Which pages may connect. CORS headers do not stop a WebSocket, so this is asked before the upgrade.

use http::{HeaderMap, header};

use crate::AllowedOrigins;

impl AllowedOrigins {
    /// Whether a request with these headers may pass.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        if origins.next().is_some() {
            return false;
        }
        let Ok(origin) = origin.to_str() else { return false };
        match self {
            Self::List(allowed) => allowed.iter().any(|one| one == origin),
            Self::SameOrigin => headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok())
                .is_some_and(|host| is_same(origin, host)),
        }
    }
}

/// TLS may end in front of the server, so both schemes are its own.
fn is_same(origin: &str, host: &str) -> bool {
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| !host.is_empty() && authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(origins: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("chat.example:8000"));
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        headers
    }

    #[test]
    fn same_origin_is_the_default() {
        let allowed = AllowedOrigins::default();
        assert!(allowed.allow(&headers(&[])));
        assert!(allowed.allow(&headers(&["https://chat.example:8000"])));
        for bad in [
            "null",
            "https://evil.example",
            "https://chat.example:8000.evil.example",
            "https://chat.example",
        ] {
            assert!(!allowed.allow(&headers(&[bad])), "{bad}");
        }
        let twice = ["https://chat.example:8000", "https://chat.example:8000"];
        assert!(!allowed.allow(&headers(&twice)));
    }

    #[test]
    fn a_list_is_exact() {
        let allowed = AllowedOrigins::List(vec!["https://app.example".to_owned()]);
        assert!(allowed.allow(&headers(&["https://app.example"])));
        for bad in [
            "http://app.example",
            "https://APP.example",
            "https://app.example:443",
            "https://chat.example:8000",
        ] {
            assert!(!allowed.allow(&headers(&[bad])), "{bad}");
        }
    }
}
