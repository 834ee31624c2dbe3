//! The first figures of docs/PERFORMANCE.md: what an idle server holds in memory, and how long a send on an idle
//! server takes beside what one `fdatasync` of the same disk takes, measured in turns in one run.
//!
//! ```sh
//! cargo bench -p sealroom-server --bench first_figures
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement, not a library"
)]
#[expect(dead_code, reason = "the measurement needs no restarts")]
#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    time::{Duration, Instant},
};

use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};

use common::TestServer;

/// Sends, and as many `fdatasync` calls between them.
const ROUNDS: usize = 2_000;
/// What a write-ahead log gains with a commit that touches two pages: what the `fdatasync` beside it writes back.
const SYNCED_BYTES: usize = 2 * 4096;
const CONTENT_BYTES: usize = 256;
/// Between two sends: the server is idle when each begins.
const PAUSE: Duration = Duration::from_millis(5);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let server = TestServer::start();
    std::thread::sleep(Duration::from_secs(3));
    let idle_kib = resident_kib(server.pid());

    let (admin, alice) = (server.mint_admin(), server.mint(1, Some("Alice"), None));
    put(&server, &admin, "/api/v1/groups/5", json!({"name": "g"})).await;
    put(&server, &admin, "/api/v1/groups/5/members/1", json!({})).await;
    let client = Client::connect(server.addr, &alice).await.unwrap();
    assert_eq!(
        ack(&client, "join_group", &json!({"group_id": 5})).await["success"],
        true
    );

    let mut disk = Disk::in_directory(server.data_dir.path());
    let content = "x".repeat(CONTENT_BYTES);
    let send = json!({"group_id": 5, "encrypted_content": content});
    let (mut syncs, mut sends) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        syncs.push(disk.write_and_sync());
        tokio::time::sleep(PAUSE).await;
        let start = Instant::now();
        assert_eq!(ack(&client, "send_message", &send).await["success"], true);
        sends.push(start.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    report(idle_kib, &mut syncs, &mut sends);
}

async fn put(server: &TestServer, token: &str, path: &str, body: Value) {
    let response = http::request(server.addr, "PUT", path, Some(token), Some(body))
        .await
        .unwrap();
    assert!((200..300).contains(&response.status), "{}", response.text());
}

async fn ack(client: &Client, event: &str, payload: &Value) -> Value {
    client.emit_with_ack(event, payload).await.unwrap()
}

/// A file beside the database, overwritten in place as a write-ahead log is.
struct Disk(File);

impl Disk {
    fn in_directory(directory: &std::path::Path) -> Self {
        let path = directory.join("fdatasync");
        Self(
            OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .open(path)
                .unwrap(),
        )
    }

    /// How long the `fdatasync` after a write takes.
    fn write_and_sync(&mut self) -> Duration {
        self.0.seek(SeekFrom::Start(0)).unwrap();
        self.0.write_all(&[7; SYNCED_BYTES]).unwrap();
        let start = Instant::now();
        self.0.sync_data().unwrap();
        start.elapsed()
    }
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn report(idle_kib: u64, syncs: &mut [Duration], sends: &mut [Duration]) {
    let idle_limit_kib = 20_000_000 / 1024;
    let (sync, send) = (quantile(syncs, 50), quantile(sends, 50));
    let limit = Duration::from_micros(500) + 3 * sync;
    println!("| figure | measured | allowed |");
    println!("|---|---|---|");
    println!("| memory of an idle server | {idle_kib} KiB | under {idle_limit_kib} KiB |");
    println!(
        "| one fdatasync, p50 / p99 | {sync:?} / {:?} | |",
        quantile(syncs, 99)
    );
    println!("| send to ack, p50 | {send:?} | {limit:?} (0.5 ms + 3 fdatasync) |");
    println!("| send to ack, p99 | {:?} | |", quantile(sends, 99));
    assert!(idle_kib < idle_limit_kib, "an idle server holds too much");
    assert!(send <= limit, "a send on an idle server takes too long");
}

fn quantile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    samples[(samples.len() - 1) * percent / 100]
}
