//! What a server can be told.

mod collector;
mod describe;
mod error;
mod sources;
mod spec;
mod value;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use sealroom_auth::{
    ClaimRules, ClaimRulesError, JwtVerifier, KeySet, Secret, VerificationKey, VerifierOptions,
};
use sealroom_domain::{Limits, Rate, Retention};
use sealroom_hooks::{EventType, Secrets};
#[cfg(feature = "postgres")]
use sealroom_persistence::PostgresUrl;
use sealroom_wire::TrustedProxies;

use crate::{
    clock::SystemClock,
    descriptors,
    listen::{ListenOptions, TlsFiles},
};

pub use error::SettingError;
pub use sources::{Notice, Sources};
pub(crate) use spec::SPECS;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
pub(crate) use value::database;
pub(crate) use value::{UNLIMITED, duration, text_of_duration};

/// What a message takes on the wire beyond its content: its event's name, keys and ids.
const ENVELOPE_BYTES: usize = 1024;

/// Everything that a server can be told. The defaults are those of the documentation; none of the fields is read
/// from the environment unless [`Settings::from_sources`] does it.
///
/// ```
/// use sealroom_server::settings::Settings;
///
/// let settings = Settings { data_dir: "/var/lib/sealroom".into(), ..Settings::default() };
/// assert!(settings.validate().is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the command line listens: `host:port`; port 0 takes a free one. `127.0.0.1:8000`.
    pub listen: String,
    /// Where the command line serves `/metrics`, in the same form; `None`: nowhere, and nothing is measured.
    /// `127.0.0.1:9100`.
    pub metrics_listen: Option<String>,
    /// The directory of the SQLite file and the generated secret, held by one server at a time. `./sealroom-data`.
    pub data_dir: PathBuf,
    /// The database; `None`: the SQLite file `sealroom.db` in the data directory. `None`.
    pub database: Option<Database>,
    /// The secret that signs tokens (HS256); `None`: the data directory's, generated where there is none. `None`.
    pub jwt_secret: Option<Secret>,
    /// A file of public keys in PEM, for tokens of an outside issuer. With it, or with `jwks_url`, a secret is accepted
    /// only where `jwt_secret` sets one. `None`.
    pub jwt_public_key_file: Option<PathBuf>,
    /// Where an outside issuer publishes its keys as a JWK set (RFC 7517). `None`.
    pub jwks_url: Option<String>,
    /// What a token must say.
    pub claims: ClaimRules,
    /// Whether there are built-in accounts, which then give out the ids of users. `false`.
    pub accounts: bool,
    /// Whether a verified token of an unknown user makes that user known. `true`.
    pub provision_users: bool,
    /// The origins (RFC 6454) whose pages may connect, each as a browser writes it: `https://app.example`. Empty:
    /// only pages of the server's own origin. Requests without an origin come from no browser and are accepted.
    pub allowed_origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` is believed. None.
    pub trusted_proxies: TrustedProxies,
    /// The server's certificate chain in PEM. With `tls_key`, the server ends TLS itself. `None`.
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate in PEM. `None`.
    pub tls_key: Option<PathBuf>,
    /// How long entries are kept, in every group. For ever.
    pub retention: Retention,
    /// Where the host application is told of messages and members; `None`: nowhere. `None`.
    pub webhook_url: Option<String>,
    /// What webhooks are signed with; must be there where `webhook_url` is. `None`.
    pub webhook_secret: Option<Secrets>,
    /// Which webhooks are sent. All.
    pub webhook_events: Vec<EventType>,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`. `info`.
    pub log: String,
    /// How it is written. Text.
    pub log_format: LogFormat,
    /// The collector that the command line sends traces to, over plain HTTP; `None`: nobody. `None`.
    pub otlp_endpoint: Option<String>,
    /// The bounds that rules depend on.
    pub limits: Limits,
    /// The most bytes of a WebSocket message, of a frame and of a polling body. 131 072.
    pub limit_frame_bytes: usize,
    /// The most bytes that wait to be sent to one socket; over it the socket is closed. `None`: no limit. 4 194 304.
    pub limit_outbound_bytes: Option<usize>,
    /// How long one socket's peer may take nothing while something waits for it; after it the socket is closed.
    /// `None`: no limit. 10 s.
    pub limit_write_stall: Option<Duration>,
    /// The most connections at a time. `None`: no limit of its own. 50 000. In either case at most as many as the
    /// process may open files, less 500.
    pub limit_connections: Option<usize>,
    /// The most connections of one address. `None`: no limit. 500. Behind a proxy all connections come from one.
    pub limit_connections_per_address: Option<usize>,
    /// New sessions of one address at most. `None`: no limit. 100 a second, 500 at once.
    pub limit_handshakes_per_address: Option<Rate>,
    /// What [`Settings::from_sources`] did not understand and went on without.
    pub notices: Vec<Notice>,
}

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server, which several servers may share.
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// An object on each line, for programs.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            metrics_listen: Some("127.0.0.1:9100".to_owned()),
            data_dir: PathBuf::from("./sealroom-data"),
            database: None,
            jwt_secret: None,
            jwt_public_key_file: None,
            jwks_url: None,
            claims: ClaimRules::default(),
            accounts: false,
            provision_users: true,
            allowed_origins: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            tls_cert: None,
            tls_key: None,
            retention: Retention::default(),
            webhook_url: None,
            webhook_secret: None,
            webhook_events: EventType::ALL.to_vec(),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: None,
            limits: Limits::default(),
            limit_frame_bytes: 131_072,
            limit_outbound_bytes: Some(4_194_304),
            limit_write_stall: Some(Duration::from_secs(10)),
            limit_connections: Some(50_000),
            limit_connections_per_address: Some(500),
            limit_handshakes_per_address: Rate::new(100, 500),
            notices: Vec::new(),
        }
    }
}

