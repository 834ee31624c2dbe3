//! Numbers in the log, and logs that are restored.

use futures_util::future::join_all;
use sealroom_testkit::client::Client;
use serde_json::json;

use super::{Sqlite, ids, message, send_until_stored, stored};
use crate::{
    target::{ALICE, GROUP, MALLORY, OUTSIDER, Target},
    world::{ask, send, succeed},
};

pub(super) async fn st_9_the_same_message_many_times(target: &mut Target) {
    let first = target.world.socket(MALLORY).await;
    let second = target.world.socket(MALLORY).await;
    let sends: Vec<_> = (0..50)
        .map(|number| [&first, &second][number % 2].request("send_message", message("same")))
        .collect();
    let mut acks = Vec::new();
    for send in sends {
        acks.push(send.answer().await.unwrap());
    }
    let new = acks.iter().filter(|ack| ack["duplicate"] == false).count();
    assert_eq!(new, 1);
    let path = "/groups/1/messages";
    let body = json!({"encrypted_content": "content of same"});
    target.restart();
    let again = target.world.socket(MALLORY).await;
    let after_restart = succeed(&again, "send_message", message("same")).await;
    assert_eq!(after_restart["duplicate"], true);
    for ack in acks.iter().chain([&after_restart]) {
        assert_eq!(
            (&ack["success"], &ack["message"]),
            (&json!(true), &acks[0]["message"])
        );
    }
    // Without the key it is another message, over HTTP as well.
    let other = target.world.user(MALLORY, "POST", path, body).await;
    assert_eq!((other.status, &other.json()["duplicate"]), (201, &json!(false)));
    assert_eq!(stored(target).await, ["same"]);
}

pub(super) async fn st_10_the_same_id_for_another_message(target: &mut Target) {
    target.world.group(2, [MALLORY]).await;
    let client = target.world.socket(MALLORY).await;
    succeed(&client, "send_message", message("id")).await;
    for (key, value) in [("encrypted_content", json!("another")), ("key_epoch", json!(1))] {
        let mut other = message("id");
        other[key] = value;
        let ack = ask(&client, "send_message", other).await;
        assert_eq!(ack["code"], "idempotency_conflict", "{ack}");
    }
    // Another group, another sender: another id.
    let mut elsewhere = message("id");
    elsewhere["group_id"] = json!(2);
    assert_eq!(
        succeed(&client, "send_message", elsewhere).await["duplicate"],
        false
    );
    let alice = target.world.socket(ALICE).await;
    assert_eq!(
        succeed(&alice, "send_message", message("id")).await["duplicate"],
        false
    );
    // Who is no member learns nothing of whether it is taken.
    let outsider = target.world.socket(OUTSIDER).await;
    let refused = ask(&outsider, "send_message", message("id")).await;
    assert_eq!(refused["code"], "not_a_member");
    assert_eq!(target.world.log(2).await.len(), 2);
}

/// Of many senders at once, some are refused in the middle of a batch: the places of the others have no gap, and every
/// delivery comes in their order.
pub(super) async fn st_11_refusals_leave_no_gaps(target: &mut Target) {
    let members: Vec<u64> = (200..240).collect();
    target.world.group(2, members.iter().copied()).await;
    let listener = target.world.joined(200, 2).await;
    let outsider = target.world.socket(OUTSIDER).await;
    let clients = join_all(members.iter().map(|user_id| target.world.socket(*user_id))).await;
    let mut sends = Vec::new();
    for round in 0..10 {
        for client in &clients {
            let id = format!("id {}", round / 2);
            // Every second one is another message under an id that was used.
            let message =
                json!({"group_id": 2, "encrypted_content": round.to_string(), "client_message_id": id});
            sends.push(client.request("send_message", message));
        }
        sends.push(outsider.request("send_message", json!({"group_id": 2, "encrypted_content": "x"})));
    }
    let (mut seqs, mut refused) = (Vec::new(), 0);
    for send in sends {
        let ack = send.answer().await.unwrap();
        match ack["message"]["seq"].as_u64() {
            Some(seq) => seqs.push(seq),
            None => refused += 1,
        }
    }
    assert_eq!((seqs.len(), refused), (5 * members.len(), 5 * members.len() + 10));
    seqs.sort_unstable();
    let head = u64::try_from(members.len() + seqs.len()).unwrap();
    let first = u64::try_from(members.len()).unwrap() + 1;
    assert!(seqs.into_iter().eq(first..=head), "a gap");
    for seq in first..=head {
        assert_eq!(listener.next_event("new_message").await.unwrap()["seq"], seq);
    }
}

