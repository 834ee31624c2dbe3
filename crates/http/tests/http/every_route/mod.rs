//! What no route takes, on all routes of the document: one that is added is in these tables with it.
//!
//! Group 1 is that of user 1, and there is no other. What a route takes is made from its schema.

mod bodies;
mod numbers;

use axum::http::header;
use sealroom_domain::Role;
use serde_json::{Map, Value, json};

use crate::{
    contract::{Operation, operations},
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
        let without = json!({});
        let security = self.said["security"].as_array();
        security.is_some_and(|ways| !ways.contains(&without))
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

/// A value that a schema lets through.
fn sample(schema: &Value) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    let first = |types: &Value| types.as_array().map_or(types.clone(), |types| types[0].clone());
    match first(&schema["type"]).as_str().unwrap() {
        "string" => json!("a".repeat(usize::try_from(schema["minLength"].as_u64().unwrap_or(1)).unwrap())),
        "integer" => schema["minimum"].clone(),
        "boolean" => json!(true),
        "array" => json!([sample(&schema["items"])]),
        "object" => Value::Object(whole(schema)),
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

/// Routes that anybody may ask; a handler that forgets its `Caller` would be one more.
const OPEN: [&str; 6] = [
    "/healthz",
    "/readyz",
    "/api/v1/auth/register",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
    "/api/v1/auth/logout",
];

#[test]
fn the_document_says_who_may_ask_and_names_every_parameter() {
    let count = operations().count();
    assert!(count >= 13, "only {count}: are the tables of this file filled?");
    for operation in operations() {
        let is_open = OPEN.contains(&operation.path);
        assert_eq!(is_open, !operation.needs_token(), "{operation:?}");
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
