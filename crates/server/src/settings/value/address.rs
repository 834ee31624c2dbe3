//! Where something is: addresses, databases, URLs, origins.

use std::{
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use sealroom_auth::HttpJwks;
use sealroom_hooks::HttpPost;
#[cfg(feature = "postgres")]
use sealroom_persistence::PostgresUrl;
use sealroom_wire::TrustedProxies;

use super::{Problem, digits};
use crate::settings::Database;

/// `host:port`.
pub(in crate::settings) fn listen(text: &str) -> Result<String, Problem> {
    let is_name = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    };
    let is_valid = text.parse::<SocketAddr>().is_ok()
        || text
            .rsplit_once(':')
            .is_some_and(|(host, port)| is_name(host) && digits::<u16>(port).is_some());
    if is_valid {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not an address with a port, such as 127.0.0.1:8000 or [::]:8000").into())
    }
}

/// `host:port`; `None` for `off`.
pub(in crate::settings) fn listen_or_off(text: &str) -> Result<Option<String>, Problem> {
    if text == "off" {
        return Ok(None);
    }
    listen(text)
        .map(Some)
        .map_err(|problem| format!("{problem}, nor `off`").into())
}

/// `sqlite://PATH` or `postgres://…`. The text is not repeated: such URLs may hold passwords.
pub(crate) fn database(text: &str) -> Result<Database, Problem> {
    let (scheme, rest) = text
        .split_once("://")
        .ok_or("not a URL of a database, such as sqlite:///var/lib/sealroom/sealroom.db")?;
    match scheme {
        "sqlite" => sqlite(rest),
        "postgres" | "postgresql" => postgres(text),
        _ => Err(
            "not a database that is known; use sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE"
                .into(),
        ),
    }
}

fn sqlite(path: &str) -> Result<Database, Problem> {
    if path.is_empty() || path.contains(['\0', '?', '#']) || path.ends_with('/') {
        return Err("sqlite:// must be followed by the path of a file, and nothing else".into());
    }
    if path.starts_with(':') || path.starts_with("file:") {
        return Err("only a file of its own can be the database".into());
    }
    Ok(Database::Sqlite(PathBuf::from(path)))
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) -> Result<Database, Problem> {
    PostgresUrl::parse(url)
        .map(Database::Postgres)
        .map_err(|error| error.to_string().into())
}

#[cfg(not(feature = "postgres"))]
fn postgres(_url: &str) -> Result<Database, Problem> {
    Err("PostgreSQL is not compiled into this program".into())
}

/// The address of a JWK set.
pub(in crate::settings) fn jwks_url(text: &str) -> Result<String, Problem> {
    HttpJwks::new(text)
        .map(|_checked| text.to_owned())
        .map_err(|error| error.to_string().into())
}

/// Where webhooks go.
pub(in crate::settings) fn webhook_url(text: &str) -> Result<String, Problem> {
    HttpPost::new(text)
        .map(|_checked| text.to_owned())
        .map_err(|error| error.to_string().into())
}

/// Networks of proxies.
pub(in crate::settings) fn proxies(text: &str) -> Result<TrustedProxies, Problem> {
    TrustedProxies::parse(text)
        .ok_or_else(|| format!("{text:?} is no list of networks such as 10.0.0.0/8,fd00::/8").into())
}

/// Origins, separated by commas.
pub(in crate::settings) fn origins(text: &str) -> Result<Vec<String>, Problem> {
    text.split(',').map(|one| origin(one.trim())).collect()
}

/// An origin as browsers write it (RFC 6454, section 6.2): scheme and host in lower case, no default port, no path.
fn origin(text: &str) -> Result<String, Problem> {
    let problem = || Problem::from(format!("{text:?} is not an origin such as https://app.example"));
    let (scheme, authority) = text.split_once("://").ok_or_else(problem)?;
    let is_scheme = scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_authority = !authority.is_empty()
        && authority
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !br#"/?#@\*"<>|^`{}%"#.contains(&byte));
    if !is_scheme || !is_authority {
        return Err(problem());
    }
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    // The colons of an IPv6 address end before its bracket.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority.as_str(), None),
    };
    let port = match port.map(digits::<u16>) {
        Some(None) => return Err(problem()),
        Some(port) => port,
        None => None,
    };
    if !is_host(host) {
        return Err(problem());
    }
    let is_default = matches!(
        (scheme.as_str(), port),
        ("http" | "ws", Some(80)) | ("https" | "wss", Some(443))
    );
    Ok(match port {
        Some(port) if !is_default => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

/// A name, or an IPv6 address in brackets: colons and brackets have no other place.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && !host.contains([':', '[', ']']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["127.0.0.1:0", "[::]:8000", "localhost:8000", "chat-1.example:80"] {
            assert_eq!(listen(good).as_deref(), Ok(good));
        }
        for bad in [
            "8000",
            ":8000",
            "127.0.0.1",
            "127.0.0.1:",
            "h:65536",
            "h:+1",
            "a b:1",
            "::1:80x",
        ] {
            assert!(listen(bad).is_err() && listen_or_off(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn databases() {
        let file = |path: &str| Ok(Database::Sqlite(PathBuf::from(path)));
        assert_eq!(database("sqlite:///var/lib/a.db"), file("/var/lib/a.db"));
        assert_eq!(database("sqlite://a/b c.db"), file("a/b c.db"));
        for bad in [
            "a.db",
            "sqlite://",
            "sqlite://dir/",
            "sqlite://:memory:",
            "sqlite://file:a?mode=memory",
            "sqlite://a.db?mode=ro",
            "mysql://u:pass@h/d",
            "postgres://u:pass@h",
            "postgres://u:pass@h:1x/d",
            "postgres:///d",
        ] {
            let problem = database(bad).unwrap_err();
            assert!(!problem.contains("pass@"), "{problem}");
        }
        let shared = database("postgresql://u:pass@h/d").unwrap();
        assert_eq!(shared.to_string(), "postgres://u@h:5432/d");
    }

    #[test]
    fn origins_become_what_browsers_write() {
        let expected = [
            "https://app.example",
            "http://localhost:3000",
            "https://[::1]:8443",
            "tauri://localhost",
            "http://b",
        ];
        assert_eq!(
            origins("https://App.Example:443, http://localhost:3000,https://[::1]:8443,tauri://localhost,http://b:0080")
                .unwrap(),
            expected
        );
        for bad in [
            "*",
            "null",
            "",
            "https://a,",
            "https://a/",
            "https://a/b",
            "https://",
            "https://:443",
            "https://*.a",
            "https://u@a",
            "https://a:x",
            "https://a:",
            "https://a:b:443",
            "http://a[:b:80",
            "https://[::1",
            "https://[a]",
            "https://::1",
            "https://a b",
            "a.example",
            "://a",
        ] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }
}