pub(super) async fn st_16_places_that_are_not_there(target: &mut Target) {
    let client = target.world.socket(MALLORY).await;
    send_until_stored(&client, &ids("place", 3)).await;
    let log_id = target.world.log_id(GROUP).await;
    let head = succeed(&client, "join_group", json!({"group_id": GROUP})).await["head_seq"].take();
    let join = async |client: &Client, place: serde_json::Value| {
        let mut join = place;
        join["group_id"] = json!(GROUP);
        ask(client, "join_group", join).await
    };
    for place in [
        json!(-1),
        json!("1"),
        json!(1.0),
        json!(9_007_199_254_740_992_u64),
        json!([1]),
    ] {
        let refused = join(&client, json!({"after_seq": place})).await;
        assert_eq!(
            (&refused["code"], &refused["field"]),
            (&json!("invalid_data"), &json!("after_seq"))
        );
    }
    for place in [
        json!({"after_seq": head.as_u64().unwrap() + 1}),
        json!({"after_seq": 9_007_199_254_740_991_u64}),
        json!({"after_seq": 0, "log_id": "another"}),
    ] {
        let ack = join(&client, place.clone()).await;
        let (recovered, entries) = (&ack["recovered"], &ack["entries"]);
        assert_eq!(
            (recovered, entries, &ack["head_seq"]),
            (&json!(false), &json!([]), &head),
            "{place}"
        );
    }
    let ack = join(&client, json!({"after_seq": 0, "log_id": log_id})).await;
    assert_eq!(
        (&ack["recovered"], &ack["log_id"]),
        (&json!(true), &json!(log_id))
    );
    // After a crash the place is the same.
    target.restart();
    let client = target.world.socket(MALLORY).await;
    let ack = join(&client, json!({"after_seq": head, "log_id": log_id})).await;
    assert_eq!((&ack["recovered"], &ack["entries"]), (&json!(true), &json!([])));
    // A restored backup has another log: nothing of what a client has counts.
    target.world.server.kill();
    target.world.server.run(&["new-log"]);
    target.restart();
    let client = target.world.socket(MALLORY).await;
    let ack = join(&client, json!({"after_seq": 1, "log_id": log_id})).await;
    assert_eq!((&ack["recovered"], &ack["entries"]), (&json!(false), &json!([])));
    assert_ne!(ack["log_id"], json!(log_id));
}

pub(super) async fn st_17_migrations_run_again(target: &mut Target) {
    let client = target.world.socket(MALLORY).await;
    send_until_stored(&client, &["before".to_owned()]).await;
    // Beside a server that runs, several at once, as others of the same database would.
    let others: Vec<_> = (0..4).map(|_| tempfile::TempDir::new().unwrap()).collect();
    let database = target
        .world
        .server
        .database()
        .map(|database| database.url().to_owned());
    let file = format!(
        "sqlite://{}/sealroom.db",
        target.world.server.data_dir.path().display()
    );
    let programs: Vec<_> = others
        .iter()
        .map(|directory| {
            let mut program = target.world.server.program();
            program
                .arg("migrate")
                .env("SEALROOM_DATA_DIR", directory.path())
                .env("SEALROOM_DATABASE_URL", database.as_ref().unwrap_or(&file))
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut program in programs {
        assert!(program.wait().unwrap().success());
    }
    send_until_stored(&client, &["meanwhile".to_owned()]).await;
    for _ in 0..2 {
        target.restart();
        assert_eq!(stored(target).await, ["before", "meanwhile"]);
    }
}

/// The commands of docs/OPERATIONS.md, while messages come in.
pub(super) async fn st_18_a_backup_of_a_running_server(target: &mut Target) {
    let client = target.world.socket(MALLORY).await;
    let sent = ids("backed-up", 100);
    let sending = async {
        for ids in sent.chunks(5) {
            send_until_stored(&client, ids).await;
        }
    };
    let log_id = target.world.log_id(GROUP).await;
    if target.world.server.database().is_some() {
        // A restore needs a second database and the programs of PostgreSQL's clients; what is asked here is whether the
        // rows of one moment are a log, and a snapshot is what those programs read.
        let other = target.world.server.database().unwrap().client().await;
        let reading = async {
            let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            for _ in 0..10 {
                other.batch_execute(snapshot).await.unwrap();
                let question = "SELECT count(*), max(e.seq), max(g.head_seq) FROM entries e JOIN groups g ON g.id = e.group_id";
                let row = other.query_one(question, &[]).await.unwrap();
                let [count, last, head] = [row.get::<_, i64>(0), row.get(1), row.get(2)];
                assert!(count == last && last == head, "{count} {last} {head}");
                other.batch_execute("COMMIT").await.unwrap();
            }
        };
        tokio::join!(sending, reading);
        assert_eq!(stored(target).await, sent);
        return;
    }
    let directory = tempfile::TempDir::new().unwrap();
    let backup = directory.path().join("sealroom.db");
    let mut other = Sqlite::open(&target.world);
    let copying = async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        other.execute(&format!("VACUUM INTO '{}'", backup.display()))
    };
    tokio::join!(sending, copying);
    drop(other);
    target.world.server.kill();
    let files = target.world.server.data_dir.path();
    for name in ["sealroom.db-wal", "sealroom.db-shm"] {
        std::fs::remove_file(files.join(name)).unwrap();
    }
    std::fs::copy(&backup, files.join("sealroom.db")).unwrap();
    target.world.server.run(&["new-log"]);
    target.restart();
    let mut restored = Sqlite::open(&target.world);
    assert_eq!(restored.execute("PRAGMA integrity_check"), "ok");
    let there = stored(target).await;
    assert_eq!(there, sent[..there.len()]);
    assert_ne!(target.world.log_id(GROUP).await, log_id);
    let client = target.world.joined(MALLORY, GROUP).await;
    send(&client, GROUP, "goes on").await;
}
