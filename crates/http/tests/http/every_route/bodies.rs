//! Bodies.

use serde_json::{Value, json};

use super::{app, sample, untouched, whole};
use crate::{
    contract::{Operation, faults, operations},
    support::Ask,
};

/// Routes with a body, and its schema.
fn with_body() -> impl Iterator<Item = (Operation, &'static Value)> {
    operations().filter_map(|operation| Some((operation, operation.body()?)))
}

/// What no route takes for its body.
const NO_OBJECTS: [&str; 21] = [
    " ",
    "null",
    "true",
    "5",
    "\"name\"",
    "[]",
    "[\"a\"]",
    "[{}]",
    "[{\"name\":\"a\"}]",
    "{",
    "}",
    "{}}",
    "{}{}",
    "{,}",
    "{\"a\"}",
    "{'name':'a'}",
    "{name:\"a\"}",
    "\u{feff}{}",
    "{}//",
    "<a/>",
    "name=a",
];

#[tokio::test]
async fn a_body_is_one_object_with_known_keys() {
    let app = app().await;
    for (operation, schema) in with_body() {
        for json in NO_OBJECTS {
            let reply = operation.ask(&app, Some(json)).await;
            assert_eq!(reply.verdict(), "400 invalid_data", "{operation:?} {json}");
        }
        let known = whole(schema);
        let one = known.keys().next().unwrap();
        let near = [
            one.to_uppercase(),
            format!("{one} "),
            format!("{one}s"),
            format!("{one}\u{0}"),
            format!("{one}[]"),
            format!("{one}.a"),
        ];
        let others = [
            "",
            "__proto__",
            "constructor",
            "id",
            "user_id",
            "sender_id",
            "actor_id",
            "owner",
            "scope",
        ];
        for key in near.iter().map(String::as_str).chain(others) {
            if known.contains_key(key) {
                continue;
            }
            let mut body = known.clone();
            body.insert(key.to_owned(), json!(1));
            let reply = operation.ask(&app, Some(&Value::Object(body).to_string())).await;
            assert_eq!(reply.verdict(), "400 invalid_data", "{operation:?} {key:?}");
            assert!(!reply.body.contains("field"), "{operation:?} {key:?}");
        }
        if operation.body_is_required() {
            let reply = operation.ask(&app, None).await;
            assert_eq!(
                reply.verdict(),
                "400 invalid_data",
                "{operation:?} without a body"
            );
        }
    }
    untouched(&app).await;
}

#[tokio::test]
async fn the_key_at_fault_is_named() {
    let app = app().await;
    let values = [
        "5",
        "-5",
        "0",
        "5.0",
        "5e0",
        "1e400",
        "9007199254740992",
        "true",
        "false",
        "\"\"",
        "\"5\"",
        "\"Owner\"",
        "\"a\\u0000\"",
        "\"\\ud800\"",
        "[]",
        "[null]",
        "[\"5\"]",
        "[5.0]",
        "[0]",
        "[[5]]",
        "[9007199254740992]",
        "{}",
        "{\"a\":1}",
        "null",
    ];
    for (operation, schema) in with_body() {
        for (key, rule) in schema["properties"].as_object().unwrap() {
            let others = whole(schema);
            let others = others.iter().filter(|(other, _)| *other != key);
            let others: Vec<_> = others
                .map(|(other, value)| format!("\"{other}\":{value},"))
                .collect();
            let others = others.concat();
            let long = rule["maxLength"]
                .as_u64()
                .map(|most| "x".repeat(usize::try_from(most).unwrap() + 1));
            let too_long = long.map(|text| format!("\"{text}\""));
            let is_wrong = |text: &&str| match serde_json::from_str::<Value>(text) {
                // JSON Schema takes 5.0 for an integer.
                Ok(value) => {
                    !faults(rule, &value).is_empty() || text.contains("5.0") || text.contains("u0000")
                }
                Err(_) => true,
            };
            for value in values.into_iter().filter(is_wrong).chain(too_long.as_deref()) {
                let json = format!("{{{others}\"{key}\":{value}}}");
                let verdict = operation.ask(&app, Some(&json)).await.verdict();
                let is_content = too_long.as_deref() == Some(value) && verdict == "413 payload_too_large";
                assert!(
                    is_content || verdict == format!("400 invalid_data {key}"),
                    "{operation:?} {json}: {verdict}"
                );
            }
            let value = sample(rule);
            let escaped = format!("\\u{:04x}{}", u32::from(key.as_bytes()[0]), &key[1..]);
            for twice in [key, &escaped] {
                let json = format!("{{{others}\"{key}\":{value},\"{twice}\":{value}}}");
                let reply = operation.ask(&app, Some(&json)).await;
                assert_eq!(
                    reply.verdict(),
                    format!("400 invalid_data {key}"),
                    "{operation:?} {json}"
                );
            }
            let is_required = schema["required"]
                .as_array()
                .is_some_and(|keys| keys.contains(&json!(key)));
            if is_required {
                let json = format!("{{{}}}", others.trim_end_matches(','));
                let reply = operation.ask(&app, Some(&json)).await;
                assert_eq!(
                    reply.verdict(),
                    format!("400 invalid_data {key}"),
                    "{operation:?} {json}"
                );
            }
        }
    }
    untouched(&app).await;
}

#[tokio::test]
async fn a_body_says_that_it_is_json() {
    let app = app().await;
    let rows: [&[&str]; 11] = [
        &[],
        &[""],
        &["text/plain"],
        &["text/json"],
        &["application/x-www-form-urlencoded"],
        &["multipart/form-data; boundary=x"],
        &["application/xml"],
        &["application/problem+json"],
        &["application/json; charset=latin1"],
        &["application/json", "text/plain"],
        &["application/json, text/plain"],
    ];
    for (operation, schema) in with_body() {
        let json = Value::Object(whole(schema)).to_string();
        for types in rows {
            let ask = Ask::new(&operation.line("", "")).header("authorization", "Bearer admin");
            let ask = types
                .iter()
                .fold(ask, |ask, value| ask.header("content-type", value));
            let reply = app.send(ask.body(json.clone())).await;
            assert_eq!(reply.verdict(), "400 invalid_data", "{operation:?} {types:?}");
            assert!(reply.body.contains("Content-Type must be application/json"));
        }
    }
    untouched(&app).await;
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let app = app().await;
    for (operation, schema) in with_body() {
        let json = Value::Object(whole(schema)).to_string();
        let padded = format!("{json}{}", " ".repeat(128 * 1024 + 1 - json.len()));
        let reply = operation.ask(&app, Some(&padded)).await;
        assert_eq!(reply.verdict(), "413 payload_too_large", "{operation:?}");
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000));
        let reply = operation.ask(&app, Some(&deep)).await;
        assert_eq!(reply.verdict(), "400 invalid_data", "{operation:?}");
    }
    untouched(&app).await;
}
