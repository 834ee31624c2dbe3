//! `/readyz` tells the truth.

use std::{process::Command, time::Duration};

use sealroom_testkit::client::http;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{common::TestServer, world::World};

const GROUP: u64 = 1;
const USER: u64 = 2;

async fn readyz(world: &World) -> u16 {
    let answer = http::request(world.addr(), "GET", "/readyz", None, None).await;
    answer.unwrap().status
}

async fn until_ready_is(world: &World, status: u16) {
    let begin = Instant::now();
    while readyz(world).await != status {
        assert!(begin.elapsed() < Duration::from_secs(10), "never {status}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Sets how large a file the server may make, in bytes.
fn limit_files(server: &TestServer, bytes: &str) {
    let done = Command::new("prlimit")
        .args([
            &format!("--pid={}", server.pid()),
            &format!("--fsize={bytes}:unlimited"),
        ])
        .status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "this test needs prlimit, of util-linux"
    );
}

/// A file that may not grow is a disk without room: SQLite reads, locks and begins as ever, and cannot write. Without
/// clients that send anything it is ready again when there is room.
#[tokio::test]
async fn a_full_disk_is_not_ready_until_there_is_room() {
    let world = World::of(TestServer::start());
    world.group(GROUP, [USER]).await;
    let socket = world.joined(USER, GROUP).await;
    assert_eq!(readyz(&world).await, 200);

    limit_files(&world.server, "4096");
    let message = json!({"group_id": GROUP, "encrypted_content": "x".repeat(10_000)});
    let ack = socket.emit_with_ack("send_message", &message).await.unwrap();
    assert_eq!(ack["code"], "unavailable", "{ack}");
    until_ready_is(&world, 503).await;
    // Health is another question: a restart would not make room.
    let health = http::request(world.addr(), "GET", "/healthz", None, None).await;
    assert_eq!(health.unwrap().status, 200);

    limit_files(&world.server, "unlimited");
    until_ready_is(&world, 200).await;
    let ack = socket.emit_with_ack("send_message", &message).await.unwrap();
    assert_eq!(ack["success"], true, "{ack}");
    assert_eq!(readyz(&world).await, 200);
}
