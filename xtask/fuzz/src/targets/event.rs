//! Events and their arguments.

use sealroom_domain::{EncryptedContent, ErrorCode, Extra, Refusal, Seq};
use sealroom_realtime::fuzzing::{EVENTS, ReadEvent, read_event};
use sealroom_wire::RefusalBody;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::{
    Verdict,
    oracle::{assert_clean, is_id},
};

/// The most bytes of a content here: the limit is a setting, and a small one is met more often.
const CONTENT_BYTES: usize = 64;

/// `["event", argument]` as a socket sends it; behind a `+` it comes with binary attachments.
pub fn event(data: &[u8]) -> Verdict {
    let Ok(text) = str::from_utf8(data) else {
        return Verdict::Refused;
    };
    let (with_attachments, text) = match text.strip_prefix('+') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (event, read) = read_event(text, with_attachments, CONTENT_BYTES);
    match read {
        Ok(read) => {
            assert!(!with_attachments, "attachments were taken for an argument");
            check_accepted(&event, &read, text);
            Verdict::Accepted
        }
        Err(refusal) => {
            check_refused(&event, &refusal);
            Verdict::Refused
        }
    }
}

fn check_accepted(event: &str, read: &ReadEvent, text: &str) {
    assert!(EVENTS.contains(&event));
    assert!(read.group_id.is_some_and(|id| is_id(id.get())) || event == "refresh_token");
    assert!(read.limit.is_none_or(|limit| limit >= 1));
    assert!(read.after_seq.is_none() || read.before_seq.is_none());
    let content = read.content.as_ref().map(EncryptedContent::as_str);
    assert_eq!(
        content.is_some(),
        matches!(event, "send_message" | "edit_message")
    );
    assert!(content.is_none_or(|content| (1..=CONTENT_BYTES).contains(&content.len())));
    content
        .into_iter()
        .chain(read.text.as_deref())
        .for_each(assert_clean);

    assert!(
        serde_json::from_str::<IgnoredAny>(text).is_ok(),
        "it is no JSON to its end"
    );
    let written = written(event, read);
    // An independent reading finds the same. What is too deep for it is only skipped by the server's.
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let arguments = value.as_array().expect("a list");
        let [_, Value::Object(argument)] = arguments.as_slice() else {
            panic!("not one object: {text}")
        };
        for (key, value) in &written {
            assert_eq!(argument.get(key), Some(value), "{key} of {text}");
        }
    }
    let (again, reread) = read_event(&json!([event, written]).to_string(), false, CONTENT_BYTES);
    assert_eq!((&*again, reread.as_ref()), (event, Ok(read)));
}

/// The argument that says what was read.
fn written(event: &str, read: &ReadEvent) -> Map<String, Value> {
    let text_key = match event {
        "join_group" => "log_id",
        "refresh_token" => "token",
        _ => "client_message_id",
    };
    let seq = |seq: Option<Seq>| seq.map(|seq| json!(seq.get()));
    let keys = [
        ("group_id", read.group_id.map(|id| json!(id.get()))),
        (
            "encrypted_content",
            read.content.as_ref().map(|content| json!(content.as_str())),
        ),
        ("key_epoch", read.key_epoch.map(|epoch| json!(epoch.get()))),
        ("seq", seq(read.seq)),
        ("after_seq", seq(read.after_seq)),
        ("before_seq", seq(read.before_seq)),
        ("limit", read.limit.map(|limit| json!(limit))),
        ("is_typing", read.is_typing.map(|is_typing| json!(is_typing))),
        (text_key, read.text.as_ref().map(|text| json!(text))),
    ];
    keys.into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

fn check_refused(event: &str, refusal: &Refusal) {
    let is_known = EVENTS.contains(&event);
    match refusal.code {
        ErrorCode::UnknownEvent => assert!(!is_known, "{event}"),
        ErrorCode::InvalidData => assert!(is_known, "{event}"),
        ErrorCode::PayloadTooLarge => {
            assert!(matches!(event, "send_message" | "edit_message"));
            assert_eq!(refusal.extra, Some(Extra::LimitBytes(CONTENT_BYTES)));
        }
        code => panic!("{event} was refused with {code:?}"),
    }
    let answer = serde_json::to_string(&RefusalBody(refusal)).expect("a refusal can be written");
    assert!(answer.starts_with(r#"{"success":false,"#), "{answer}");
}
