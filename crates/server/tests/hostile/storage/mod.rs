//! Crashes, databases that do not answer, disks that fail and clocks that jump.

mod disks;
mod places;

use std::time::{Duration, Instant};

use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    hold::{Hold, Sqlite},
    target::{ALICE, GROUP, MALLORY, Target},
    world::{ask, number, succeed},
};
use disks::{st_4_the_disk_fails, st_15_the_clock_jumps};
use places::{
    st_9_the_same_message_many_times, st_10_the_same_id_for_another_message, st_11_refusals_leave_no_gaps,
    st_16_places_that_are_not_there, st_17_migrations_run_again, st_18_a_backup_of_a_running_server,
};

/// Every request is answered within it.
const ANSWERED: Duration = Duration::from_secs(5);

rows! {
    played {
        "ST-1" => st_1_a_kill_with_sends_in_flight,
        "ST-2" => st_2_the_database_hangs,
        "ST-3" => st_3_an_outcome_that_nobody_knows,
        "ST-4" => st_4_the_disk_fails,
        "ST-5" => st_5_somebody_else_uses_the_database,
        "ST-6" => st_6_all_connections_are_taken,
        "ST-9" => st_9_the_same_message_many_times,
        "ST-10" => st_10_the_same_id_for_another_message,
        "ST-11" => st_11_refusals_leave_no_gaps,
        "ST-15" => st_15_the_clock_jumps,
        "ST-16" => st_16_places_that_are_not_there,
        "ST-17" => st_17_migrations_run_again,
        "ST-18" => st_18_a_backup_of_a_running_server,
        "ST-19" => st_19_an_end_under_load_with_stuck_sockets,
    }
    not_played {
        "ST-7": "no client can drop a future of the server: server::abandoned drops each use case after every number of polls, on both stores",
        "ST-8": "no input makes a handler panic: persistence sqlite::tests::failures and engine slow_store panic inside a transaction and inside a host's port",
        "ST-12": "from outside it is the order of every delivery, which ST-11 checks here, and server::e2e order on 60 000 messages",
        "ST-13": "there is no bus between servers yet",
        "ST-14": "there is no bus between servers yet",
    }
}

/// A message under an id of its client's.
fn message(id: &str) -> Value {
    json!({"group_id": GROUP, "encrypted_content": format!("content of {id}"), "client_message_id": id})
}

/// The messages of the log, each by the id of its client's; each id must be there once.
async fn stored(target: &Target) -> Vec<String> {
    let log = target.world.log(GROUP).await;
    let ids = log.iter().filter_map(|entry| entry["client_message_id"].as_str());
    let ids: Vec<_> = ids.map(str::to_owned).collect();
    let mut once = ids.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "a message twice: {ids:?}");
    ids
}

async fn status(target: &Target, path: &str) -> u16 {
    http::request(target.addr(), "GET", path, None, None)
        .await
        .unwrap()
        .status
}

/// Waits until the server says that it is ready, or is not: for a quarter of a second it says what it knew.
async fn readiness_becomes(target: &Target, expected: u16) {
    let deadline = Instant::now() + ANSWERED;
    while status(target, "/readyz").await != expected {
        assert!(Instant::now() < deadline, "never {expected}");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status(target, "/healthz").await, 200);
}

/// Sends again until it is stored, as clients do, with as many requests in flight as there are ids.
async fn send_until_stored(client: &Client, ids: &[String]) {
    let deadline = Instant::now() + 6 * ANSWERED;
    let mut left = ids.to_vec();
    while !left.is_empty() {
        assert!(Instant::now() < deadline, "never stored: {left:?}");
        let sends: Vec<_> = left
            .iter()
            .map(|id| client.request("send_message", message(id)))
            .collect();
        let mut refused = Vec::new();
        for (id, send) in left.iter().zip(sends) {
            let ack = send.answer().await.unwrap();
            if ack["success"] != true {
                assert_eq!(
                    (&ack["code"], &ack["retryable"]),
                    (&json!("unavailable"), &json!(true)),
                    "{ack}"
                );
                refused.push(id.clone());
            }
        }
        left = refused;
    }
}

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

