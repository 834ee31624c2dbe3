//! The settings as texts.

use std::path::PathBuf;

use sealroom_domain::Rate;

use super::{Settings, UNLIMITED, text_of_duration};

impl Settings {
    /// Every setting as it is in effect, by its variable. Secrets are left out.
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let mut all = self.describe_most();
        all.extend(self.describe_limits());
        all
    }

    fn describe_most(&self) -> Vec<(&'static str, String)> {
        let has_issuer = self.jwt_public_key_file.is_some() || self.jwks_url.is_some();
        let secret = match self.jwt_secret {
            Some(_) => "(set)",
            None if has_issuer => "",
            None => "(from the data directory)",
        };
        let (claims, retention) = (&self.claims, self.retention);
        let path = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| path.display().to_string())
                .unwrap_or_default()
        };
        vec![
            ("SEALROOM_LISTEN", self.listen.clone()),
            ("SEALROOM_METRICS_LISTEN", or_off(self.metrics_listen.clone())),
            ("SEALROOM_DATA_DIR", self.data_dir.display().to_string()),
            ("SEALROOM_DATABASE_URL", self.database().to_string()),
            ("SEALROOM_JWT_SECRET", secret.to_owned()),
            ("SEALROOM_JWT_PUBLIC_KEY_FILE", path(&self.jwt_public_key_file)),
            ("SEALROOM_JWKS_URL", self.jwks_url.clone().unwrap_or_default()),
            ("SEALROOM_JWT_ISSUER", claims.issuer.clone().unwrap_or_default()),
            (
                "SEALROOM_JWT_AUDIENCE",
                claims.audience.clone().unwrap_or_default(),
            ),
            ("SEALROOM_JWT_USER_CLAIM", claims.user_claim.clone()),
            ("SEALROOM_ACCOUNTS", switch(self.accounts)),
            ("SEALROOM_PROVISION_USERS", switch(self.provision_users)),
            ("SEALROOM_ALLOWED_ORIGINS", self.allowed_origins.join(",")),
            ("SEALROOM_TRUSTED_PROXIES", self.trusted_proxies.to_text()),
            ("SEALROOM_TLS_CERT", path(&self.tls_cert)),
            ("SEALROOM_TLS_KEY", path(&self.tls_key)),
            (
                "SEALROOM_RETENTION_AGE",
                or_off(retention.age.map(text_of_duration)),
            ),
            ("SEALROOM_RETENTION_COUNT", or_off(retention.count)),
            (
                "SEALROOM_WEBHOOK_URL",
                self.webhook_url.clone().unwrap_or_default(),
            ),
            ("SEALROOM_WEBHOOK_SECRET", is_set(self.webhook_secret.is_some())),
            ("SEALROOM_WEBHOOK_EVENTS", self.webhook_event_names()),
            ("SEALROOM_LOG", self.log.clone()),
            ("SEALROOM_LOG_FORMAT", self.log_format.to_string()),
            (
                "SEALROOM_OTLP_ENDPOINT",
                self.otlp_endpoint.clone().unwrap_or_default(),
            ),
        ]
    }

    fn webhook_event_names(&self) -> String {
        let names: Vec<_> = self.webhook_events.iter().map(|event| event.as_str()).collect();
        names.join(",")
    }

    fn describe_limits(&self) -> Vec<(&'static str, String)> {
        let limits = &self.limits;
        vec![
            ("SEALROOM_LIMIT_CONTENT_BYTES", number(Some(limits.content_bytes))),
            ("SEALROOM_LIMIT_FRAME_BYTES", number(Some(self.limit_frame_bytes))),
            ("SEALROOM_LIMIT_PAGE", number(Some(limits.page_entries))),
            ("SEALROOM_LIMIT_SENDS_PER_USER", rate(limits.sends_per_user)),
            ("SEALROOM_LIMIT_EVENTS_PER_SOCKET", rate(limits.events_per_socket)),
            ("SEALROOM_LIMIT_UNACKED_SENDS", number(limits.unacked_sends)),
            (
                "SEALROOM_LIMIT_GROUPS_PER_SOCKET",
                number(limits.groups_per_socket),
            ),
            ("SEALROOM_LIMIT_GROUPS_PER_USER", number(limits.groups_per_user)),
            (
                "SEALROOM_LIMIT_MEMBERS_PER_GROUP",
                number(limits.members_per_group),
            ),
            ("SEALROOM_LIMIT_SOCKETS_PER_USER", number(limits.sockets_per_user)),
            ("SEALROOM_LIMIT_CONNECTIONS", number(self.limit_connections)),
            (
                "SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS",
                number(self.limit_connections_per_address),
            ),
            (
                "SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS",
                rate(self.limit_handshakes_per_address),
            ),
            ("SEALROOM_LIMIT_OUTBOUND_BYTES", number(self.limit_outbound_bytes)),
            (
                "SEALROOM_LIMIT_WRITE_STALL",
                or_off(self.limit_write_stall.map(text_of_duration)),
            ),
        ]
    }
}

fn switch(is_on: bool) -> String {
    if is_on { "on" } else { "off" }.to_owned()
}

fn is_set(is_set: bool) -> String {
    if is_set { "(set)" } else { "" }.to_owned()
}

fn or_off(value: Option<impl ToString>) -> String {
    value.map_or("off".to_owned(), |value| value.to_string())
}

fn rate(limit: Option<Rate>) -> String {
    or_off(limit.map(|Rate { per_second, burst }| format!("{per_second}:{burst}")))
}

fn number(limit: Option<usize>) -> String {
    match limit {
        Some(number) if number < UNLIMITED => number.to_string(),
        _ => "off".to_owned(),
    }
}
