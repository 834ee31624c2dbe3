//! What is asked of many targets.

use sealroom_domain::{ErrorCode, MAX_SAFE_INTEGER};
use serde_json::Value;

/// No text that was accepted may hold U+0000.
pub(crate) fn assert_clean(text: &str) {
    assert!(!text.contains('\0'), "a text with U+0000 was accepted: {text:?}");
}

/// The same of every text in a JSON value, keys included.
pub(crate) fn assert_all_clean(value: &Value) {
    match value {
        Value::String(text) => assert_clean(text),
        Value::Array(items) => items.iter().for_each(assert_all_clean),
        Value::Object(members) => {
            for (key, value) in members {
                assert_clean(key);
                assert_all_clean(value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every id in an answer is an integer from 1 to 2^53 - 1, or `null`.
pub(crate) fn assert_ids(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(assert_ids),
        Value::Object(members) => {
            for (key, value) in members {
                if matches!(
                    key.as_str(),
                    "id" | "group_id" | "user_id" | "sender_id" | "actor_id"
                ) {
                    let is_id = value.as_i64().is_some_and(is_id) || value.is_null();
                    assert!(is_id, "{key} is {value}");
                }
                assert_ids(value);
            }
        }
        _ => {}
    }
}

/// Whether a number can be an id.
pub(crate) fn is_id(number: i64) -> bool {
    (1..=MAX_SAFE_INTEGER).contains(&number)
}

/// The number that a text spells, where it is the only spelling of it.
pub(crate) fn decimal(text: &str) -> Option<i64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    let is_number = is_canonical && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// The code of that name, which must be one of the protocol's.
pub(crate) fn known_code(name: &str) -> ErrorCode {
    let found = ErrorCode::ALL.iter().find(|code| code.as_str() == name);
    *found.unwrap_or_else(|| panic!("{name:?} is no code of the protocol"))
}

/// The first line of some bytes, and what follows it.
pub(crate) fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    match end.and_then(|end| data.split_at_checked(end)) {
        Some((line, rest)) => (line, rest.strip_prefix(b"\n").unwrap_or(rest)),
        None => (data, &[]),
    }
}