async fn st_1_a_kill_with_sends_in_flight(target: &mut Target) {
    let mut expected = Vec::new();
    for round in 0..5_u64 {
        let client = target.world.socket(MALLORY).await;
        let sent = ids(&format!("round-{round}"), 40);
        let sends: Vec<_> = sent
            .iter()
            .map(|id| client.request("send_message", message(id)))
            .collect();
        // Before the first, between two of them, after the last.
        sleep(Duration::from_millis(round * 3)).await;
        target.restart();
        let mut acknowledged = Vec::new();
        for (id, send) in sent.iter().zip(sends) {
            if send.answer().await.is_ok_and(|ack| ack["success"] == true) {
                acknowledged.push(id.clone());
            }
        }
        let there = stored(target).await;
        assert!(
            acknowledged.iter().all(|id| there.contains(id)),
            "acknowledged and lost"
        );
        let client = target.world.socket(MALLORY).await;
        send_until_stored(&client, &sent).await;
        expected.extend(sent);
        assert_eq!(
            stored(target).await,
            expected,
            "in the order in which they were sent"
        );
    }
}

async fn st_2_the_database_hangs(target: &mut Target) {
    let client = target.world.joined(MALLORY, GROUP).await;
    let hold = Hold::begin(&target.world).await;
    let begin = Instant::now();
    let ack = ask(&client, "send_message", message("held")).await;
    assert_eq!(ack["code"], "unavailable", "{ack}");
    assert!(number(&ack["retry_after_ms"]) > 0);
    assert!(begin.elapsed() < ANSWERED, "{:?}", begin.elapsed());
    readiness_becomes(target, 503).await;
    hold.end().await;
    send_until_stored(&client, &["held".to_owned()]).await;
    assert_eq!(stored(target).await, ["held"]);
    readiness_becomes(target, 200).await;
}

/// What the server asked is done, and nobody says so: PostgreSQL ends its connections, and SQLite's disk takes longer
/// than anybody waits.
async fn st_3_an_outcome_that_nobody_knows(target: &mut Target) {
    let sent = ids("unknown", 60);
    if let Some(database) = target.world.server.database() {
        let client = target.world.socket(MALLORY).await;
        let other = database.client().await;
        let storm = async {
            for _ in 0..40 {
                let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                other.execute(end, &[]).await.unwrap();
                sleep(Duration::from_millis(25)).await;
            }
        };
        let sending = async {
            for ids in sent.chunks(3) {
                send_until_stored(&client, ids).await;
            }
        };
        tokio::join!(storm, sending);
    } else {
        let faults = target.restart_with_faults();
        let client = target.world.socket(MALLORY).await;
        faults.slow_syncs(6_000);
        let sends: Vec<_> = sent
            .iter()
            .map(|id| client.request("send_message", message(id)))
            .collect();
        for send in sends {
            let ack = send.answer().await.unwrap();
            assert_eq!(ack["code"], "unavailable", "{ack}");
        }
        faults.slow_syncs(0);
        send_until_stored(&client, &sent).await;
    }
    let mut there = stored(target).await;
    there.sort();
    let mut expected = sent;
    expected.sort();
    assert_eq!(there, expected);
}

