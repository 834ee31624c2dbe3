//! README and docs against the code: names, defaults, codes, keys, routes, and the code that readers paste.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use common::TestServer;
use sealroom_domain::{
    DisplayName, EncryptedContent, Entry, EntryBody, ErrorCode, GroupId, KeyEpoch, Message, MessageId,
    RemovalReason, Role, Seq, Timestamp, UserId,
};
use sealroom_testkit::client::{Client, http};
use sealroom_wire::{EventEntry, event_name};
use serde_json::{Value, json};

#[expect(dead_code, reason = "nothing here crashes or restarts")]
mod common;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The rows of the only table with this first column, without code marks.
fn table(document: &str, header: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {header} |")));
    assert!(lines.next().is_some(), "{document} has no table of {header}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        row.trim_matches('|')
            .split(" |")
            .map(|cell| cell.replace('`', "").trim().to_owned())
            .collect()
    };
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty());
    rows
}

/// The code blocks of a language in one section.
fn blocks(document: &str, section: &str, language: &str) -> Vec<String> {
    let text = read(document);
    let (_, section) = text.split_once(&format!("## {section}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let fence = format!("```{language}\n");
    let blocks = section.split(&fence).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_settings_are_those_of_the_help() {
    let help = Command::new(env!("CARGO_BIN_EXE_sealroom-server"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let words: Vec<_> = help.split_whitespace().collect();
    let help = words.join(" ");
    let mut settings = Vec::new();
    for setting in help.split("[env: ").skip(1) {
        let (variable, rest) = setting.split_once("] [default: ").unwrap();
        settings.push((variable.to_owned(), rest.split_once(']').unwrap().0.to_owned()));
    }
    let rows = table("README.md", "variable");
    let documented: Vec<_> = rows
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(documented, settings);
}

#[test]
fn the_codes_are_all_there() {
    let yes_no = |yes| if yes { "yes" } else { "no" }.to_owned();
    let codes: Vec<_> = ErrorCode::ALL
        .iter()
        .map(|code| {
            (
                code.as_str().to_owned(),
                code.text().to_owned(),
                yes_no(code.retryable()),
            )
        })
        .collect();
    let rows = table("docs/PROTOCOL.md", "code");
    let documented: Vec<_> = rows
        .into_iter()
        .map(|row| (row[0].clone(), row[2].clone(), row[3].clone()))
        .collect();
    assert_eq!(documented, codes);
}

/// One entry of each kind.
fn entries() -> Vec<Entry> {
    let user = UserId::new(1).unwrap();
    let content = || EncryptedContent::new("x", 1).ok();
    let (target_seq, key_epoch) = (Seq::ZERO, KeyEpoch::new(0).unwrap());
    let bodies = [
        EntryBody::Message(Message {
            id: MessageId::new(1).unwrap(),
            sender_id: user,
            sender_name: DisplayName::unknown(),
            content: content(),
            client_message_id: None,
            key_epoch: None,
        }),
        EntryBody::MessageEdited {
            target_seq,
            content: content(),
            key_epoch: None,
            actor_id: user,
        },
        EntryBody::MessageDeleted {
            target_seq,
            actor_id: user,
        },
        EntryBody::MemberAdded {
            user_id: user,
            role: Role::Owner,
            actor_id: user,
        },
        EntryBody::MemberRemoved {
            user_id: user,
            reason: RemovalReason::Left,
            actor_id: user,
        },
        EntryBody::KeyEpochChanged {
            key_epoch,
            actor_id: user,
        },
    ];
    let entry = |body| Entry {
        group_id: GroupId::new(1).unwrap(),
        seq: Seq::ZERO,
        at: Timestamp::from_secs(0),
        body,
    };
    bodies.map(entry).into()
}

/// Checks that an object has exactly these keys, in this order.
fn assert_keys(json: &str, keys: &[&str]) {
    let object: Value = serde_json::from_str(json).unwrap();
    assert_eq!(object.as_object().unwrap().len(), keys.len(), "{keys:?} {json}");
    let places: Vec<_> = keys.iter().map(|key| json.find(&format!("\"{key}\":"))).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{keys:?} {json}"
    );
}

#[test]
fn the_entries_have_the_keys_of_the_protocol() {
    let text = read("docs/PROTOCOL.md");
    let (_, section) = text.split_once("## 5. Events of the server").unwrap();
    for entry in entries() {
        let name = event_name(&entry);
        let row = section
            .lines()
            .find_map(|line| line.strip_prefix(&format!("| `{name}` | ")));
        let keys = row.unwrap().trim_end_matches(" |").replace('`', "");
        let keys: Vec<_> = keys.split(", ").collect();
        assert_keys(&serde_json::to_string(&EventEntry(&entry)).unwrap(), &keys);
    }
}

#[tokio::test]
async fn the_events_and_their_acks_are_those_of_the_protocol() {
    let server = TestServer::start();
    let token = server.mint(1, None, None);
    let group = json!({"name": "g"});
    http::request(server.addr, "POST", "/api/v1/groups", Some(&token), Some(group))
        .await
        .unwrap();
    let client = Client::connect(server.addr, &token).await.unwrap();
    // For every event; the message that is sent becomes entry 2.
    let payload = json!({
        "group_id": 1, "encrypted_content": "x", "seq": 2, "is_typing": true, "token": token,
    });
    let rows = table("docs/PROTOCOL.md", "event");
    assert_eq!(rows.len(), 9);
    for row in rows {
        let ack = client.request(&row[0], &payload).received().await.unwrap();
        let keys: Vec<_> = ["success"]
            .into_iter()
            .chain(row[2].split(", "))
            .filter(|key| !key.is_empty())
            .collect();
        assert_keys(ack.args()[0], &keys);
        let empty = client.emit_with_ack(&row[0], "{}").await.unwrap();
        assert_eq!(empty["code"], "invalid_data", "{row:?}");
    }
}

/// A route with the keys of its query and of its body, `?` behind those that may be absent, each in order.
fn route(method: &str, path: &str, mut query: Vec<String>, mut body: Vec<String>) -> String {
    query.sort();
    body.sort();
    format!("{} {path} query {query:?} body {body:?}", method.to_uppercase())
}

#[tokio::test]
async fn the_routes_are_those_of_the_openapi_document() {
    let server = TestServer::start();
    let answer = http::request(server.addr, "GET", "/openapi.json", None, None)
        .await
        .unwrap();
    let document = answer.json();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v1") else {
            continue;
        };
        for (method, said) in item.as_object().unwrap() {
            let parameters = said["parameters"].as_array().into_iter().flatten();
            let query = parameters
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned());
            let schema = &said["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let schema = schema
                .as_str()
                .map_or(&Value::Null, |name| document.pointer(&name[1..]).unwrap());
            let required = |key: &str| {
                let keys = schema["required"].as_array().into_iter().flatten();
                keys.into_iter().any(|required| required == key)
            };
            let keys = schema["properties"].as_object().into_iter().flatten();
            let body = keys.map(|(key, _)| {
                if required(key) {
                    key.clone()
                } else {
                    format!("{key}?")
                }
            });
            routes.push(route(method, path, query.collect(), body.collect()));
        }
    }
    let mut documented: Vec<_> = table("docs/PROTOCOL.md", "route")
        .iter()
        .map(|row| {
            let words = |text: &str, at: &str| text.split(at).map(str::to_owned).collect();
            let (method, rest) = row[0].split_once(' ').unwrap();
            let (target, body) = rest.split_once(" {").unwrap_or((rest, ""));
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let nothing = Vec::new;
            let query = if query.is_empty() {
                nothing()
            } else {
                words(query, "&")
            };
            let body = body.trim_end_matches('}');
            let body = if body.is_empty() {
                nothing()
            } else {
                words(body, ", ")
            };
            route(method, path, query, body)
        })
        .collect();
    routes.sort();
    documented.sort();
    assert_eq!(documented, routes);
}

