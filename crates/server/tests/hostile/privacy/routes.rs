//! Every route of `/openapi.json`, good and bad: a new one is played without a line here.

use std::net::SocketAddr;

use sealroom_testkit::client::http::{self, HttpResponse};
use serde_json::{Map, Value, json};

use super::{
    canary::{JUNK, KEPT, NAME, PASSWORD, REFUSED, TOKEN},
    refusals::Refusals,
};
use crate::{
    target::{ALICE, OUTSIDER},
    world::World,
};

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "PATCH", "DELETE"];
/// The users whom calls are about, and the groups: one for each operation, because some delete it.
const SUBJECT: u64 = 50_000;
const GROUPS: u64 = 60_000;

/// An operation of the document.
struct Operation {
    method: String,
    template: String,
    parameters: Vec<Value>,
    /// The keys of its body, and which must be there.
    body: Option<(Map<String, Value>, Vec<String>)>,
    /// What it is about.
    group: u64,
    user: u64,
}

impl Operation {
    fn all(document: &Value) -> Vec<Self> {
        let mut all = Vec::new();
        for (template, item) in document["paths"].as_object().unwrap() {
            for method in METHODS {
                let said = &item[method.to_lowercase()];
                if said.is_null() {
                    continue;
                }
                let number = u64::try_from(all.len()).unwrap();
                let parameters = [&item["parameters"], &said["parameters"]];
                all.push(Self {
                    method: method.to_owned(),
                    template: template.clone(),
                    parameters: parameters
                        .into_iter()
                        .filter_map(Value::as_array)
                        .flatten()
                        .cloned()
                        .collect(),
                    body: body(document, &said["requestBody"]),
                    group: GROUPS + number,
                    user: SUBJECT + number,
                });
            }
        }
        all
    }

    fn path(&self) -> String {
        self.template
            .replace("{group_id}", &self.group.to_string())
            .replace("{user_id}", &self.user.to_string())
            // Of whatever comes later.
            .replace(['{', '}'], "")
    }

    fn of(&self, place: &str) -> Vec<&str> {
        let here = self
            .parameters
            .iter()
            .filter(|parameter| parameter["in"] == place);
        here.map(|parameter| parameter["name"].as_str().unwrap())
            .collect()
    }

    /// A body as it should be, with or without what may be absent.
    fn good(&self, is_full: bool) -> Option<Value> {
        let (keys, required) = self.body.as_ref()?;
        let keys = keys.iter().filter(|(key, _)| is_full || required.contains(key));
        Some(
            keys.map(|(key, schema)| (key.clone(), self.value(key, schema)))
                .collect(),
        )
    }

    fn value(&self, key: &str, schema: &Value) -> Value {
        if let Some(values) = schema["enum"].as_array() {
            return values[0].clone();
        }
        match key {
            "encrypted_content" => return json!(format!("{KEPT}-of-{}", self.group)),
            "password" => return json!(format!("{PASSWORD} correct horse")),
            "username" => return json!(format!("{NAME}-{}", self.user)),
            "refresh_token" => return json!(TOKEN),
            _ => {}
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[0].clone(),
            kind => kind.clone(),
        };
        match kind.as_str() {
            Some("string") => json!(NAME),
            Some("integer") if key == "key_epoch" => json!(0),
            Some("integer") => json!(1),
            Some("array") => json!([self.user]),
            Some("object") => {
                let keys = schema["properties"].as_object().into_iter().flatten();
                keys.map(|(key, schema)| (key.clone(), self.value(key, schema)))
                    .collect()
            }
            other => panic!("{key} is a {other:?}, of which this test knows nothing"),
        }
    }

    /// Bodies that are wrong.
    fn bad_bodies(&self) -> Vec<Vec<u8>> {
        let marked = format!("{{\"{JUNK}\":\"{REFUSED}\"}}");
        let mut bodies: Vec<Vec<u8>> = vec![
            marked.clone().into(),
            JUNK.into(),
            format!("[{marked}]").into(),
            format!("\"{REFUSED}\"").into(),
            format!("{marked}{JUNK}").into(),
            marked[..marked.len() - 1].into(),
            [format!("{{\"{JUNK}").as_bytes(), b"\xff\":1}"].concat(),
            format!("{{\"{JUNK}\":{}", "[".repeat(300)).into(),
            JUNK.repeat(100_000).into(),
        ];
        let (Some((keys, _)), Some(good)) = (&self.body, self.good(true)) else {
            return bodies;
        };
        for key in keys.keys() {
            for wrong in [
                json!({ JUNK: REFUSED }),
                json!([TOKEN, [REFUSED]]),
                json!(format!("{REFUSED}\0")),
                json!(0.5),
            ] {
                let mut body = good.clone();
                body[key] = wrong;
                bodies.push(body.to_string().into());
            }
            bodies.push(format!("{{\"{key}\":\"{REFUSED}\",\"{key}\":\"{REFUSED}\"}}").into());
        }
        let mut body = good;
        body[JUNK] = json!(REFUSED);
        bodies.push(body.to_string().into());
        bodies
    }
}

/// The keys of a body, by the document.
fn body(document: &Value, said: &Value) -> Option<(Map<String, Value>, Vec<String>)> {
    let schema = &said["content"]["application/json"]["schema"];
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let keys = schema["properties"].as_object()?.clone();
    let required = schema["required"].as_array().into_iter().flatten();
    Some((
        keys,
        required.map(|key| key.as_str().unwrap().to_owned()).collect(),
    ))
}

/// Who asks, and what came of it.
struct Caller<'a> {
    server: SocketAddr,
    refusals: &'a mut Refusals,
}

