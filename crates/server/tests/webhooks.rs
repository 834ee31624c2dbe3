//! Webhooks from the real server to a receiver that verifies them with the official library, and that is away at first.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed check ends the test"
)]

#[expect(dead_code, reason = "each test binary uses its part")]
mod common;
#[path = "common/on_each_store.rs"]
#[macro_use]
mod on_each_store;

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use common::{Store, TestServer};
use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const GROUPS: i64 = 3;
const MESSAGES: i64 = 20;
const PATIENCE: Duration = Duration::from_mins(1);

/// The receiver's program, and the lines that it prints.
struct Host {
    child: Child,
    url: String,
    lines: Receiver<String>,
}

impl Host {
    /// Away for the first seconds, and failing now and then after.
    fn start() -> Self {
        let interpreter = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../interop-venv/bin/python");
        assert!(
            interpreter.exists(),
            "{} is missing: run cargo xtask test, which installs what the receiver needs",
            interpreter.display()
        );
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python/webhook_receiver.py");
        let mut child = Command::new(interpreter)
            .arg(program)
            .env("WEBHOOK_SECRET", SECRET)
            .env("WEBHOOK_FAIL_SECONDS", "3")
            .env("WEBHOOK_FAIL_EVERY", "7")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let first = lines.recv_timeout(PATIENCE).unwrap();
        let url = first.strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url, lines }
    }

    /// The events that it took, each once, until there are so many.
    fn take(&self, count: usize) -> Vec<Value> {
        let (mut events, until) = (Vec::new(), Instant::now() + PATIENCE);
        while events.len() < count {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("{} of {count} events: {events:#?}", events.len())
            };
            let event: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(event.get("refused"), None, "{event}");
            if event["repeated"] == false {
                events.push(event);
            }
        }
        events
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

on_each_store!(a_receiver_that_was_away_gets_everything_in_order);
async fn a_receiver_that_was_away_gets_everything_in_order(store: Store) {
    let host = Host::start();
    let settings = [
        ("SEALROOM_WEBHOOK_URL", host.url.as_str()),
        ("SEALROOM_WEBHOOK_SECRET", SECRET),
    ];
    let mut server = TestServer::start_on(store, &settings).await;
    let token = server.mint(1, Some("Alice"), Some("admin"));
    let call = async |method: &str, path: String, body: Option<Value>| {
        let answer = http::request(server.addr, method, &format!("/api/v1{path}"), Some(&token), body).await;
        let answer = answer.unwrap();
        assert!(answer.status < 300, "{path}: {}", answer.text());
    };
    for group in 1..=GROUPS {
        call(
            "POST",
            "/groups".into(),
            Some(json!({"name": "g", "members": [2, 3]})),
        )
        .await;
        for number in 0..MESSAGES {
            let message = json!({"encrypted_content": format!("canary {number}")});
            call("POST", format!("/groups/{group}/messages"), Some(message)).await;
        }
        call("DELETE", format!("/groups/{group}/members/3"), None).await;
    }
    // What was not told before a crash is told after it.
    server.kill();
    server.restart();
    // Of each group three members, the messages with who is not there, and the removal.
    let messages = usize::try_from(GROUPS * MESSAGES).unwrap();
    let mut events = host.take(2 * messages + 12);

    // Bob is there for one more message, and leaves after it.
    let bob = server.mint(2, None, None);
    let _socket = Client::connect(server.addr, &bob).await.unwrap();
    let message = json!({"encrypted_content": "canary, last"});
    for (method, path, body) in [
        ("POST", "/api/v1/groups/1/messages", Some(message)),
        ("DELETE", "/api/v1/groups/1/members/2", None),
    ] {
        let answer = http::request(server.addr, method, path, Some(&token), body).await;
        assert!(answer.unwrap().status < 300, "{path}");
    }
    events.extend(host.take(2));

    let mut places: HashMap<i64, Vec<i64>> = HashMap::new();
    for event in &events {
        let data = &event["data"];
        assert!(!event.to_string().contains("canary"), "{event}");
        if event["type"] == "user.offline_message" {
            assert!(
                data["user_ids"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|id| *id == 2 || *id == 3),
                "{event}"
            );
        } else {
            places
                .entry(data["group_id"].as_i64().unwrap())
                .or_default()
                .push(data["seq"].as_i64().unwrap());
        }
    }
    for (group, seqs) in places {
        let last = MESSAGES + 4 + if group == 1 { 2 } else { 0 };
        assert_eq!(seqs, (1..=last).collect::<Vec<_>>(), "group {group}");
    }
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(
        [
            "member.added",
            "member.removed",
            "message.created",
            "user.offline_message"
        ]
        .map(of),
        [9, 4, messages + 1, messages]
    );
}