impl Settings {
    /// The database, with the default filled in.
    pub fn database(&self) -> Database {
        self.database
            .clone()
            .unwrap_or_else(|| Database::Sqlite(self.data_dir.join("sealroom.db")))
    }

    /// How the accept loop treats connections, with the most connections that the process can hold.
    pub fn listen_options(&self) -> ListenOptions {
        ListenOptions {
            max_connections: descriptors::most_connections(self.limit_connections),
            max_connections_per_address: self.limit_connections_per_address,
            trusted_proxies: self.trusted_proxies.clone(),
            ..ListenOptions::default()
        }
    }

    /// Where the certificate and its key are, where the server ends TLS itself.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
        })
    }

    /// Checks what the types do not: that limits are at least 1, fit each other, and that a token can keep the
    /// claim rules.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.check_least()?;
        if self.accounts && (self.jwt_public_key_file.is_some() || self.jwks_url.is_some()) {
            return Err(SettingError::new(
                "SEALROOM_ACCOUNTS",
                "accounts give out the ids of users, and so does an outside issuer: only one of them can be on",
            ));
        }
        if self.webhook_url.is_some() && self.webhook_secret.is_none() {
            return Err(SettingError::new(
                "SEALROOM_WEBHOOK_SECRET",
                "webhooks are signed: with SEALROOM_WEBHOOK_URL a secret is needed, whsec_ and base64 of 24 to 64 bytes",
            ));
        }
        for (is_missing, name, other) in [
            (self.tls_cert.is_none(), "SEALROOM_TLS_CERT", &self.tls_key),
            (self.tls_key.is_none(), "SEALROOM_TLS_KEY", &self.tls_cert),
        ] {
            if is_missing && other.is_some() {
                return Err(SettingError::new(
                    name,
                    "TLS needs a certificate and its key: one of them is missing",
                ));
            }
        }
        let Limits { content_bytes, .. } = self.limits;
        let is_bounded = content_bytes < UNLIMITED && self.limit_frame_bytes < UNLIMITED;
        let needed = content_bytes.saturating_add(ENVELOPE_BYTES);
        if is_bounded && needed > self.limit_frame_bytes {
            return Err(SettingError::new(
                "SEALROOM_LIMIT_FRAME_BYTES",
                format!(
                    "{} is too small for SEALROOM_LIMIT_CONTENT_BYTES of {content_bytes}: at least {needed}, \
                     {ENVELOPE_BYTES} bytes more than the content, is needed",
                    self.limit_frame_bytes
                ),
            ));
        }
        self.check_claims()
    }

    fn check_least(&self) -> Result<(), SettingError> {
        let limits = &self.limits;
        let numbers = [
            ("SEALROOM_LIMIT_CONTENT_BYTES", Some(limits.content_bytes)),
            ("SEALROOM_LIMIT_FRAME_BYTES", Some(self.limit_frame_bytes)),
            ("SEALROOM_LIMIT_PAGE", Some(limits.page_entries)),
            ("SEALROOM_LIMIT_UNACKED_SENDS", limits.unacked_sends),
            ("SEALROOM_LIMIT_GROUPS_PER_SOCKET", limits.groups_per_socket),
            ("SEALROOM_LIMIT_SOCKETS_PER_USER", limits.sockets_per_user),
            ("SEALROOM_LIMIT_GROUPS_PER_USER", limits.groups_per_user),
            ("SEALROOM_LIMIT_MEMBERS_PER_GROUP", limits.members_per_group),
            ("SEALROOM_LIMIT_OUTBOUND_BYTES", self.limit_outbound_bytes),
            ("SEALROOM_LIMIT_CONNECTIONS", self.limit_connections),
            (
                "SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS",
                self.limit_connections_per_address,
            ),
        ];
        for (name, number) in numbers {
            if number == Some(0) {
                return Err(SettingError::new(name, "must be at least 1"));
            }
        }
        if self.limit_write_stall == Some(Duration::ZERO) {
            return Err(SettingError::new(
                "SEALROOM_LIMIT_WRITE_STALL",
                "must be longer than nothing",
            ));
        }
        Ok(())
    }

    /// Asks the verifier itself, which is made with the same rules when the server starts.
    fn check_claims(&self) -> Result<(), SettingError> {
        // Any secret will do; without randomness the start fails soon enough.
        let Ok(secret) = Secret::generate() else {
            return Ok(());
        };
        let trial = JwtVerifier::new(VerifierOptions {
            keys: KeySet::single(VerificationKey::hs256(&secret)).into(),
            claims: self.claims.clone(),
            clock: Arc::new(SystemClock),
        });
        trial.map(drop).map_err(|error| {
            let name = match error {
                ClaimRulesError::Issuer => "SEALROOM_JWT_ISSUER",
                ClaimRulesError::Audience => "SEALROOM_JWT_AUDIENCE",
                _ => "SEALROOM_JWT_USER_CLAIM",
            };
            SettingError::new(name, error.to_string())
        })
    }

    /// Logs what was not understood. A server does it when it has started: a start that fails says one thing only.
    pub fn log_notices(&self) {
        for notice in &self.notices {
            tracing::warn!(variable = notice.variable(), "{}", notice.text());
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            // Without its password.
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}