#[test]
fn the_embedding_in_the_readme_is_that_of_the_example() {
    let example = read("crates/server/examples/embed.rs");
    let mut rest = example.as_str();
    let block = &blocks("README.md", "Embedding", "rust")[0];
    let elided = [
        "let chat = Chat::start(ports, options);",
        "serve_connections(listener, router, listening, shutdown).await;",
    ];
    for line in block.lines().filter(|line| !elided.contains(line)) {
        let Some((_, after)) = rest.split_once(line.trim()) else {
            panic!("not in the example, or not there: {line}");
        };
        rest = after;
    }
}

#[test]
fn files_that_are_named_exist() {
    for document in [
        "README.md",
        "SECURITY.md",
        "docs/ARCHITECTURE.md",
        "docs/OPERATIONS.md",
        "docs/PROTOCOL.md",
        "docs/deploy/README.md",
        "docs/deploy/reverse-proxy.md",
    ] {
        let text = read(document);
        let names = text.split(['`', '(', ')', ' ', '\n']).filter(|word| {
            let known = ["crates/", "docs/", "xtask/", "migrations/"];
            known.iter().any(|folder| word.starts_with(folder))
        });
        for name in names {
            let name = name.trim_end_matches([',', '.', ';', ':']);
            assert!(root().join(name).exists(), "{document} names {name}");
        }
    }
    // The tests that hold the invariants are named without `crates/`.
    for row in table("docs/ARCHITECTURE.md", "id") {
        for name in row[2].split(", ").filter(|name| name.contains('/')) {
            assert!(root().join("crates").join(name).exists(), "{name}");
        }
    }
}

#[tokio::test]
async fn the_first_chat_works() {
    let modules = root().join("crates/server/tests/interop/node/node_modules");
    assert!(
        modules.exists(),
        "run cargo xtask test, which installs what the client needs"
    );
    let server = TestServer::start();
    let (alice, bob) = (
        server.mint(1, Some("Alice"), None),
        server.mint(2, Some("Bob"), None),
    );
    let group = json!({"name": "friends", "members": [2]});
    let created = http::request(server.addr, "POST", "/api/v1/groups", Some(&alice), Some(group))
        .await
        .unwrap();
    assert_eq!(created.status, 201);

    let shell = blocks("README.md", "A first chat", "sh").concat();
    let (_, client) = shell.split_once("<<'END'\n").unwrap();
    let client = client.split("\nEND\n").next().unwrap();
    assert!(client.contains("http://127.0.0.1:8000"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("chat.mjs"),
        client.replace("http://127.0.0.1:8000", &server.url()),
    )
    .unwrap();
    symlink(
        modules.canonicalize().unwrap(),
        folder.path().join("node_modules"),
    )
    .unwrap();
    let node = |arguments: &[&str]| {
        let mut node = Command::new("node");
        node.arg("chat.mjs").args(arguments).current_dir(folder.path());
        node
    };
    // Bob comes later and gets it from the log; with a text of his own he then goes.
    for (token, text, expected) in [
        (&alice, "Xin chào!", "3 Alice: Xin chào!\n"),
        (&bob, "Chào!", "3 Alice: Xin chào!\n4 Bob: Chào!\n"),
    ] {
        let output = node(&[token, "1", text]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (&*String::from_utf8_lossy(&output.stdout), &*errors),
            (expected, "")
        );
    }
}
