//! What no route takes, on all routes of the document: one that is added is in these tables with it.
//!
//! Group 1 is that of user 1, and there is no other. What a route takes is made from its schema.

use axum::http::header;
use sealroom_domain::Role;
use serde_json::{Map, Value, json};

use crate::{
    contract::{Operation, faults, operations},
    support::{App, Ask, Reply},
};

/// An application whose state [`untouched`] knows.
async fn app() -> App {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    app
}

/// Whether nothing has changed since [`app`].
async fn untouched(app: &App) {
    assert_eq!(app.kept_members(1).await, "1 owner");
    let group =
        r#"200 {"groups":[{"group_id":1,"name":"Ops","role":"owner","head_seq":1,"read_seq":0,"unread":1}]}"#;
    assert_eq!(app.ask("u1", "GET /api/v1/groups", None).await.text(), group);
    let second = app.ask("admin", "GET /api/v1/groups/2", None).await;
    assert_eq!(second.verdict(), "404 not_found");
}

impl Operation {
    fn needs_token(&self) -> bool {
        self.said.get("security").is_some()
    }

    fn parameters(&self, place: &'static str) -> impl Iterator<Item = &'static Value> {
        let all = self.said["parameters"].as_array().into_iter().flatten();
        all.filter(move |parameter| parameter["in"] == place)
    }

    /// The request line, where the parameter `name` of the path is `value` and every other one is 1.
    fn line(&self, name: &str, value: &str) -> String {
        let segments = self.path.split('/').map(|segment| {
            match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                None => segment,
                Some(parameter) if parameter == name => value,
                Some(_) => "1",
            }
        });
        format!("{} {}", self.method, segments.collect::<Vec<_>>().join("/"))
    }

    /// The schema of its body.
    fn body(&self) -> Option<&'static Value> {
        let schema = &self.said.get("requestBody")?["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str().unwrap();
        crate::contract::DOCUMENT.pointer(name.strip_prefix('#').unwrap())
    }

    fn body_is_required(&self) -> bool {
        self.said["requestBody"]["required"] == true
    }

    /// Asks as the admin, who may do everything, with a JSON body where there is one.
    async fn ask(&self, app: &App, json: Option<&str>) -> Reply {
        app.ask("admin", &self.line("", ""), json).await
    }
}

/// Routes with a body, and its schema.
fn with_body() -> impl Iterator<Item = (Operation, &'static Value)> {
    operations().filter_map(|operation| Some((operation, operation.body()?)))
}

/// A value that a schema lets through.
fn sample(schema: &Value) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    let first = |types: &Value| types.as_array().map_or(types.clone(), |types| types[0].clone());
    match first(&schema["type"]).as_str().unwrap() {
        "string" => json!("a"),
        "integer" => schema["minimum"].clone(),
        "boolean" => json!(true),
        "array" => json!([sample(&schema["items"])]),
        other => panic!("no sample of {other}"),
    }
}

/// A body that the route takes, with every key.
fn whole(schema: &Value) -> Map<String, Value> {
    let properties = schema["properties"].as_object().unwrap();
    properties
        .iter()
        .map(|(key, schema)| (key.clone(), sample(schema)))
        .collect()
}

