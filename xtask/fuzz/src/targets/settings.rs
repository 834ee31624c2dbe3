//! What a server can be told.

use std::ffi::OsString;

use sealroom_server::settings::{SettingError, Settings, Sources};

use crate::Verdict;

/// Settings of which no text may be printed.
const SECRET: [&str; 3] = [
    "SEALROOM_JWT_SECRET",
    "SEALROOM_WEBHOOK_SECRET",
    "SEALROOM_DATABASE_URL",
];
/// Shorter texts may stand in a sentence about them by chance.
const SHORTEST_SECRET: usize = 16;

/// Good for tokens.
const OTHER_SECRET: &str = "q7Hx2mW9vTz4Lk8RjP3nB6dY1sC5fGaE";

type Variables = Vec<(String, OsString)>;

/// `NAME=value` on each line, without the prefix `SEALROOM_`, which all have.
pub fn settings(data: &[u8]) -> Verdict {
    let variables: Variables = data.split(|byte| *byte == b'\n').filter_map(variable).collect();
    match read(variables.clone()) {
        Ok(settings) => {
            check_accepted(&settings, &variables);
            Verdict::Accepted
        }
        Err(error) => {
            check_refused(&error, &variables);
            Verdict::Refused
        }
    }
}

fn variable(line: &[u8]) -> Option<(String, OsString)> {
    let split = line.iter().position(|byte| *byte == b'=')?;
    let (name, value) = line.split_at_checked(split)?;
    let name = str::from_utf8(name).ok()?;
    let value = value.strip_prefix(b"=")?.to_vec();
    // No variable can hold it.
    if name.contains('\0') || value.contains(&0) {
        return None;
    }
    Some((format!("SEALROOM_{name}"), os_string(value)))
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn read(variables: Variables) -> Result<Settings, SettingError> {
    let variables = variables.into_iter().map(|(name, value)| (name.into(), value));
    Settings::from_sources(&Sources::default().with_variables(variables))
}

fn check_accepted(settings: &Settings, variables: &Variables) {
    assert_eq!(settings.validate(), Ok(()));
    let told = settings.describe();
    for (name, value) in secrets(variables) {
        if is_said_anyway(name, value, variables) {
            continue;
        }
        assert!(!format!("{settings:?}").contains(value), "{name} was printed");
        assert!(
            !told.iter().any(|(_, text)| text.contains(value)),
            "{name} was told"
        );
    }
    // What is told of them is what they are read from, but for what is secret or not set.
    let again = told.iter().filter(|(name, _)| !SECRET.contains(name));
    let again = again.map(|(name, value)| ((*name).to_owned(), OsString::from(value)));
    let kept = variables
        .iter()
        .filter(|(name, _)| SECRET.contains(&name.as_str()))
        .cloned();
    let reread = read(again.chain(kept).collect()).expect("what is told can be read");
    assert_eq!(reread.describe(), told);
}

/// Whether the text is told with another secret in its place, as a part of a default for example.
fn is_said_anyway(name: &str, value: &str, variables: &Variables) -> bool {
    let mut others = variables.clone();
    for (other, secret) in &mut others {
        if other == name {
            *secret = OTHER_SECRET.into();
        }
    }
    read(others).is_ok_and(|settings| settings.describe().iter().any(|(_, text)| text.contains(value)))
}

fn check_refused(error: &SettingError, variables: &Variables) {
    let text = error.to_string();
    assert!(!text.contains(char::is_control), "more than one line: {text:?}");
    assert!(text.starts_with(error.name()));
    for (name, value) in secrets(variables).filter(|(name, _)| *name == error.name()) {
        assert!(!text.contains(value), "{name} was printed");
    }
}

/// The secrets that are in effect, where no other setting says the same.
fn secrets(variables: &Variables) -> impl Iterator<Item = (&str, &str)> {
    let is_last = |at: usize, name: &str| !variables.iter().skip(at + 1).any(|(other, _)| other == name);
    let is_alone = |value: &str| {
        let same = |other: &OsString| other.to_str().is_some_and(|other| other.contains(value));
        variables.iter().filter(|(_, other)| same(other)).count() == 1
    };
    variables
        .iter()
        .enumerate()
        .filter(move |(at, (name, _))| name != "SEALROOM_DATABASE_URL" && is_last(*at, name))
        .filter_map(|(_, (name, value))| Some((name.as_str(), value.to_str()?)))
        .filter(|(name, value)| SECRET.contains(name) && value.len() >= SHORTEST_SECRET)
        .filter(move |(_, value)| is_alone(value))
}
