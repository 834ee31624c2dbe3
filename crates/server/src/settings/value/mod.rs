//! The values of settings, from their texts.

mod address;

use std::{borrow::Cow, path::PathBuf, time::Duration};

use sealroom_auth::Secret;
use sealroom_domain::Rate;
use sealroom_hooks::{EventType, Secrets};

pub(crate) use self::address::database;
pub(super) use self::address::{jwks_url, listen, listen_or_off, origins, proxies, webhook_url};
use super::LogFormat;

/// What is wrong with a value, as the end of a sentence about it.
pub(crate) type Problem = Cow<'static, str>;

/// What `off` means where a number has to be: more than anything that is compared with it, and small enough that
/// arithmetic on it never overflows.
pub(crate) const UNLIMITED: usize = 0x7FFF_FFFF;

/// A file or a directory.
pub(super) fn path(text: &str) -> Result<PathBuf, Problem> {
    if text.contains('\0') {
        return Err("a path cannot hold U+0000".into());
    }
    Ok(PathBuf::from(text))
}

/// A secret. Its text is not repeated.
pub(super) fn secret(text: &str) -> Result<Secret, Problem> {
    Secret::new(text).map_err(|error| error.to_string().into())
}

/// `on` or `off`.
pub(super) fn switch(text: &str) -> Result<bool, Problem> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{text:?} is neither `on` nor `off`").into()),
    }
}

/// `text` or `json`.
pub(super) fn log_format(text: &str) -> Result<LogFormat, Problem> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is neither `text` nor `json`").into()),
    }
}

/// A filter of the log.
pub(super) fn log(text: &str) -> Result<String, Problem> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in text.split(',') {
        // A word alone would name a target: `inof` would turn off the log in silence.
        let is_named = directive.contains(['=', '[']);
        let is_level = levels
            .iter()
            .any(|level| level.eq_ignore_ascii_case(directive.trim()));
        if !is_named && !is_level {
            return Err(format!(
                "{directive:?} is neither a level (off, error, warn, info, debug, trace) nor target=level"
            )
            .into());
        }
    }
    crate::logging::filter(text).map_err(|error| Problem::from(one_line(&error.to_string())))?;
    Ok(text.to_owned())
}

/// A number of at least 1; `None` for `off`.
pub(super) fn limit(text: &str) -> Result<Option<usize>, Problem> {
    if text == "off" {
        return Ok(None);
    }
    match digits::<usize>(text) {
        Some(number) if (1..UNLIMITED).contains(&number) => Ok(Some(number)),
        _ => Err(format!(
            "{text:?} is neither a number from 1 to {} nor `off`",
            UNLIMITED.saturating_sub(1)
        )
        .into()),
    }
}

/// The same where there may be more of it.
pub(super) fn count(text: &str) -> Result<Option<u64>, Problem> {
    let number = limit(text)?;
    Ok(number.map(|number| u64::try_from(number).unwrap_or(u64::MAX)))
}

/// `rate:burst`; `None` for `off`.
pub(super) fn rate(text: &str) -> Result<Option<Rate>, Problem> {
    if text == "off" {
        return Ok(None);
    }
    text.split_once(':')
        .and_then(|(rate, burst)| Rate::new(digits(rate)?, digits(burst)?))
        .map(Some)
        .ok_or_else(|| {
            format!("{text:?} is neither a rate a second with its burst, such as 50:200, nor `off`").into()
        })
}

/// What webhooks are signed with. The text is not repeated.
pub(super) fn webhook_secret(text: &str) -> Result<Secrets, Problem> {
    Secrets::parse(text).map_err(|error| error.to_string().into())
}

/// Names of webhooks.
pub(super) fn webhook_events(text: &str) -> Result<Vec<EventType>, Problem> {
    let event = |name: &str| {
        let name = name.trim();
        name.parse()
            .map_err(|_unknown| Problem::from(format!("{name:?} is no webhook, such as message.created")))
    };
    text.split(',').map(event).collect()
}

/// The same, where the program needs a number.
pub(super) fn number(text: &str) -> Result<usize, Problem> {
    Ok(limit(text)?.unwrap_or(UNLIMITED))
}

/// A time; `None` for `off`.
pub(super) fn duration_or_off(text: &str) -> Result<Option<Duration>, Problem> {
    if text == "off" {
        return Ok(None);
    }
    duration(text)
        .map(Some)
        .map_err(|problem| format!("{problem}, nor `off`").into())
}

/// A whole number of 1 or more with its unit: `500ms`, `10s`, `15m`, `1h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, Problem> {
    let problem = || {
        Problem::from(format!(
            "{text:?} is not a time such as 500ms, 10s, 15m, 1h or 7d"
        ))
    };
    let unit = text
        .find(|char: char| !char.is_ascii_digit())
        .ok_or_else(problem)?;
    let (count, unit) = text.split_at_checked(unit).ok_or_else(problem)?;
    let count: u64 = digits(count).filter(|&count| count > 0).ok_or_else(problem)?;
    if unit == "ms" {
        return Ok(Duration::from_millis(count));
    }
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(problem()),
    };
    let seconds = count.checked_mul(seconds).ok_or_else(problem)?;
    Ok(Duration::from_secs(seconds))
}

/// The text that [`duration`] reads as this time.
pub(crate) fn text_of_duration(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.as_millis());
    if duration.subsec_millis() == 0 {
        format!("{seconds}s")
    } else {
        format!("{millis}ms")
    }
}

/// A number of digits alone: the parser of the standard library takes a sign as well.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        assert_eq!(limit("1"), Ok(Some(1)));
        assert_eq!(limit("off"), Ok(None));
        assert_eq!(number("off"), Ok(UNLIMITED));
        for bad in [
            "0",
            "-1",
            "+1",
            "1.5",
            "1k",
            "1_000",
            "",
            " 1",
            "Off",
            "2147483647",
            "99999999999999999999",
        ] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate("50:200"), Ok(Rate::new(50, 200)));
        assert_eq!(rate("off"), Ok(None));
        for bad in [
            "",
            "50",
            "50:",
            ":200",
            "0:5",
            "5:0",
            "-1:5",
            "1.5:3",
            "1:2:3",
            "5 : 5",
            "4294967296:1",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("500ms", Duration::from_millis(500)),
            ("10s", Duration::from_secs(10)),
            ("15m", Duration::from_mins(15)),
            ("1h", Duration::from_hours(1)),
            ("7d", Duration::from_hours(168)),
        ] {
            assert_eq!(duration(text), Ok(expected));
            assert_eq!(duration(&text_of_duration(expected)), Ok(expected));
        }
        for bad in [
            "",
            "10",
            "0s",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1w",
            "10S",
            "18446744073709551615d",
            "é1s",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn log_filters() {
        for good in ["info", "WARN", "info,sealroom_engine=debug", "off"] {
            assert!(log(good).is_ok(), "{good}");
        }
        for bad in ["inof", "info,", "a=loud", "info,[", "1"] {
            assert!(log(bad).is_err(), "{bad}");
        }
    }
}
