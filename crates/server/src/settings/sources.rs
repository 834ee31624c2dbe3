//! Settings from flags and environment variables.

use std::{collections::HashMap, ffi::OsString};

use super::{
    SettingError, Settings,
    collector::collector,
    spec::{NOT_SUPPORTED, SPECS},
    value::{self, Problem},
};

/// The prefix of every variable.
const PREFIX: &str = "SEALROOM_";

/// Where settings come from: a flag wins over a variable, a variable over the default.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The flags that were given, by the variable of the same name.
    flags: HashMap<&'static str, OsString>,
    /// The variables that are set, those of other programs left out.
    variables: HashMap<String, OsString>,
}

/// A variable that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// There is no such setting.
    Unknown(String),
    /// There will be such a setting.
    NotSupported(String),
}

impl Notice {
    /// The variable.
    pub fn variable(&self) -> &str {
        match self {
            Self::Unknown(variable) | Self::NotSupported(variable) => variable,
        }
    }

    /// What is the matter with it.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "this variable is unknown, and ignored",
            Self::NotSupported(_) => "this variable is not supported by this version, and ignored",
        }
    }
}

impl Sources {
    /// Takes the variables of a process. Those that are empty count as unset.
    #[must_use]
    pub fn with_variables(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            // A name that is not UTF-8 is none of ours.
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !value.is_empty()).then_some((name, value))
        });
        self.variables.extend(ours);
        self
    }

    /// Takes a flag, by its name without dashes. Flags that are no settings are left alone.
    pub(crate) fn add_flag(&mut self, flag: &str, value: OsString) {
        if let Some(spec) = SPECS.iter().find(|spec| spec.flag == flag) {
            self.flags.insert(spec.variable, value);
        }
    }

    fn notices(&self) -> Vec<Notice> {
        let mut notices: Vec<_> = self
            .variables
            .iter()
            .filter(|(name, _)| SPECS.iter().all(|spec| spec.variable != name.as_str()))
            .filter_map(|(name, value)| {
                if !NOT_SUPPORTED.contains(&name.as_str()) {
                    Some(Notice::Unknown(name.clone()))
                } else if value == "off" {
                    // Turned off is what it is.
                    None
                } else {
                    Some(Notice::NotSupported(name.clone()))
                }
            })
            .collect();
        notices.sort_by(|a, b| a.variable().cmp(b.variable()));
        notices
    }

    /// The text of a setting, and the name under which it was given.
    fn text(&self, variable: &'static str) -> Result<Option<(String, String)>, SettingError> {
        let (name, value) = if let Some(value) = self.flags.get(variable) {
            let flag = SPECS
                .iter()
                .find(|spec| spec.variable == variable)
                .map_or(variable, |spec| spec.flag);
            let name = format!("--{flag}");
            if value.is_empty() {
                return Err(SettingError::new(name, "a value is needed"));
            }
            (name, value)
        } else if let Some(value) = self.variables.get(variable) {
            (variable.to_owned(), value)
        } else {
            return Ok(None);
        };
        match value.to_str() {
            Some(text) => Ok(Some((name, text.to_owned()))),
            None => Err(SettingError::new(name, "the value is not UTF-8")),
        }
    }

    /// Puts a setting into `target` where it was given.
    fn read<T>(
        &self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, Problem>,
        target: &mut T,
    ) -> Result<(), SettingError> {
        if let Some((name, text)) = self.text(variable)? {
            *target = parse(&text).map_err(|problem| SettingError::new(name, problem))?;
        }
        Ok(())
    }
}

