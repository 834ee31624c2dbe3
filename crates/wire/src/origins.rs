//! Which web pages may speak to the server.

/// Web pages that may connect. A request without `Origin` does not come from a page and is accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Pages that this host and port serve.
    #[default]
    SameOrigin,
    /// Pages of these origins and no others, each as browsers write it: `https://app.example`.
    List(Vec<String>),
}

/// Where a request comes from, as far as its headers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// From no page.
    NoPage,
    /// From a page of this server's own host and port.
    Same,
    /// From a page of this origin, which is in the list: its answers carry CORS headers.
    Listed(&'a str),
    /// From a page that may not.
    Refused,
}

impl AllowedOrigins {
    /// Decides by the values of a request's `Origin` headers and its `Host`. Several origins are none that can be
    /// allowed.
    pub fn decide<'a>(
        &self,
        origins: impl IntoIterator<Item = &'a [u8]>,
        host: Option<&'a [u8]>,
    ) -> Origin<'a> {
        let mut origins = origins.into_iter();
        let Some(origin) = origins.next() else {
            return Origin::NoPage;
        };
        let (None, Ok(origin)) = (origins.next(), str::from_utf8(origin)) else {
            return Origin::Refused;
        };
        match self {
            Self::List(allowed) if allowed.iter().any(|one| one == origin) => Origin::Listed(origin),
            Self::SameOrigin if host.is_some_and(|host| is_same(origin, host)) => Origin::Same,
            _ => Origin::Refused,
        }
    }

    /// Whether answers depend on the request's origin, which caches must hear (`Vary: Origin`).
    pub const fn vary(&self) -> bool {
        matches!(self, Self::List(_))
    }
}

/// TLS may end in front of the server, so both schemes are its own.
fn is_same(origin: &str, host: &[u8]) -> bool {
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| !host.is_empty() && authority.as_bytes().eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide<'a>(allowed: &AllowedOrigins, origins: &[&'a str]) -> Origin<'a> {
        let origins = origins.iter().map(|origin| origin.as_bytes());
        allowed.decide(origins, Some(b"chat.example:8000"))
    }

    #[test]
    fn same_origin_is_the_default() {
        let allowed = AllowedOrigins::default();
        assert_eq!(decide(&allowed, &[]), Origin::NoPage);
        for own in ["https://chat.example:8000", "http://Chat.Example:8000"] {
            assert_eq!(decide(&allowed, &[own]), Origin::Same);
        }
        for bad in [
            "",
            "null",
            "https://evil.example",
            "https://chat.example:8000.evil.example",
            "https://chat.example",
            "ftp://chat.example:8000",
        ] {
            assert_eq!(decide(&allowed, &[bad]), Origin::Refused, "{bad}");
        }
        let twice = ["https://chat.example:8000", "https://chat.example:8000"];
        assert_eq!(decide(&allowed, &twice), Origin::Refused);
        let no_host = allowed.decide([b"http://".as_slice()], None);
        assert_eq!(no_host, Origin::Refused);
    }

    #[test]
    fn a_list_is_exact() {
        let app = "https://app.example";
        let allowed = AllowedOrigins::List(vec![app.to_owned()]);
        assert_eq!(decide(&allowed, &[]), Origin::NoPage);
        assert_eq!(decide(&allowed, &[app]), Origin::Listed(app));
        for bad in [
            "",
            "null",
            "*",
            "http://app.example",
            "https://APP.example",
            "https://app.example:443",
            "https://app.example/",
            "https://app.example.evil.example",
            "https://evil-app.example",
            "https://chat.example:8000",
        ] {
            assert_eq!(decide(&allowed, &[bad]), Origin::Refused, "{bad}");
        }
        assert_eq!(decide(&allowed, &[app, app]), Origin::Refused);
        assert_eq!(allowed.decide([b"\xff".as_slice()], None), Origin::Refused);
    }
}
