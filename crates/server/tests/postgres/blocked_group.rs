//! A group whose row somebody else has locked.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use crate::{
    database::{self, Outside},
    load::{LATEST, is_refused_for_now},
    world::{World, succeed},
};

/// Of different lanes: a group's lane is its id modulo their number.
const BLOCKED: u64 = 1;
const FREE: u64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_group_holds_up_no_group_of_another_lane() {
    let database = database::start();
    let world = World::of(database::serve(&database));
    for group_id in [BLOCKED, FREE] {
        world.group(group_id, [1, 2]).await;
    }
    let (blocked, free) = (world.joined(1, BLOCKED).await, world.joined(2, FREE).await);
    let message = |group_id: u64, id: &str| json!({"group_id": group_id, "encrypted_content": "x", "client_message_id": id});
    succeed(&blocked, "send_message", message(BLOCKED, "before")).await;
    let talk = async |name: &str| {
        let mut slowest = Duration::ZERO;
        for number in 0..100 {
            let begin = Instant::now();
            succeed(&free, "send_message", message(FREE, &format!("{name}-{number}"))).await;
            slowest = slowest.max(begin.elapsed());
        }
        slowest
    };
    let before = talk("before").await;

    let outside = Outside::connect(&database).await;
    outside
        .run(&format!(
            "BEGIN; SELECT 1 FROM groups WHERE id = {BLOCKED} FOR UPDATE"
        ))
        .await;
    let begin = Instant::now();
    let sends: Vec<_> = (0..8)
        .map(|number| blocked.request("send_message", message(BLOCKED, &number.to_string())))
        .collect();
    let meanwhile = talk("meanwhile").await;
    for send in sends {
        let ack = send.answer().await.unwrap();
        assert!(begin.elapsed() < LATEST, "{:?}", begin.elapsed());
        assert!(is_refused_for_now(&ack), "{ack}");
    }
    let refused = begin.elapsed();
    // Whoever comes later is not better off, and not worse.
    let later = Instant::now();
    let ack = blocked
        .emit_with_ack("send_message", message(BLOCKED, "later"))
        .await
        .unwrap();
    assert!(is_refused_for_now(&ack) && later.elapsed() < LATEST, "{ack}");
    let still = talk("still").await;

    outside.run("ROLLBACK").await;
    let begin = Instant::now();
    for id in (0..8).map(|number| number.to_string()).chain(["later".into()]) {
        loop {
            let ack = blocked
                .emit_with_ack("send_message", message(BLOCKED, &id))
                .await
                .unwrap();
            if ack["success"] == true {
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(2), "{ack}");
            sleep(Duration::from_millis(20)).await;
        }
    }
    println!(
        "slowest send of a free group: {before:.1?} before, {meanwhile:.1?} and {still:.1?} meanwhile; refused after \
         {refused:.1?}, all stored {:.1?} after the lock",
        begin.elapsed()
    );
    assert!(meanwhile.max(still) < Duration::from_secs(1));
    assert_eq!(world.log(BLOCKED).await.len(), 2 + 1 + 9, "each of them once");
    assert_eq!(world.log(FREE).await.len(), 2 + 300);
}
