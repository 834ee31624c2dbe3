//! The command line.

mod command;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod copy;
mod export;
mod notify;
mod serve;
mod store;
mod token;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;

use crate::{listen::ServerTls, logging, settings::Settings, tokens};
use command::{Action, Invocation};

/// A wrong command line or setting, or a start that is not possible.
const CANNOT_START: u8 = 2;

/// Everything that goes wrong later.
const FAILED: u8 = 1;

/// Why the program ends with another code than 0.
struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            code: CANNOT_START,
            error: error.into(),
        }
    }
}

/// Runs the program with these arguments, of which the first is its own name, and these environment variables.
///
/// What goes wrong is one line on stderr, and the code is 2 where the program could not begin its work.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let invocation = match Invocation::parse(arguments, variables) {
        Ok(invocation) => invocation,
        Err(error) => return refuse(&error),
    };
    match execute(invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, error }) => {
            complain(&format!("{error:#}"));
            ExitCode::from(code)
        }
    }
}

fn execute(invocation: Invocation) -> Result<(), Failure> {
    let settings = Settings::from_sources(&invocation.sources)?;
    // Nothing is logged at `info` before the work begins, so that a start that fails says one thing only.
    if let Action::Serve = invocation.action {
        return serve::serve(settings);
    }
    logging::init(&settings.log, settings.log_format, None)?;
    match invocation.action {
        // Above.
        Action::Serve => {}
        Action::Migrate => store::migrate(&settings)?,
        Action::NewLog => store::new_log(&settings)?,
        #[cfg(all(feature = "postgres", feature = "sqlite"))]
        Action::Copy(arguments) => copy::copy(&settings, &arguments)?,
        Action::Export(arguments) => export::export(&settings, &arguments)?,
        Action::Token(arguments) => token::token(&settings, &arguments)?,
        Action::CheckConfig => check_config(&settings)?,
    }
    Ok(())
}

/// The settings were checked when they were read, but for the files that they name.
fn check_config(settings: &Settings) -> Result<(), Failure> {
    tokens::public_keys(settings)?;
    settings.tls_files().map(ServerTls::read).transpose()?;
    let mut text = String::from("configuration is valid\n");
    for (variable, value) in settings.describe() {
        text.push_str(variable);
        text.push('=');
        text.push_str(&value);
        text.push('\n');
    }
    print(&text)?;
    settings.log_notices();
    Ok(())
}

/// Writes to stdout; this is what a command was asked for, unlike the log.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")
        .map_err(|error| Failure { code: FAILED, error })
}

/// Help and version are answers; everything else that clap says is a complaint.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let text = error.render().to_string();
        return match print(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => ExitCode::from(failure.code),
        };
    }
    let text = error.render().to_string();
    // What is wrong comes first, and ends at the first empty line; then follow usage and hints.
    let problem = text.split("\n\n").next().unwrap_or(&text);
    let problem = problem.strip_prefix("error: ").unwrap_or(problem);
    complain(&format!("{problem} (--help tells more)"));
    ExitCode::from(CANNOT_START)
}

/// One line on stderr, whatever the text holds.
fn complain(text: &str) {
    let words: Vec<_> = text
        .split(|char: char| char.is_whitespace() || char.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    // Where stderr is closed, nobody listens.
    let _ = writeln!(io::stderr().lock(), "error: {}", words.join(" "));
}
