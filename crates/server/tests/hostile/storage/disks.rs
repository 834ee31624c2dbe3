//! What the disk and the clock do.

use std::time::{Duration, Instant};

use sealroom_testkit::client::Client;
use serde_json::json;

use super::{ANSWERED, ids, message, readiness_becomes, send_until_stored, stored};
use crate::{
    faults::{EDQUOT, EIO, ENOSPC, EROFS, Faults},
    target::{ALICE, GROUP, MALLORY, Target, eventually},
    world::{ask, succeed},
};

/// PostgreSQL looks after its disk itself, and ends where `fsync` fails; to the server it is a database that is gone,
/// which ST-2 and ST-3 play. What is left for it here is a data directory on a disk that fails.
pub(super) async fn st_4_the_disk_fails(target: &mut Target) {
    let faults = target.restart_with_faults();
    let client = target.world.socket(MALLORY).await;
    send_until_stored(&client, &["first".to_owned()]).await;
    if target.world.server.database().is_some() {
        faults.fail_writes(EIO);
        faults.fail_syncs(EIO);
        send_until_stored(&client, &["second".to_owned()]).await;
        faults.fail_writes(0);
        faults.fail_syncs(0);
        assert_eq!(stored(target).await, ["first", "second"]);
        return;
    }
    // Each acknowledged message was on the disk before.
    let before = faults.syncs();
    for id in ["second", "third"] {
        succeed(&client, "send_message", message(id)).await;
    }
    assert!(faults.syncs() >= before + 2);
    for error in [ENOSPC, EDQUOT] {
        no_room(target, &faults, &client, error).await;
    }
    let expected = ["first", "second", "third", "after 28", "after 122"];
    assert_eq!(stored(target).await, expected);

    for (number, fail) in [Faults::fail_syncs, Faults::fail_writes].into_iter().enumerate() {
        for error in [EIO, EROFS] {
            the_server_ends(target, &faults, fail, error, &format!("{number} {error}")).await;
        }
    }
}

/// Nothing is stored, everything is answered, what is there is read, and it goes on when there is room.
async fn no_room(target: &Target, faults: &Faults, client: &Client, error: i64) {
    faults.fail_writes(error);
    for id in ids(&format!("no room {error}"), 3) {
        let begin = Instant::now();
        let ack = ask(client, "send_message", message(&id)).await;
        assert_eq!(
            (&ack["code"], &ack["retryable"]),
            (&json!("unavailable"), &json!(true)),
            "{ack}"
        );
        assert!(begin.elapsed() < ANSWERED);
    }
    readiness_becomes(target, 503).await;
    succeed(client, "get_entries", json!({"group_id": GROUP})).await;
    faults.fail_writes(0);
    send_until_stored(client, &[format!("after {error}")]).await;
    readiness_becomes(target, 200).await;
}

/// Nothing more is acknowledged, the process says why and ends, and the next one has all that was acknowledged.
async fn the_server_ends(
    target: &mut Target,
    faults: &Faults,
    fail: fn(&Faults, i64),
    error: i64,
    name: &str,
) {
    let before = stored(target).await;
    let client = target.world.socket(MALLORY).await;
    fail(faults, error);
    let ack = ask(&client, "send_message", message(&format!("lost {name}"))).await;
    assert_eq!(ack["code"], "unavailable", "{ack}");
    // The disk seems to work again. Nobody knows what is on it.
    fail(faults, 0);
    if let Ok(ack) = client
        .emit_with_ack("send_message", message(&format!("late {name}")))
        .await
    {
        assert!(
            ack["code"] == "unavailable" || ack["code"] == "shutting_down",
            "{ack}"
        );
    }
    let ended = target.world.server.wait_ended(Duration::from_secs(15));
    assert_eq!(ended.code(), Some(1));
    let log = target.world.server.log();
    assert!(log.contains("error: the disk of the database failed"), "{log}");
    target.restart();
    // What nobody knew of may be there, once.
    let mut there = stored(target).await;
    there.retain(|id| *id != format!("lost {name}"));
    assert_eq!(there, before);
    let client = target.world.socket(MALLORY).await;
    send_until_stored(&client, &[format!("again {name}")]).await;
}

/// Order is by place; leases go by the clock, and everything that only waits does not.
pub(super) async fn st_15_the_clock_jumps(target: &mut Target) {
    const HOUR: i64 = 3600;
    let faults = target.restart_with_faults();
    let listener = target.world.joined(ALICE, GROUP).await;
    let long = target.world.token_for(MALLORY, Duration::from_hours(24));
    let client = Client::connect(target.addr(), &long).await.unwrap();
    let day = target.world.token_for(ALICE, Duration::from_hours(24));
    succeed(&listener, "refresh_token", json!({"token": day})).await;

    let mut times = Vec::new();
    for (round, ahead) in [0, HOUR, -HOUR, 0, -24 * HOUR, 2].into_iter().enumerate() {
        faults.set_clock_ahead(ahead);
        let message = message(&format!("jump-{round}"));
        let ack = succeed(&client, "send_message", message.clone()).await;
        assert_eq!(listener.next_event("new_message").await.unwrap(), ack["message"]);
        times.push(ack["message"]["timestamp"].as_str().unwrap().to_owned());
        // A retry is the same message at any time.
        let again = succeed(&client, "send_message", message).await;
        assert_eq!(
            (&again["duplicate"], &again["message"]),
            (&json!(true), &ack["message"])
        );
    }
    assert!(times.is_sorted(), "{times:?}");
    assert!(
        times[1] > times[0] && times[2..].iter().all(|time| time[..16] >= times[1][..16]),
        "{times:?}"
    );
    assert_eq!(stored(target).await, ids("jump", 6));

    // A token's end is a time of day: two hours on, those of an hour are over, and that of a day is not.
    let hourly = target.world.socket(MALLORY).await;
    faults.set_clock_ahead(2 * HOUR);
    let refused = ask(&hourly, "get_entries", json!({"group_id": GROUP})).await;
    assert_eq!(refused["code"], "token_expired", "{refused}");
    succeed(&client, "get_entries", json!({"group_id": GROUP})).await;
    eventually(
        Duration::from_secs(3),
        "a socket whose token is over is closed",
        || hourly.closed().is_some(),
    )
    .await;
    assert_eq!(listener.closed(), None);
    faults.set_clock_ahead(0);
}