#[test]
fn the_document_has_every_route() {
    let count = operations().count();
    assert!(count >= 13, "only {count}: are the tables of this file filled?");
    for operation in operations() {
        let is_api = operation.path.starts_with("/api/");
        assert_eq!(is_api, operation.needs_token(), "{operation:?}");
        assert_eq!(
            is_api,
            operation.said["responses"]
                .get("503")
                .is_some_and(|answer| { answer["content"].get("application/problem+json").is_some() })
        );
        let places = operation.path.matches('{').count();
        assert_eq!(
            places,
            operation.parameters("path").count(),
            "the parameters of {operation:?}"
        );
        for parameter in operation.parameters("path") {
            let place = format!("{{{}}}", parameter["name"].as_str().unwrap());
            assert!(operation.path.contains(&place), "{place} of {operation:?}");
        }
    }
    let mut ids: Vec<_> = operations()
        .map(|operation| operation.said["operationId"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "ids are unique");
}

#[tokio::test]
async fn who_has_no_good_token_hears_nothing_else() {
    let app = app().await;
    for operation in operations().filter(Operation::needs_token) {
        for (name, value) in [("", ""), ("group_id", "x"), ("user_id", "x")] {
            let line = operation.line(name, value);
            let ask = || Ask::new(&line).header("content-type", "text/plain").body("{");
            let missing = app.send(ask()).await;
            assert_eq!(missing.verdict(), "401 token_missing", "{line}");
            assert_eq!(
                missing.header(header::WWW_AUTHENTICATE),
                Some(r#"Bearer realm="sealroom""#)
            );
            let invalid = app.send(ask().header("authorization", "Bearer nobody's")).await;
            assert_eq!(invalid.verdict(), "401 token_invalid", "{line}");
            let in_query = app
                .send(Ask::new(&format!("{line}?token=u1&access_token=u1")))
                .await;
            assert_eq!(in_query.verdict(), "401 token_missing", "{line}");
            let in_cookie = app
                .send(Ask::new(&line).header("cookie", "token=u1; Authorization=u1"))
                .await;
            assert_eq!(in_cookie.verdict(), "401 token_missing", "{line}");
        }
    }
    untouched(&app).await;
}

#[tokio::test]
async fn what_is_somebody_elses_stays_so() {
    let app = app().await;
    for operation in operations().filter(|operation| operation.path.contains('{')) {
        let json = operation
            .body()
            .map(|schema| Value::Object(whole(schema)).to_string());
        for id in ["1", "2", "9007199254740991"] {
            let line = operation.line("group_id", id);
            let verdict = app.ask("u2", &line, json.as_deref()).await.verdict();
            let refused = ["403 not_a_member", "403 forbidden"].contains(&verdict.as_str());
            assert!(refused, "{line}: {verdict}");
        }
    }
    untouched(&app).await;
}

/// What is no id in a path, though some would read it as 5 or as another path.
const NO_IDS: [&str; 38] = [
    "0",
    "-1",
    "+5",
    "05",
    "005",
    "%35",
    "5%00",
    "5%20",
    "%205",
    "5.0",
    "5e0",
    "0x5",
    "5;v=1",
    "5,6",
    "5_0",
    "%EF%BC%95",
    "%D9%A5",
    "9007199254740992",
    "9223372036854775808",
    "99999999999999999999999999",
    "me",
    "null",
    "true",
    "{group_id}",
    "..",
    ".",
    "%2e%2e",
    "%2e%2e%2f5",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%5c5",
    "5%2fmembers",
    "%00",
    "%FF",
    "%",
    "*",
    "5'",
    "5%20OR%201=1",
    "%C0%AE%C0%AE",
];

#[tokio::test]
async fn an_id_in_a_path_has_one_spelling() {
    let app = app().await;
    let long = "9".repeat(10_000);
    for operation in operations() {
        for parameter in operation.parameters("path") {
            let name = parameter["name"].as_str().unwrap();
            for id in NO_IDS.into_iter().chain([&*long]) {
                let line = operation.line(name, id);
                let reply = app.ask("admin", &line, None).await;
                assert_eq!(reply.verdict(), format!("400 invalid_data {name}"), "{line}");
            }
        }
    }
    untouched(&app).await;
}

#[tokio::test]
async fn a_number_in_a_query_has_one_spelling() {
    let app = app().await;
    let bad = [
        "",
        "-1",
        "%2B1",
        "+1",
        "1.0",
        "1e2",
        "01",
        "00",
        "abc",
        "null",
        "true",
        "5%00",
        "%EF%BC%95",
        "%FF",
        "0x1",
        "1,2",
        "[1]",
        "%00",
        "1'",
        "-0",
        "1%0A",
        "%201",
    ];
    for operation in operations() {
        for parameter in operation.parameters("query") {
            let name = parameter["name"].as_str().unwrap();
            assert_eq!(parameter["schema"]["type"], "integer", "no rows for {parameter}");
            let line = operation.line("", "");
            let mut queries: Vec<String> = bad.iter().map(|value| format!("{name}={value}")).collect();
            queries.extend([
                name.to_owned(),
                format!("{name}=1&{name}=1"),
                format!("{name}={}x", "1".repeat(5000)),
            ]);
            if parameter["schema"]["minimum"] == 1 {
                queries.push(format!("{name}=0"));
            }
            for query in queries {
                let reply = app.ask("admin", &format!("{line}?{query}"), None).await;
                assert_eq!(
                    reply.verdict(),
                    format!("400 invalid_data {name}"),
                    "{line}?{query}"
                );
            }
        }
    }
    untouched(&app).await;
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
            let others: String = others
                .map(|(other, value)| format!("\"{other}\":{value},"))
                .collect();
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

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_which_it_has() {
    let app = app().await;
    let mut paths: Vec<_> = operations().map(|operation| operation.path).collect();
    paths.dedup();
    for path in paths {
        let line = |method: &str| {
            format!(
                "{method} {}",
                path.replace("{group_id}", "1").replace("{user_id}", "1")
            )
        };
        let mut has: Vec<_> = operations()
            .filter(|operation| operation.path == path)
            .map(|operation| operation.method)
            .collect();
        if has.contains(&"GET") {
            has.push("HEAD");
        }
        has.sort_unstable();
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "BREW",
        ] {
            if has.contains(&method) {
                continue;
            }
            let reply = app.send(Ask::new(&line(method))).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            let mut allow: Vec<_> = reply
                .header(header::ALLOW)
                .unwrap()
                .split(',')
                .map(str::trim)
                .collect();
            allow.sort_unstable();
            assert_eq!(allow, has, "{method} {path}");
            if method != "HEAD" {
                assert_eq!(reply.verdict(), "405 not_found", "{method} {path}");
                assert!(reply.body.contains(r#""detail":"Method not allowed""#));
            }
        }
    }
    untouched(&app).await;
}
