//! The settings by name: one table for the flags, the variables and their help.

/// A setting.
pub(crate) struct Spec {
    /// The flag, without its dashes.
    pub(crate) flag: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
    /// What its value is, in the help.
    pub(crate) value: &'static str,
    /// The default, in the help.
    pub(crate) default: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
}

const fn spec(
    flag: &'static str,
    variable: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec {
        flag,
        variable,
        value,
        default,
        help,
    }
}

/// Every setting of this version.
#[rustfmt::skip]
pub(crate) const SPECS: &[Spec] = &[
    spec("listen", "SEALROOM_LISTEN", "HOST:PORT", "127.0.0.1:8000", "Where to listen"),
    spec("metrics-listen", "SEALROOM_METRICS_LISTEN", "HOST:PORT|off", "127.0.0.1:9100", "Where Prometheus may scrape /metrics"),
    spec("data-dir", "SEALROOM_DATA_DIR", "DIR", "./sealroom-data", "The SQLite file and the generated secret; one server at a time"),
    spec("database-url", "SEALROOM_DATABASE_URL", "URL", "sqlite://<data dir>/sealroom.db", "The database: sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE; other users of the machine can read flags, so prefer the variable for passwords"),
    spec("jwt-secret", "SEALROOM_JWT_SECRET", "TEXT", "generated on first start", "The secret of the tokens (HS256), at least 32 bytes; other users of the machine can read flags, so prefer the variable"),
    spec("jwt-public-key-file", "SEALROOM_JWT_PUBLIC_KEY_FILE", "FILE", "none", "Public keys of an outside issuer in PEM (RS256, ES256, EdDSA); the generated secret then opens nothing"),
    spec("jwks-url", "SEALROOM_JWKS_URL", "URL", "none", "Where an outside issuer publishes its keys as a JWK set; fetched again and again, kept while it is down"),
    spec("jwt-issuer", "SEALROOM_JWT_ISSUER", "TEXT", "any", "The only accepted iss of a token"),
    spec("jwt-audience", "SEALROOM_JWT_AUDIENCE", "TEXT", "any", "What must be among the aud of a token"),
    spec("jwt-user-claim", "SEALROOM_JWT_USER_CLAIM", "NAME", "user_id", "The claim that holds the user's id"),
    spec("accounts", "SEALROOM_ACCOUNTS", "on|off", "off", "Built-in accounts with names and passwords, which give out the ids of users; not beside an outside issuer"),
    spec("provision-users", "SEALROOM_PROVISION_USERS", "on|off", "on", "Whether a token of an unknown user makes it known"),
    spec("allowed-origins", "SEALROOM_ALLOWED_ORIGINS", "ORIGIN,...", "same origin", "The origins whose pages may connect"),
    spec("trusted-proxies", "SEALROOM_TRUSTED_PROXIES", "NETWORK,...", "none", "The networks of proxies whose X-Forwarded-For is believed"),
    spec("tls-cert", "SEALROOM_TLS_CERT", "FILE", "none", "The server's certificate chain in PEM: with it and its key the server ends TLS itself; read again when it changes"),
    spec("tls-key", "SEALROOM_TLS_KEY", "FILE", "none", "The private key of the certificate in PEM"),
    spec("retention-age", "SEALROOM_RETENTION_AGE", "TIME|off", "off", "How long the entries of each group are kept"),
    spec("retention-count", "SEALROOM_RETENTION_COUNT", "N|off", "off", "How many entries of each group are kept"),
    spec("webhook-url", "SEALROOM_WEBHOOK_URL", "URL", "none", "Where the host application is told of messages and members"),
    spec("webhook-secret", "SEALROOM_WEBHOOK_SECRET", "TEXT", "none", "What webhooks are signed with: whsec_ and base64; several during a rotation, separated by commas; prefer the variable"),
    spec("webhook-events", "SEALROOM_WEBHOOK_EVENTS", "NAME,...", "all", "Which webhooks are sent: message.created, member.added, member.removed, user.offline_message"),
    spec("log", "SEALROOM_LOG", "FILTER", "info", "What is logged to stderr: a level, or target=level,..."),
    spec("log-format", "SEALROOM_LOG_FORMAT", "text|json", "text", "How it is logged"),
    spec("otlp-endpoint", "SEALROOM_OTLP_ENDPOINT", "URL", "none", "An OpenTelemetry collector that traces are sent to: http://HOST:4318"),
    spec("limit-content-bytes", "SEALROOM_LIMIT_CONTENT_BYTES", "N|off", "65536", "The most bytes of a message's content"),
    spec("limit-frame-bytes", "SEALROOM_LIMIT_FRAME_BYTES", "N|off", "131072", "The most bytes of a WebSocket message, frame or polling body"),
    spec("limit-page", "SEALROOM_LIMIT_PAGE", "N|off", "500", "The most entries of a page"),
    spec("limit-sends-per-user", "SEALROOM_LIMIT_SENDS_PER_USER", "RATE:BURST|off", "50:200", "The most messages of a user a second, and at once"),
    spec("limit-events-per-socket", "SEALROOM_LIMIT_EVENTS_PER_SOCKET", "RATE:BURST|off", "50:200", "The most other events of a socket a second, and at once; one that goes on is closed"),
    spec("limit-unacked-sends", "SEALROOM_LIMIT_UNACKED_SENDS", "N|off", "64", "The most unanswered sends of a socket"),
    spec("limit-groups-per-socket", "SEALROOM_LIMIT_GROUPS_PER_SOCKET", "N|off", "500", "The most groups that a socket has joined"),
    spec("limit-groups-per-user", "SEALROOM_LIMIT_GROUPS_PER_USER", "N|off", "1000", "The most groups of a user"),
    spec("limit-members-per-group", "SEALROOM_LIMIT_MEMBERS_PER_GROUP", "N|off", "10000", "The most members of a group"),
    spec("limit-sockets-per-user", "SEALROOM_LIMIT_SOCKETS_PER_USER", "N|off", "20", "The most sockets of a user"),
    spec("limit-connections", "SEALROOM_LIMIT_CONNECTIONS", "N|off", "50000", "The most connections; at most the limit of open files, less 500"),
    spec("limit-connections-per-address", "SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS", "N|off", "500", "The most connections of one address"),
    spec("limit-handshakes-per-address", "SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS", "RATE:BURST|off", "100:500", "The most new sessions of one address a second, and at once"),
    spec("limit-outbound-bytes", "SEALROOM_LIMIT_OUTBOUND_BYTES", "N|off", "4194304", "The most bytes that wait to be sent to a socket"),
    spec("limit-write-stall", "SEALROOM_LIMIT_WRITE_STALL", "TIME|off", "10s", "How long a socket's peer may take nothing that waits for it"),
];

/// Variables of later versions that this one does nothing with: without them everything works as it is said to.
pub(crate) const NOT_SUPPORTED: &[&str] = &["SEALROOM_BUS_URL", "SEALROOM_CLUSTER_KEY"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_flag_and_its_variable_have_one_name() {
        for spec in SPECS {
            let variable = format!("SEALROOM_{}", spec.flag.replace('-', "_").to_uppercase());
            assert_eq!(spec.variable, variable);
            assert!(!NOT_SUPPORTED.contains(&spec.variable));
        }
    }

    #[test]
    fn the_help_tells_the_defaults_in_effect() {
        let described = Settings::default().describe();
        assert_eq!(described.len(), SPECS.len());
        for (spec, (variable, value)) in SPECS.iter().zip(described) {
            assert_eq!(spec.variable, variable);
            if spec.flag.starts_with("limit-") || spec.flag.ends_with("listen") {
                assert_eq!(spec.default, value, "{variable}");
            }
        }
    }
}
