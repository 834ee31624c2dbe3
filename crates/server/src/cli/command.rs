//! What can be written on the command line.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::settings::{SPECS, Sources};

/// What the program is asked to do, and the settings to do it with.
pub(super) struct Invocation {
    pub(super) action: Action,
    pub(super) sources: Sources,
}

/// A subcommand.
pub(super) enum Action {
    Serve,
    Migrate,
    NewLog,
    CheckConfig,
    #[cfg(all(feature = "postgres", feature = "sqlite"))]
    Copy(CopyArguments),
    Export(ExportArguments),
    Token(TokenArguments),
}

/// The arguments of `export`, as they were written.
pub(super) struct ExportArguments {
    pub(super) group: String,
}

/// The arguments of `copy`, as they were written.
#[cfg(all(feature = "postgres", feature = "sqlite"))]
pub(super) struct CopyArguments {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

/// The arguments of `token`, as they were written.
pub(super) struct TokenArguments {
    pub(super) user_id: String,
    pub(super) name: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) ttl: String,
}

impl Invocation {
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, clap::Error> {
        let matches = command().try_get_matches_from(arguments)?;
        // Settings may stand before and after the subcommand; clap hands those before it down.
        let (name, matches) = matches.subcommand().unwrap_or(("serve", &matches));
        let action = match name {
            "migrate" => Action::Migrate,
            "new-log" => Action::NewLog,
            "check-config" => Action::CheckConfig,
            #[cfg(all(feature = "postgres", feature = "sqlite"))]
            "copy" => Action::Copy(CopyArguments {
                from: matches.get_one::<String>("from").cloned(),
                to: matches.get_one::<String>("to").cloned(),
            }),
            "export" => Action::Export(ExportArguments {
                // Required below.
                group: matches.get_one::<String>("group").cloned().unwrap_or_default(),
            }),
            "token" => Action::Token(token_arguments(matches)),
            _ => Action::Serve,
        };
        let mut sources = Sources::default().with_variables(variables);
        for spec in SPECS {
            if let Some(value) = matches.get_one::<OsString>(spec.flag) {
                sources.add_flag(spec.flag, value.clone());
            }
        }
        Ok(Self { action, sources })
    }
}

fn token_arguments(matches: &ArgMatches) -> TokenArguments {
    let text = |id: &str| matches.get_one::<String>(id).cloned();
    TokenArguments {
        // Required, and defaulted, below.
        user_id: text("user-id").unwrap_or_default(),
        name: text("name"),
        scope: text("scope"),
        ttl: text("ttl").unwrap_or_default(),
    }
}

fn command() -> Command {
    let command = Command::new("sealroom-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Group chat backend that relays what it cannot read")
        .after_help("Every setting is a flag and an environment variable; the flag wins. An empty variable is an unset one.")
        .args(SPECS.iter().map(|spec| {
            let help = format!("{} [env: {}] [default: {}]", spec.help, spec.variable, spec.default);
            Arg::new(spec.flag)
                .long(spec.flag)
                .value_name(spec.value)
                .value_parser(value_parser!(OsString))
                // A generated secret may begin with a dash.
                .allow_hyphen_values(spec.flag == "jwt-secret")
                .allow_negative_numbers(true)
                .help(help)
                .help_heading("Settings")
                .global(true)
        }))
        .subcommand(Command::new("serve").about("Run the server; what happens without a subcommand"))
        .subcommand(Command::new("migrate").about("Bring the database's schema up to date, which serve does as well"))
        .subcommand(token_command())
        .subcommand(
            Command::new("export")
                .about("Write the log of a group as JSON lines; also while a server runs")
                .arg(
                    Arg::new("group")
                        .long("group")
                        .value_name("ID")
                        .help("The group, 1 to 2^53-1")
                        .allow_negative_numbers(true)
                        .required(true),
                ),
        )
        .subcommand(Command::new("check-config").about("Check the settings and show those in effect"))
        .subcommand(
            Command::new("new-log")
                .about("Give a restored backup a new log id, so that clients fetch again what they believe to have"),
        );
    #[cfg(all(feature = "postgres", feature = "sqlite"))]
    let command = command.subcommand(copy_command());
    command
}

#[cfg(all(feature = "postgres", feature = "sqlite"))]
fn copy_command() -> Command {
    let argument = |name: &'static str| Arg::new(name).long(name).value_name("URL");
    Command::new("copy")
        .about("Move everything from an SQLite file to a PostgreSQL database, and verify it; goes on where it was interrupted")
        .arg(argument("from").help("The file, sqlite://PATH [default: that of the data directory]"))
        .arg(argument("to").help("The database, postgres://USER:PASSWORD@HOST/DATABASE [default: the configured one]"))
}

fn token_command() -> Command {
    let argument = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    Command::new("token")
        .about("Mint a token with the configured secret, or that of the data directory")
        .arg(
            argument("user-id", "N")
                .help("The user, 1 to 2^53-1")
                .allow_negative_numbers(true)
                .required(true),
        )
        .arg(argument("name", "TEXT").help("The name that others see"))
        .arg(argument("scope", "TEXT").help("What it opens, space-separated: admin opens the admin calls"))
        .arg(
            argument("ttl", "TIME")
                .help("How long it is valid: 30s, 15m, 1h, 7d")
                .default_value("1h"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn settings(line: &str) -> Settings {
        let words = line.split_whitespace().map(OsString::from);
        let invocation = Invocation::parse(words, []).unwrap();
        Settings::from_sources(&invocation.sources).unwrap()
    }

    #[test]
    fn clap_finds_no_fault() {
        command().debug_assert();
    }

    #[test]
    fn settings_may_stand_on_both_sides_of_the_subcommand() {
        for line in [
            "x --limit-page 7",
            "x --limit-page 7 serve",
            "x serve --limit-page 7",
            "x --limit-page=7 token --user-id 1",
            "x --log debug token --user-id 1 --limit-page 7",
        ] {
            assert_eq!(settings(line).limits.page_entries, 7, "{line}");
        }
    }

    #[test]
    fn a_secret_may_begin_with_a_dash() {
        let line = "x --jwt-secret -mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6GsAq";
        assert!(settings(line).jwt_secret.is_some());
    }
}