impl Settings {
    /// Reads every setting, and checks them together.
    #[rustfmt::skip]
    pub fn from_sources(sources: &Sources) -> Result<Self, SettingError> {
        let mut s = Self { notices: sources.notices(), ..Self::default() };
        let some_text = |text: &str| Ok(Some(text.to_owned()));
        sources.read("SEALROOM_LISTEN", value::listen, &mut s.listen)?;
        sources.read("SEALROOM_METRICS_LISTEN", value::listen_or_off, &mut s.metrics_listen)?;
        sources.read("SEALROOM_DATA_DIR", value::path, &mut s.data_dir)?;
        sources.read("SEALROOM_DATABASE_URL", |text| value::database(text).map(Some), &mut s.database)?;
        sources.read("SEALROOM_JWT_SECRET", |text| value::secret(text).map(Some), &mut s.jwt_secret)?;
        sources.read("SEALROOM_JWT_PUBLIC_KEY_FILE", |text| value::path(text).map(Some), &mut s.jwt_public_key_file)?;
        sources.read("SEALROOM_JWKS_URL", |text| value::jwks_url(text).map(Some), &mut s.jwks_url)?;
        sources.read("SEALROOM_JWT_ISSUER", some_text, &mut s.claims.issuer)?;
        sources.read("SEALROOM_JWT_AUDIENCE", some_text, &mut s.claims.audience)?;
        sources.read("SEALROOM_JWT_USER_CLAIM", |text| Ok(text.to_owned()), &mut s.claims.user_claim)?;
        sources.read("SEALROOM_ACCOUNTS", value::switch, &mut s.accounts)?;
        sources.read("SEALROOM_PROVISION_USERS", value::switch, &mut s.provision_users)?;
        sources.read("SEALROOM_ALLOWED_ORIGINS", value::origins, &mut s.allowed_origins)?;
        sources.read("SEALROOM_TRUSTED_PROXIES", value::proxies, &mut s.trusted_proxies)?;
        sources.read("SEALROOM_TLS_CERT", |text| value::path(text).map(Some), &mut s.tls_cert)?;
        sources.read("SEALROOM_TLS_KEY", |text| value::path(text).map(Some), &mut s.tls_key)?;
        sources.read("SEALROOM_RETENTION_AGE", value::duration_or_off, &mut s.retention.age)?;
        sources.read("SEALROOM_RETENTION_COUNT", value::count, &mut s.retention.count)?;
        sources.read("SEALROOM_WEBHOOK_URL", |text| value::webhook_url(text).map(Some), &mut s.webhook_url)?;
        sources.read("SEALROOM_WEBHOOK_SECRET", |text| value::webhook_secret(text).map(Some), &mut s.webhook_secret)?;
        sources.read("SEALROOM_WEBHOOK_EVENTS", value::webhook_events, &mut s.webhook_events)?;
        sources.read("SEALROOM_LOG", value::log, &mut s.log)?;
        sources.read("SEALROOM_LOG_FORMAT", value::log_format, &mut s.log_format)?;
        sources.read("SEALROOM_OTLP_ENDPOINT", |text| collector(text).map(Some), &mut s.otlp_endpoint)?;
        sources.read("SEALROOM_LIMIT_CONTENT_BYTES", value::number, &mut s.limits.content_bytes)?;
        sources.read("SEALROOM_LIMIT_FRAME_BYTES", value::number, &mut s.limit_frame_bytes)?;
        sources.read("SEALROOM_LIMIT_PAGE", value::number, &mut s.limits.page_entries)?;
        sources.read("SEALROOM_LIMIT_SENDS_PER_USER", value::rate, &mut s.limits.sends_per_user)?;
        sources.read("SEALROOM_LIMIT_EVENTS_PER_SOCKET", value::rate, &mut s.limits.events_per_socket)?;
        sources.read("SEALROOM_LIMIT_UNACKED_SENDS", value::limit, &mut s.limits.unacked_sends)?;
        sources.read("SEALROOM_LIMIT_GROUPS_PER_SOCKET", value::limit, &mut s.limits.groups_per_socket)?;
        sources.read("SEALROOM_LIMIT_GROUPS_PER_USER", value::limit, &mut s.limits.groups_per_user)?;
        sources.read("SEALROOM_LIMIT_MEMBERS_PER_GROUP", value::limit, &mut s.limits.members_per_group)?;
        sources.read("SEALROOM_LIMIT_SOCKETS_PER_USER", value::limit, &mut s.limits.sockets_per_user)?;
        sources.read("SEALROOM_LIMIT_CONNECTIONS", value::limit, &mut s.limit_connections)?;
        sources.read("SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS", value::limit, &mut s.limit_connections_per_address)?;
        sources.read("SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS", value::rate, &mut s.limit_handshakes_per_address)?;
        sources.read("SEALROOM_LIMIT_OUTBOUND_BYTES", value::limit, &mut s.limit_outbound_bytes)?;
        sources.read("SEALROOM_LIMIT_WRITE_STALL", value::duration_or_off, &mut s.limit_write_stall)?;
        s.validate()?;
        Ok(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Sources {
        Sources::default().with_variables(
            variables
                .iter()
                .map(|(name, value)| (OsString::from(name), OsString::from(value))),
        )
    }

    #[test]
    fn a_flag_wins_over_a_variable_and_an_empty_variable_is_unset() {
        let mut sources = with(&[
            ("SEALROOM_LIMIT_PAGE", "7"),
            ("SEALROOM_LISTEN", "h:1"),
            ("SEALROOM_LOG", ""),
        ]);
        sources.add_flag("limit-page", "9".into());
        let settings = Settings::from_sources(&sources).unwrap();
        assert_eq!(settings.limits.page_entries, 9);
        assert_eq!(settings.listen, "h:1");
        assert_eq!(settings.log, "info");

        sources.add_flag("listen", "".into());
        let error = Settings::from_sources(&sources).unwrap_err();
        assert_eq!(error.to_string(), "--listen: a value is needed");
    }

    #[test]
    fn every_setting_is_read() {
        // Wrong for every setting but a path.
        let wrong = "\u{1}";
        for spec in SPECS.iter().filter(|spec| {
            !matches!(
                spec.flag,
                "data-dir" | "jwt-public-key-file" | "tls-cert" | "tls-key"
            )
        }) {
            let error = Settings::from_sources(&with(&[(spec.variable, wrong)])).unwrap_err();
            assert_eq!(error.name(), spec.variable, "{error}");
            assert!(!error.to_string().contains(['\u{1}', '\n']), "{error:?}");
        }
        let paths = with(&[
            ("SEALROOM_DATA_DIR", "/d"),
            ("SEALROOM_JWT_PUBLIC_KEY_FILE", "/p"),
            ("SEALROOM_TLS_CERT", "/c"),
            ("SEALROOM_TLS_KEY", "/k"),
        ]);
        let settings = Settings::from_sources(&paths).unwrap();
        assert_eq!(settings.data_dir.to_str(), Some("/d"));
        assert_eq!(settings.jwt_public_key_file, Some("/p".into()));
        let files = settings.tls_files().unwrap();
        assert_eq!((files.certificate, files.key), ("/c".into(), "/k".into()));
    }

    #[test]
    fn limits_must_fit_each_other() {
        for (content, frame, fits) in [
            ("65536", "66560", true),
            ("65536", "66559", false),
            ("131072", "131072", false),
            ("off", "131072", true),
            ("1000000", "off", true),
        ] {
            let sources = with(&[
                ("SEALROOM_LIMIT_CONTENT_BYTES", content),
                ("SEALROOM_LIMIT_FRAME_BYTES", frame),
            ]);
            assert_eq!(
                Settings::from_sources(&sources).is_ok(),
                fits,
                "{content} {frame}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_told() {
        let sources = with(&[
            ("SEALROOM_LIMT_PAGE", "1"),
            ("SEALROOM_CLUSTER_KEY", "not yet"),
            ("SEALROOM_METRICS_LISTEN", "off"),
            ("SEALROOM_BUS_URL", ""),
            ("SEALROOM_LOG", "warn"),
            ("PATH", "/bin"),
        ]);
        assert_eq!(
            Settings::from_sources(&sources).unwrap().notices,
            [
                Notice::NotSupported("SEALROOM_CLUSTER_KEY".to_owned()),
                Notice::Unknown("SEALROOM_LIMT_PAGE".to_owned()),
            ]
        );
    }

    #[test]
    fn secrets_are_neither_printed_nor_described() {
        let secret = "0mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6GsA";
        let settings = Settings::from_sources(&with(&[("SEALROOM_JWT_SECRET", secret)])).unwrap();
        assert!(settings.jwt_secret.is_some());
        assert!(!format!("{settings:?}{:?}", settings.describe()).contains(secret));
        let error = Settings::from_sources(&with(&[("SEALROOM_JWT_SECRET", "0mZr8kq1")])).unwrap_err();
        assert!(!error.to_string().contains("0mZr8kq1"), "{error}");
    }
}
