//! Ids of requests: in answers, and in the log.

use std::{
    io,
    sync::{Arc, Mutex},
};

use crate::{
    failures::Defective,
    support::{App, Ask, Reply, Setup},
};

fn id(reply: &Reply) -> &str {
    let ids: Vec<_> = reply.headers.get_all("x-request-id").iter().collect();
    assert_eq!(ids.len(), 1, "{reply:?}");
    ids[0].to_str().unwrap()
}

const LINES: [&str; 7] = [
    "GET /",
    "GET /healthz",
    "GET /docs",
    "GET /api/v1/me",
    "GET /api/v1/groups/x",
    "PATCH /api/v1/me",
    "GET /nothing",
];

#[tokio::test]
async fn a_good_id_is_taken_over() {
    let app = App::new();
    for line in LINES {
        for own in ["a", "018f-aa.b:c/d=", &"x".repeat(128)] {
            let reply = app.send(Ask::new(line).header("x-request-id", own)).await;
            assert_eq!(id(&reply), own, "{line}");
        }
    }
}

#[tokio::test]
async fn every_other_request_gets_one_of_its_own() {
    let app = App::new();
    let mut seen = Vec::new();
    for line in LINES {
        let long = "x".repeat(129);
        for bad in ["", "a b", "a\"b", "a'b", "a\\b", "a\tb", &long] {
            let reply = app.send(Ask::new(line).header("x-request-id", bad)).await;
            seen.push(id(&reply).to_owned());
            assert_ne!(id(&reply), bad);
        }
        let ask = Ask::new(line)
            .header("x-request-id", "a")
            .header("x-request-id", "b");
        seen.push(id(&app.send(ask).await).to_owned());
        seen.push(id(&app.send(Ask::new(line)).await).to_owned());
        let bytes = Ask::new(line).header_bytes("x-request-id", b"\xc3\xa9");
        seen.push(id(&app.send(bytes).await).to_owned());
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "each is another");
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the log says while a future runs.
async fn logged(filter: tracing::Level, asks: impl Future<Output = ()>) -> String {
    use tracing::instrument::WithSubscriber as _;

    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(filter)
        .with_writer(move || writer.clone())
        .finish();
    asks.with_subscriber(subscriber).await;
    String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn what_an_internal_refusal_names_is_in_the_log() {
    let app = App::with(Setup {
        verifier: Some(Arc::new(Defective)),
        ..Setup::default()
    });
    let mut told = String::new();
    let log = logged(tracing::Level::ERROR, async {
        let ask = Ask::new("GET /api/v1/me").header("authorization", "Bearer secret");
        let reply = app.send(ask.header("x-request-id", "its-own-id")).await;
        assert_eq!(reply.verdict(), "500 internal");
        let document: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        document["request_id"].as_str().unwrap().clone_into(&mut told);
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(line["fields"]["request_id"], told, "{log}");
    assert_eq!(line["span"]["id"], "its-own-id", "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test]
async fn lines_of_the_log_carry_it() {
    use sealroom_testkit::faults::Call;

    let app = App::new();
    app.faults.only(&[Call::GroupsOf]);
    app.faults.set_failing(true);
    let ask = || {
        Ask::new("GET /api/v1/groups?secret=in-the-query")
            .header("authorization", "Bearer u1")
            .header("x-request-id", "its-own-id")
    };
    // Also where the log is as quiet as it can be without being off.
    let warning = logged(tracing::Level::WARN, async {
        assert_eq!(app.send(ask()).await.status, 503);
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(warning.lines().next().unwrap()).unwrap();
    assert_eq!(line["fields"]["message"], "the store is unavailable", "{warning}");
    assert_eq!(line["span"]["name"], "request");
    assert_eq!(line["span"]["id"], "its-own-id");
    assert_eq!(line["span"]["method"], "GET");
    assert_eq!(line["span"]["route"], "/api/v1/groups");
    let all = logged(tracing::Level::TRACE, async {
        app.faults.set_failing(false);
        assert_eq!(app.send(ask()).await.status, 200);
    })
    .await;
    assert!(
        all.contains("\"answered\"") && all.contains("\"status\":200"),
        "{all}"
    );
    for secret in ["in-the-query", "Bearer", "u1\""] {
        assert!(
            !all.contains(secret) && !warning.contains(secret),
            "{secret}: {all}{warning}"
        );
    }
}
