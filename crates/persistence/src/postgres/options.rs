//! What an embedder chooses.

use std::{fmt, time::Duration};

use tokio_postgres::{Config, config::Host, config::SslMode};

/// How a [`super::PostgresStore`] works.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// Where the database is.
    pub url: PostgresUrl,
    /// How many connections write; as many batches can commit at the same time. At least 1. 4.
    pub writers: u32,
    /// How many connections read. At least 1. 6.
    pub readers: u32,
    /// How long a call waits for a connection before it answers that the store is unavailable. 2 s.
    pub acquire_timeout: Duration,
    /// How long one statement may take before the server ends it, waiting for locks included. 4 s.
    pub statement_timeout: Duration,
    /// How long the server leaves a transaction open in which nothing happens. 5 s.
    pub idle_in_transaction_timeout: Duration,
    /// How long a call takes at most, also where the server accepts and stays silent. 4.3 s, so that an answer
    /// comes before a message's deadline of 4.5 s.
    pub call_timeout: Duration,
    /// How long opening a connection may take. 2 s.
    pub connect_timeout: Duration,
    /// How long sent data may stay unacknowledged before the connection is given up (`TCP_USER_TIMEOUT`, RFC 5482);
    /// an idle connection is probed after as long (keep-alive). 10 s.
    pub tcp_user_timeout: Duration,
    /// Whether appends put their entries into the outbox, from which somebody has to take them. `false`.
    pub outbox: bool,
}

impl PostgresOptions {
    /// The defaults, on this database.
    pub fn new(url: PostgresUrl) -> Self {
        Self {
            url,
            writers: 4,
            readers: 6,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(4),
            idle_in_transaction_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_millis(4300),
            connect_timeout: Duration::from_secs(2),
            tcp_user_timeout: Duration::from_secs(10),
            outbox: false,
        }
    }

    /// How to connect. What the URL says itself stands.
    pub(super) fn config(&self) -> Config {
        let mut config = Config::clone(&self.url.0);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(self.connect_timeout);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(self.tcp_user_timeout);
        }
        if config.get_application_name().is_none() {
            config.application_name("sealroom");
        }
        config
            .keepalives_idle(self.tcp_user_timeout)
            .keepalives_interval(self.tcp_user_timeout / 4)
            .keepalives_retries(3);
        config
    }
}

/// The URL of a PostgreSQL database:
/// `postgres://user:password@host:port/database?sslmode=require`.
///
/// `sslmode` is `disable` (the default) or `require`; the latter encrypts, and checks the server's certificate and name
/// against the certificates that the system trusts. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Box<Config>);

/// A text is no URL of a PostgreSQL database. It is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresUrlError {
    /// It cannot be read as one.
    #[error("not a URL such as postgres://user:password@host:5432/database")]
    Syntax,
    /// It names no host.
    #[error("the URL names no host")]
    NoHost,
    /// It names no database.
    #[error("the URL names no database")]
    NoDatabase,
}

impl PostgresUrl {
    /// Reads a URL whose scheme is `postgres` or `postgresql`.
    pub fn parse(text: &str) -> Result<Self, PostgresUrlError> {
        let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let mut config: Config = match text.parse() {
            Ok(config) if is_url => config,
            _ => return Err(PostgresUrlError::Syntax),
        };
        if config.get_hosts().is_empty() {
            return Err(PostgresUrlError::NoHost);
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(PostgresUrlError::NoDatabase);
        }
        // `prefer` is this library's default: whoever is in the way of the connection could turn its encryption off.
        if config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Disable);
        }
        Ok(Self(Box::new(config)))
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.get_ssl_mode() != SslMode::Disable
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.0.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.0.get_ports();
        for (index, host) in self.0.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            if let Some(port) = ports.get(index).or_else(|| ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.0.get_dbname().unwrap_or_default())?;
        if self.is_encrypted() {
            f.write_str("?sslmode=require")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let url = PostgresUrl::parse("postgresql://u:s3cret@h:5433/d?connect_timeout=3").unwrap();
        assert_eq!(url.to_string(), "postgres://u@h:5433/d");
        assert_eq!(format!("{url:?}"), "postgres://u@h:5433/d");
        assert!(!format!("{:?}", PostgresOptions::new(url)).contains("s3cret"));
    }

    #[test]
    fn encryption_is_all_or_nothing() {
        for (mode, encrypted) in [
            ("", false),
            ("?sslmode=prefer", false),
            ("?sslmode=disable", false),
            ("?sslmode=require", true),
        ] {
            let url = PostgresUrl::parse(&format!("postgres://h/d{mode}")).unwrap();
            assert_eq!(url.is_encrypted(), encrypted, "{mode}");
        }
    }

    #[test]
    fn what_is_no_url_is_not_repeated() {
        for (text, problem) in [
            ("host=h dbname=d password=s3cret", PostgresUrlError::Syntax),
            ("postgres://u:s3cret@h:port/d", PostgresUrlError::Syntax),
            ("postgres://u:s3cret@h/d?s3cret=1", PostgresUrlError::Syntax),
            ("postgres:///d", PostgresUrlError::NoHost),
            ("postgres://u:s3cret@h", PostgresUrlError::NoDatabase),
        ] {
            assert_eq!(PostgresUrl::parse(text), Err(problem), "{text}");
            assert!(!problem.to_string().contains("s3cret"));
        }
    }
}
