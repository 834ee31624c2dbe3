//! Reading a request's keys strictly. Each reader takes the key's name, for the refusal to tell, and its raw value.
//!
//! Ids are JSON integers and nothing else: `"5"`, `5.0`, `5e0`, `true` and `[5]` would make aliases of the same id.

use std::borrow::Cow;

use sealroom_domain::{
    ClientMessageId, ContentError, EncryptedContent, ErrorCode, Extra, GroupId, KeyEpoch, LogId, Refusal,
    Role, Seq, UserId,
};
use serde_json::value::RawValue;

/// A request cannot be read.
pub type Invalid = Refusal;

/// The value of one key; `None` where it is absent or `null`, which are the same in requests.
pub type Raw<'a> = Option<&'a RawValue>;

/// A value that must be there.
pub fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Invalid> {
    value.ok_or(Refusal::invalid(field))
}

/// A group's id.
pub fn group_id(field: &'static str, raw: Raw<'_>) -> Result<Option<GroupId>, Invalid> {
    number(field, raw, GroupId::new)
}

/// A user's id.
pub fn user_id(field: &'static str, raw: Raw<'_>) -> Result<Option<UserId>, Invalid> {
    number(field, raw, UserId::new)
}

/// A place in a log.
pub fn seq(field: &'static str, raw: Raw<'_>) -> Result<Option<Seq>, Invalid> {
    number(field, raw, Seq::new)
}

/// A key epoch.
pub fn key_epoch(field: &'static str, raw: Raw<'_>) -> Result<Option<KeyEpoch>, Invalid> {
    number(field, raw, KeyEpoch::new)
}

/// A number of entries: at least 1. More than a page holds is for the use case to cap.
pub fn limit(field: &'static str, raw: Raw<'_>) -> Result<Option<usize>, Invalid> {
    number(field, raw, |limit| {
        if limit >= 1 {
            usize::try_from(limit).map_err(drop)
        } else {
            Err(())
        }
    })
}

/// `true` or `false`.
pub fn boolean(field: &'static str, raw: Raw<'_>) -> Result<Option<bool>, Invalid> {
    match raw.map(RawValue::get) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Refusal::invalid(field)),
    }
}

/// A member's role.
pub fn role(field: &'static str, raw: Raw<'_>) -> Result<Option<Role>, Invalid> {
    let Some(name) = text(field, raw)? else {
        return Ok(None);
    };
    Role::from_name(&name).map(Some).ok_or(Refusal::invalid(field))
}

/// The client's id of a message.
pub fn client_message_id(field: &'static str, raw: Raw<'_>) -> Result<Option<ClientMessageId>, Invalid> {
    let Some(text) = text(field, raw)? else {
        return Ok(None);
    };
    ClientMessageId::new(&*text)
        .map(Some)
        .map_err(|_rules| Refusal::invalid(field))
}

/// The name of a log.
pub fn log_id(field: &'static str, raw: Raw<'_>) -> Result<Option<LogId>, Invalid> {
    let Some(text) = text(field, raw)? else {
        return Ok(None);
    };
    LogId::new(&*text)
        .map(Some)
        .map_err(|_rules| Refusal::invalid(field))
}

/// A message's content, which must be there. Over the limit it is `payload_too_large`.
pub fn content(field: &'static str, raw: Raw<'_>, limit_bytes: usize) -> Result<EncryptedContent, Invalid> {
    let text = required(field, text(field, raw)?)?;
    EncryptedContent::new(&*text, limit_bytes).map_err(|error| match error {
        ContentError::TooLarge { limit_bytes } => {
            Refusal::new(ErrorCode::PayloadTooLarge).with(Extra::LimitBytes(limit_bytes))
        }
        _ => Refusal::invalid(field),
    })
}

/// Any text without U+0000.
pub fn text<'a>(field: &'static str, raw: Raw<'a>) -> Result<Option<Cow<'a, str>>, Invalid> {
    let Some(raw) = raw else { return Ok(None) };
    let text = read_string(raw.get()).ok_or(Refusal::invalid(field))?;
    if text.contains('\0') {
        Err(Refusal::invalid(field))
    } else {
        Ok(Some(text))
    }
}

/// A JSON string, borrowed where it has no escapes. A lone surrogate is none.
fn read_string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

fn number<T, E>(
    field: &'static str,
    raw: Raw<'_>,
    check: impl FnOnce(i64) -> Result<T, E>,
) -> Result<Option<T>, Invalid> {
    let Some(raw) = raw else { return Ok(None) };
    let digits = raw.get();
    let integer = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse::<i64>().ok())
        .flatten();
    integer
        .and_then(|number| check(number).ok())
        .map(Some)
        .ok_or(Refusal::invalid(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn ids_are_json_integers_only() {
        assert_eq!(group_id("g", Some(raw("5"))).unwrap().unwrap().get(), 5);
        let bad = [
            "\"5\"",
            "5.0",
            "5e0",
            "1e3",
            "true",
            "[5]",
            "{}",
            "0",
            "-1",
            "-0",
            "9007199254740992",
            "9223372036854775808",
            "1e400",
        ];
        for json in bad {
            assert_eq!(
                group_id("g", Some(raw(json))),
                Err(Refusal::invalid("g")),
                "{json}"
            );
        }
    }

    #[test]
    fn texts_hold_no_nul_and_no_lone_surrogate() {
        assert_eq!(text("t", Some(raw("\"\\u0041b\""))).unwrap().unwrap(), "Ab");
        for json in [
            "\"a\\u0000\"",
            "\"\\ud800\"",
            "5",
            "null5".get(..4).unwrap(),
            "[]",
            "{\"a\":\"b\"}",
        ] {
            let read = text("t", Some(raw(json)));
            assert_eq!(read, Err(Refusal::invalid("t")), "{json}");
        }
    }

    #[test]
    fn content_is_kept_byte_for_byte() {
        let read = content("c", Some(raw(r#""\"\u00e9\n é""#)), 100).unwrap();
        assert_eq!(read.as_str(), "\"é\n é");
        let too_large = content("c", Some(raw("\"abc\"")), 2).unwrap_err();
        assert_eq!(
            (too_large.code, too_large.extra),
            (ErrorCode::PayloadTooLarge, Some(Extra::LimitBytes(2)))
        );
        assert_eq!(content("c", Some(raw("\"\"")), 2), Err(Refusal::invalid("c")));
        assert_eq!(content("c", None, 2), Err(Refusal::invalid("c")));
    }
}