/// Another process takes locks all the time, and on SQLite reads for so long that the log beside the database cannot be
/// written back meanwhile.
async fn st_5_somebody_else_uses_the_database(target: &mut Target) {
    let client = target.world.socket(MALLORY).await;
    let sent = ids("beside", 200);
    let sending = async {
        for ids in sent.chunks(4) {
            send_until_stored(&client, ids).await;
        }
    };
    if let Some(database) = target.world.server.database() {
        let other = database.client().await;
        let locking = async {
            for _ in 0..30 {
                let lock =
                    "BEGIN; LOCK TABLE entries IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0.02); COMMIT";
                other.batch_execute(lock).await.unwrap();
            }
        };
        tokio::join!(locking, sending);
    } else {
        let mut reader = Sqlite::open(&target.world);
        reader.execute("BEGIN");
        reader.execute("SELECT count(*) FROM entries");
        let mut writer = Sqlite::open(&target.world);
        let locking = async {
            for _ in 0..30 {
                writer.execute("BEGIN IMMEDIATE");
                sleep(Duration::from_millis(20)).await;
                writer.execute("COMMIT");
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::join!(locking, sending);
        let log = target.world.server.data_dir.path().join("sealroom.db-wal");
        let while_read = log.metadata().unwrap().len();
        reader.execute("ROLLBACK");
        // Nobody reads: what was kept for the reader is written back, and its room used again.
        for ids in ids("after", 2_000).chunks(4) {
            send_until_stored(&client, ids).await;
        }
        let after = log.metadata().unwrap().len();
        assert!(
            after <= while_read.max(8 * 1024 * 1024),
            "the log beside the database grows: {while_read} {after}"
        );
        return;
    }
    assert_eq!(stored(target).await, sent);
}

async fn st_6_all_connections_are_taken(target: &mut Target) {
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(target.world.socket(MALLORY).await);
    }
    let before = target.memory();
    let hold = Hold::begin(&target.world).await;
    let begin = Instant::now();
    let sends: Vec<_> = clients
        .iter()
        .enumerate()
        .flat_map(|(number, client)| {
            ids(&format!("taken-{number}"), 50)
                .into_iter()
                .map(move |id| client.request("send_message", message(&id)))
        })
        .collect();
    let calls = (0..40).map(|_| {
        let body = json!({"encrypted_content": "x"});
        target.world.user(ALICE, "POST", "/groups/1/messages", body)
    });
    let calls = futures_util::future::join_all(calls);
    let answers = futures_util::future::join_all(
        sends
            .into_iter()
            .map(sealroom_testkit::client::PendingAck::answer),
    );
    let (calls, answers) = tokio::join!(calls, answers);
    assert!(
        begin.elapsed() < ANSWERED + Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    for answer in answers {
        let ack = answer.unwrap();
        assert!(
            ack["code"] == "unavailable" || ack["code"] == "rate_limited",
            "{ack}"
        );
    }
    for call in calls {
        assert_eq!((call.status, &call.json()["code"]), (503, &json!("unavailable")));
    }
    hold.end().await;
    let client = &clients[0];
    send_until_stored(client, &["after".to_owned()]).await;
    assert!(stored(target).await.contains(&"after".to_owned()));
    let grown = target.memory().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes more");
}

async fn st_19_an_end_under_load_with_stuck_sockets(target: &mut Target) {
    let client = target.world.socket(MALLORY).await;
    let mut stuck = Vec::new();
    for _ in 0..5 {
        let reader = Client::builder(target.addr())
            .token(&target.world.token(ALICE))
            .receive_buffer(4096)
            .connect()
            .await
            .unwrap();
        succeed(&reader, "join_group", json!({"group_id": GROUP})).await;
        reader.pause_reading();
        stuck.push(reader);
    }
    let sent = ids("last", 60);
    let large = "x".repeat(20_000);
    let sends: Vec<_> = sent
        .iter()
        .map(|id| {
            let message = json!({"group_id": GROUP, "encrypted_content": large, "client_message_id": id});
            client.request("send_message", message)
        })
        .collect();
    let begin = Instant::now();
    let ended = target.world.server.terminate();
    assert!(ended.success(), "{ended:?}");
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    let mut acknowledged = Vec::new();
    for (id, send) in sent.iter().zip(sends) {
        match send.answer().await {
            Ok(ack) if ack["success"] == true => acknowledged.push(id.clone()),
            Ok(ack) => assert!(
                ack["code"] == "shutting_down" || ack["code"] == "unavailable",
                "{ack}"
            ),
            Err(_closed) => {}
        }
    }
    target.restart();
    let there = stored(target).await;
    assert!(
        acknowledged.iter().all(|id| there.contains(id)),
        "acknowledged and lost"
    );
}
