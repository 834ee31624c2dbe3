//! What `/metrics` tells, against docs/OPERATIONS.md and against what happened.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    common::{Store, TestServer},
    document::{read, table},
    scrape::Scrape,
    world::{World, succeed},
};

/// Ids that nothing else can be taken for.
const GROUP: u64 = 918_273_645;
const ALICE: u64 = 564_738_291;
const BOB: u64 = 564_738_292;
const OUTSIDER: u64 = 564_738_293;

on_each_store!(
    metrics_are_those_of_the_documentation_and_right,
    worker_threads = 2
);
async fn metrics_are_those_of_the_documentation_and_right(store: Store) {
    let server = TestServer::start_on(store, &[("SEALROOM_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let metrics = server.metrics_address();
    let before = Scrape::of(metrics).await;
    let world = World::of(server);
    let _connected = play(&world).await;
    let scrape = Scrape::of(metrics).await;
    check_documented(&scrape);
    scrape.check_histograms();
    check_counts(&before, &scrape);

    // What the labels say is bounded: codes, types, templates.
    for value in scrape.label_values() {
        for id in [GROUP, ALICE, BOB, OUTSIDER] {
            assert!(!value.contains(&id.to_string()), "an id in a label: {value}");
        }
        assert!(!value.contains("canary"), "{value}");
    }
}

/// Two members, of whom one is removed at the end; an outsider; and what goes wrong.
async fn play(world: &World) -> [Client; 2] {
    world.group(GROUP, [ALICE, BOB]).await;
    let alice = world.joined(ALICE, GROUP).await;
    let bob = world.joined(BOB, GROUP).await;
    for number in 0..3 {
        let message =
            json!({"group_id": GROUP, "encrypted_content": "x", "client_message_id": number.to_string()});
        succeed(&alice, "send_message", message).await;
    }
    let again = json!({"group_id": GROUP, "encrypted_content": "x", "client_message_id": "0"});
    assert_eq!(succeed(&alice, "send_message", again).await["duplicate"], true);

    let outsider = world.socket(OUTSIDER).await;
    let join = json!({"group_id": GROUP});
    assert_eq!(
        outsider.emit_with_ack("join_group", join).await.unwrap()["code"],
        "not_a_member"
    );
    outsider.emit_with_ack("canary_event", json!({})).await.unwrap();
    outsider.disconnect().await.unwrap();
    assert!(Client::connect(world.addr(), "canary").await.is_err());

    let unknown = world.call("GET", "/canary", &world.token(ALICE), None).await;
    assert_eq!(unknown.status, 404);
    let none = http::request(world.addr(), "CANARY", "/canary", None, None)
        .await
        .unwrap();
    assert_eq!(none.status, 404);
    world.remove(GROUP, BOB).await;
    bob.next_event("removed_from_group").await.unwrap();
    alice.next_event("member_removed").await.unwrap();
    [alice, bob]
}

/// Every metric of the table is there with its kind and labels, and no other is.
fn check_documented(scrape: &Scrape) {
    let rows = table("docs/OPERATIONS.md", "metric");
    for row in &rows {
        let (name, kind, labels) = (&row[0], &row[1], &row[2]);
        let family = scrape.families.get(name);
        let family = family.unwrap_or_else(|| panic!("{name} is not there"));
        assert_eq!(&family.kind, kind, "{name}");
        assert!(!family.help.is_empty(), "{name} has no HELP");
        let documented: BTreeSet<_> = labels.split(", ").filter(|label| !label.is_empty()).collect();
        assert_eq!(scrape.labels(name), documented, "{name}");
        let unit = match kind.as_str() {
            "counter" => name.ends_with("_total"),
            _ => !name.ends_with("_total"),
        };
        assert!(unit, "{name} is not named as Prometheus asks");
    }
    let documented: BTreeSet<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let told: BTreeSet<_> = scrape.families.keys().map(String::as_str).collect();
    assert_eq!(told, documented);
}

#[rustfmt::skip]
fn check_counts(before: &Scrape, after: &Scrape) {
    // Counters begin at zero and not at their first event: a rate needs both.
    for (name, labels, count) in [
        ("sealroom_entries_appended_total", &[("type", "new_message")][..], 3.0),
        // Two members; the admin who made the group is none.
        ("sealroom_entries_appended_total", &[("type", "member_added")], 2.0),
        ("sealroom_entries_appended_total", &[("type", "member_removed")], 1.0),
        ("sealroom_entries_appended_total", &[("type", "message_edited")], 0.0),
        ("sealroom_sends_repeated_total", &[], 1.0),
        // Three messages and the removal, to two sockets each; the repetition went to nobody.
        ("sealroom_deliveries_total", &[], 8.0),
        ("sealroom_evictions_total", &[], 1.0),
        ("sealroom_positions_lost_total", &[], 0.0),
        ("sealroom_handshakes_total", &[("result", "accepted")], 3.0),
        ("sealroom_handshakes_total", &[("result", "token_invalid")], 1.0),
        ("sealroom_events_total", &[("event", "send_message")], 4.0),
        ("sealroom_events_total", &[("event", "join_group")], 3.0),
        ("sealroom_events_total", &[("event", "unknown")], 1.0),
        ("sealroom_refusals_total", &[("transport", "socketio"), ("code", "not_a_member")], 1.0),
        ("sealroom_refusals_total", &[("transport", "socketio"), ("code", "unknown_event")], 1.0),
        ("sealroom_refusals_total", &[("transport", "http"), ("code", "not_found")], 2.0),
        ("sealroom_sockets_closed_total", &[("cause", "write_stall")], 0.0),
        ("sealroom_connections_refused_total", &[], 0.0),
    ] {
        assert_eq!(before.value(name, labels), 0.0, "{name} {labels:?} at the start");
        assert_eq!(after.value(name, labels), count, "{name} {labels:?}");
    }
    let members = "/api/v1/groups/{group_id}/members/{user_id}";
    for (name, labels, count) in [
        ("sealroom_http_requests_total", &[("route", members), ("method", "PUT"), ("status", "200")][..], 2.0),
        ("sealroom_http_requests_total", &[("route", members), ("method", "DELETE")], 1.0),
        ("sealroom_http_requests_total", &[("route", "none"), ("method", "other"), ("status", "404")], 1.0),
        ("sealroom_http_request_seconds_count", &[("route", members), ("method", "PUT")], 2.0),
        // Sends, their repetition, and changes of members.
        ("sealroom_answer_seconds_count", &[], 7.0),
        ("sealroom_append_batch_entries_sum", &[], 7.0),
        ("sealroom_store_seconds_count", &[("operation", "append")], 7.0),
        ("sealroom_subscriptions", &[], 1.0),
        ("sealroom_feeds", &[], 1.0),
        ("sealroom_writer_queue_entries", &[], 0.0),
        ("sealroom_writer_queue_bytes", &[], 0.0),
        ("sealroom_draining", &[], 0.0),
        ("sealroom_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
    ] {
        assert_eq!(after.value(name, labels), count, "{name} {labels:?}");
    }
    for name in [
        "sealroom_sent_bytes_total",
        "sealroom_uptime_seconds",
        "sealroom_data_dir_free_bytes",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(after.value(name, &[]) > 0.0, "{name}");
    }
    assert!(after.sum("sealroom_store_seconds_sum") > 0.0);
    assert!(after.sum("sealroom_store_connection_wait_seconds_count") > 0.0);
    assert_eq!(after.sum("sealroom_store_failures_total"), 0.0);
}

#[tokio::test]
async fn what_is_open_is_told() {
    let server = TestServer::start_with(&[("SEALROOM_METRICS_LISTEN", "127.0.0.1:0")]);
    let metrics = server.metrics_address();
    let world = World::of(server);
    world.group(GROUP, [ALICE]).await;
    let sockets = [world.joined(ALICE, GROUP).await, world.socket(ALICE).await];
    let polling = polling_socket(&world).await;
    until_levels_are(
        metrics,
        &[
            ("sealroom_sockets", &[("transport", "websocket")], 2.0),
            ("sealroom_sockets", &[("transport", "polling")], 1.0),
            ("sealroom_websockets", &[], 2.0),
            ("sealroom_connections", &[], 2.0),
            ("sealroom_subscriptions", &[], 1.0),
            ("sealroom_feeds", &[], 1.0),
        ],
    )
    .await;
    for socket in sockets {
        socket.disconnect().await.unwrap();
    }
    let close = http::request_with(world.addr(), "POST", &polling, &[], b"1").await;
    assert_eq!(close.unwrap().status, 200);
    until_levels_are(
        metrics,
        &[
            ("sealroom_sockets", &[("transport", "websocket")], 0.0),
            ("sealroom_sockets", &[("transport", "polling")], 0.0),
            // Forgotten by the janitor, within a second.
            ("sealroom_websockets", &[], 0.0),
            ("sealroom_connections", &[], 0.0),
            ("sealroom_subscriptions", &[], 0.0),
            ("sealroom_feeds", &[], 0.0),
        ],
    )
    .await;
    let scrape = Scrape::of(metrics).await;
    assert!(scrape.value("sealroom_janitor_round_seconds_count", &[]) > 0.0);
}

type Level<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

/// What came or went is noticed a moment later.
async fn until_levels_are(metrics: SocketAddr, levels: &[Level<'_>]) {
    let begin = Instant::now();
    loop {
        let scrape = Scrape::of(metrics).await;
        let wrong = levels
            .iter()
            .find(|(name, labels, level)| scrape.value(name, labels) != *level);
        let Some((name, labels, level)) = wrong else {
            return;
        };
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{name} {labels:?} never was {level}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// A socket that polls; gives the path of its session.
async fn polling_socket(world: &World) -> String {
    let path = "/socket.io/?EIO=4&transport=polling";
    let open = http::request(world.addr(), "GET", path, None, None)
        .await
        .unwrap();
    let open: Value = serde_json::from_str(&open.text()[1..]).unwrap();
    let session = format!("{path}&sid={}", open["sid"].as_str().unwrap());
    let connect = format!("40{}", json!({"token": world.token(ALICE)}));
    let sent = http::request_with(world.addr(), "POST", &session, &[], connect.as_bytes()).await;
    assert_eq!(sent.unwrap().status, 200);
    loop {
        let answer = http::request(world.addr(), "GET", &session, None, None).await;
        let packets = answer.unwrap().text();
        if packets.contains("40{") {
            return session;
        }
        // A ping may be alone in front of it.
        assert_eq!(packets, "2");
    }
}

#[tokio::test]
async fn a_slow_reader_is_counted_by_its_cause() {
    let settings = [
        ("SEALROOM_METRICS_LISTEN", "127.0.0.1:0"),
        ("SEALROOM_LIMIT_OUTBOUND_BYTES", "200000"),
    ];
    let server = TestServer::start_with(&settings);
    let metrics = server.metrics_address();
    let world = World::of(server);
    world.group(GROUP, [ALICE, BOB]).await;
    let (alice, bob) = (world.joined(ALICE, GROUP).await, world.joined(BOB, GROUP).await);
    bob.pause_reading();
    let closed = [("cause", "outbound_bytes")];
    let message = json!({"group_id": GROUP, "encrypted_content": "x".repeat(30_000)});
    let begin = Instant::now();
    while Scrape::of(metrics)
        .await
        .value("sealroom_sockets_closed_total", &closed)
        < 1.0
    {
        assert!(begin.elapsed() < Duration::from_secs(30), "nobody was slow");
        succeed(&alice, "send_message", message.clone()).await;
    }
}

#[tokio::test]
async fn the_page_is_the_only_thing_there() {
    let server = TestServer::start_with(&[("SEALROOM_METRICS_LISTEN", "127.0.0.1:0")]);
    let metrics = server.metrics_address();
    for (method, path, status) in [
        ("GET", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/healthz", 404),
        ("GET", "/api/v1/groups", 404),
        ("GET", "/socket.io/?EIO=4&transport=polling", 404),
    ] {
        let answer = http::request(metrics, method, path, None, None).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
    }
    // And clients do not see it.
    let answer = http::request(server.addr, "GET", "/metrics", None, None)
        .await
        .unwrap();
    assert_eq!(answer.status, 404);
}

#[test]
fn metrics_can_be_off() {
    let server = TestServer::start_with(&[("SEALROOM_METRICS_LISTEN", "off")]);
    assert!(!server.log().contains("metrics"), "{}", server.log());
}

/// The dashboard asks for nothing that is not there, by labels that are there.
#[tokio::test]
async fn the_dashboard_shows_metrics_that_exist() {
    let server = TestServer::start_with(&[("SEALROOM_METRICS_LISTEN", "127.0.0.1:0")]);
    let metrics = server.metrics_address();
    let world = World::of(server);
    let _connected = play(&world).await;
    let scrape = Scrape::of(metrics).await;
    let series = scrape.series();
    let dashboard: Value = serde_json::from_str(&read("docs/grafana/sealroom.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = BTreeSet::new();
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["id"]);
        let title = panel["title"].as_str().unwrap();
        assert!(titles.insert(title), "{title} twice");
        if panel["type"] == "row" {
            continue;
        }
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let names = names(query);
            assert!(!names.is_empty(), "{title}: {query}");
            for name in names {
                assert!(series.contains(name), "{title}: there is no {name}");
                asked.insert(name);
            }
        }
    }
    assert!(asked.len() > 25, "{asked:?}");
    for row in table("docs/OPERATIONS.md", "alert") {
        for name in names(&row[1]) {
            assert!(series.contains(name), "the alert {}: there is no {name}", row[0]);
        }
    }
}

/// The names of metrics in a query.
fn names(query: &str) -> Vec<&str> {
    query
        .split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
        .filter(|word| word.starts_with("sealroom_") || word.starts_with("process_"))
        .collect()
}
