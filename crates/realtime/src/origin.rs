//! Which pages may connect, and what their browsers are told. CORS headers do not stop a WebSocket, so a page is
//! decided about before the upgrade; they only let an allowed page of another origin read what polling is answered.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
    },
};
use sealroom_wire::{AllowedOrigins, Origin};

/// What an allowed page may send: what official clients do, and the token in a header.
const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    ),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type"),
    ),
    // Two hours, the longest that browsers take.
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200")),
];

/// A request comes from a page that may not connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// What the answers to a request say of its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permission {
    /// The page's origin, where it is another one and allowed.
    origin: Option<HeaderValue>,
    vary: bool,
}

impl Permission {
    /// Whether the page behind these headers may connect.
    pub(crate) fn of(allowed: &AllowedOrigins, headers: &HeaderMap) -> Result<Self, Refused> {
        let origins = headers.get_all(ORIGIN).iter().map(HeaderValue::as_bytes);
        let host = headers.get(HOST).map(HeaderValue::as_bytes);
        let origin = match allowed.decide(origins, host) {
            Origin::NoPage | Origin::Same => None,
            Origin::Listed(_) => headers.get(ORIGIN).cloned(),
            Origin::Refused => return Err(Refused),
        };
        let vary = allowed.vary();
        Ok(Self { origin, vary })
    }

    /// Whether a request only asks for permission.
    pub(crate) fn is_asked_for<B>(&self, request: &Request<B>) -> bool {
        self.origin.is_some()
            && request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The headers of the answer to such a request, besides those of every answer.
    pub(crate) fn preflight(headers: &mut HeaderMap) {
        headers.extend(PREFLIGHT);
    }

    /// Adds what every answer says.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        if self.vary {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = self.origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(allowed: &AllowedOrigins, origin: Option<&'static str>) -> Result<HeaderMap, Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("chat.example:8000"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        let mut told = HeaderMap::new();
        Permission::of(allowed, &headers)?.tell(&mut told);
        Ok(told)
    }

    #[test]
    fn by_default_nothing_is_told() {
        let allowed = AllowedOrigins::default();
        for origin in [None, Some("https://chat.example:8000")] {
            assert_eq!(permission(&allowed, origin), Ok(HeaderMap::new()));
        }
        assert_eq!(permission(&allowed, Some("https://app.example")), Err(Refused));
    }

    #[test]
    fn a_listed_page_is_named_to_its_browser() {
        let app = "https://app.example";
        let allowed = AllowedOrigins::List(vec![app.to_owned()]);
        let told = permission(&allowed, Some(app)).unwrap();
        assert_eq!(told[ACCESS_CONTROL_ALLOW_ORIGIN], app);
        assert_eq!(
            (&told[VARY], told.len()),
            (&HeaderValue::from_static("Origin"), 2)
        );
        let no_page = permission(&allowed, None).unwrap();
        assert_eq!(
            (&no_page[VARY], no_page.len()),
            (&HeaderValue::from_static("Origin"), 1)
        );
        for refused in ["https://chat.example:8000", "null"] {
            assert_eq!(permission(&allowed, Some(refused)), Err(Refused));
        }
    }
}