impl Caller<'_> {
    async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> HttpResponse {
        let answer = http::request_with(self.server, method, path, headers, body)
            .await
            .unwrap();
        // The probes refuse nothing, and `HEAD` has no body.
        self.refusals.answer(
            &format!("{method} {path} {}", String::from_utf8_lossy(body)),
            &answer,
        );
        let said = answer.text();
        for mark in [JUNK, TOKEN, PASSWORD, REFUSED] {
            assert!(!said.contains(mark), "{method} {path}: {said}");
        }
        answer
    }

    async fn as_user(&mut self, token: &str, method: &str, path: &str, body: &[u8]) -> HttpResponse {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer), ("Content-Type", "application/json")];
        self.ask(method, path, &headers, body).await
    }
}

/// Asks every route in every way. `admin`, `expired` and `revoked` are tokens.
pub(super) async fn play(world: &World, [admin, expired, revoked]: [&str; 3], refusals: &mut Refusals) {
    let document = http::request(world.addr(), "GET", "/openapi.json", None, None)
        .await
        .unwrap()
        .json();
    let operations = Operation::all(&document);
    assert!(operations.len() >= 23, "{} operations", operations.len());
    let mut caller = Caller {
        server: world.addr(),
        refusals,
    };
    for operation in &operations {
        world.group(operation.group, [operation.user, ALICE]).await;
        let good = operation
            .good(true)
            .map(|body| body.to_string())
            .unwrap_or_default();
        let (method, path) = (&*operation.method, &*operation.path());

        let outsider = world.token(OUTSIDER);
        for token in [TOKEN, &TOKEN.repeat(500), expired, revoked, &outsider] {
            caller.as_user(token, method, path, good.as_bytes()).await;
        }
        let marked = [
            ("Cookie", TOKEN),
            ("User-Agent", JUNK),
            ("Referer", JUNK),
            (JUNK, JUNK),
        ];
        caller.ask(method, path, &marked, good.as_bytes()).await;
        let basic = [("Authorization", "Basic canary-token"), ("Content-Type", JUNK)];
        caller.ask(method, path, &basic, good.as_bytes()).await;

        // Addresses that are wrong, asked for by somebody who may.
        for name in operation.of("path") {
            for value in [
                JUNK,
                "%00canary-junk",
                "canary-junk%2f..",
                "0",
                "9007199254740993",
            ] {
                let path = operation.template.replace(&format!("{{{name}}}"), value);
                let path = path
                    .replace("{group_id}", &operation.group.to_string())
                    .replace("{user_id}", &operation.user.to_string());
                caller.as_user(admin, method, &path, good.as_bytes()).await;
            }
        }
        for name in operation.of("query").into_iter().chain([JUNK]) {
            caller
                .as_user(admin, method, &format!("{path}?{name}={JUNK}"), b"")
                .await;
        }
        if operation.body.is_some() {
            for body in operation.bad_bodies() {
                caller.as_user(admin, method, path, &body).await;
            }
        }
        let bearer = format!("Bearer {admin}");
        let other_type = [
            ("Authorization", &*bearer),
            ("Content-Type", "text/canary-junk"),
            ("If-None-Match", JUNK),
        ];
        caller.ask(method, path, &other_type, JUNK.as_bytes()).await;
        for method in METHODS.into_iter().chain(["BREW"]) {
            let is_other =
                |other: &&Operation| other.method == method && other.template == operation.template;
            if !operations.iter().any(|other| is_other(&other)) {
                caller.as_user(admin, method, path, good.as_bytes()).await;
            }
        }
        // And as it should be: by a member, then by an admin.
        let member = world.token(ALICE);
        for token in [&*member, admin] {
            for is_full in [true, false] {
                let body = operation
                    .good(is_full)
                    .map(|body| body.to_string())
                    .unwrap_or_default();
                caller.as_user(token, method, path, body.as_bytes()).await;
            }
        }
    }
    for path in [
        "/canary-junk",
        "/api/v1/canary-junk?token=canary-token",
        "/docs/canary-junk",
        "/api/v1/groups/%ff",
    ] {
        assert!(
            caller.as_user(admin, "GET", path, b"").await.status >= 400,
            "{path}"
        );
    }
    conflicts(world, admin, &mut caller).await;
}

/// What only a second call brings out.
async fn conflicts(world: &World, admin: &str, caller: &mut Caller<'_>) {
    const GROUP: u64 = GROUPS - 1;
    const OWNER: u64 = SUBJECT - 1;
    world.group(GROUP, [OWNER]).await;
    let bearer = format!("Bearer {admin}");
    let headers = [
        ("Authorization", &*bearer),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "key"),
    ];
    let messages = format!("/api/v1/groups/{GROUP}/messages");
    for (content, status) in [(KEPT, 201), (KEPT, 200), (REFUSED, 409)] {
        let body = json!({"encrypted_content": content}).to_string();
        let answer = caller.ask("POST", &messages, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let owner = json!({"role": "owner"}).to_string();
    let member = format!("/api/v1/groups/{GROUP}/members/{OWNER}");
    assert_eq!(
        caller
            .as_user(admin, "PUT", &member, owner.as_bytes())
            .await
            .status,
        200
    );
    let leaving = caller.as_user(&world.token(OWNER), "DELETE", &member, b"").await;
    assert_eq!(leaving.status, 409, "{}", leaving.text());
    for (user, status) in [(OWNER, 200), (OUTSIDER, 409)] {
        let body = json!({"display_name": NAME, "username": "canary-name-taken"}).to_string();
        let answer = caller
            .as_user(admin, "PUT", &format!("/api/v1/users/{user}"), body.as_bytes())
            .await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}
