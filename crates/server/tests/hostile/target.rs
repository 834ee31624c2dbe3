//! The server that a row attacks.

use std::{fs, net::SocketAddr, time::Duration};

use sealroom_testkit::client::Client;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    common::Store,
    faults::Faults,
    world::{World, succeed},
};

/// The group that every target has.
pub(crate) const GROUP: u64 = 1;
/// A member of it, for the row to play.
pub(crate) const MALLORY: u64 = 1;
/// Another member, for the row to play.
pub(crate) const ALICE: u64 = 2;
/// Somebody who is no member.
pub(crate) const OUTSIDER: u64 = 9;
/// Members that belong to the probe.
const PROBES: [u64; 2] = [101, 102];

/// A server with one group, and a probe that says whether it still works.
pub(crate) struct Target {
    pub(crate) world: World,
    /// Changes when the row restarts the server itself.
    pid: u32,
}

/// Plays a row: a new server, the row, and after it the probe.
pub(crate) async fn play(store: Store, settings: &[(&str, &str)], row: impl AsyncFnOnce(&mut Target)) {
    let mut target = Target::start(store, settings).await;
    row(&mut target).await;
    target.works().await;
}

impl Target {
    async fn start(store: Store, settings: &[(&str, &str)]) -> Self {
        let world = World::start_with(store, settings).await;
        world
            .group(GROUP, [MALLORY, ALICE].into_iter().chain(PROBES))
            .await;
        Self {
            pid: world.server.pid(),
            world,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.world.addr()
    }

    /// What it keeps its data in, for further servers of a row.
    pub(crate) fn store(&self) -> Store {
        match self.world.server.database() {
            Some(_) => Store::Postgres,
            None => Store::Sqlite,
        }
    }

    /// A client that means well connects, joins, sends, and another one receives; the server is the process that it was
    /// and had no panic.
    pub(crate) async fn works(&self) {
        let [listener, speaker] = [self.probe(PROBES[0]).await, self.probe(PROBES[1]).await];
        succeed(&listener, "join_group", json!({"group_id": GROUP})).await;
        let message = json!({"group_id": GROUP, "encrypted_content": "still here"});
        let ack = succeed(&speaker, "send_message", message).await;
        let heard = loop {
            let heard = listener.next_event("new_message").await.unwrap();
            if heard["sender_id"] == PROBES[1] {
                break heard;
            }
        };
        assert_eq!(heard, ack["message"]);
        for client in [listener, speaker] {
            client.disconnect().await.unwrap();
        }
        assert_eq!(self.world.server.pid(), self.pid, "the server is another process");
        let log = self.world.server.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    async fn probe(&self, user_id: u64) -> Client {
        match Client::connect(self.addr(), &self.world.token(user_id)).await {
            Ok(client) => client,
            Err(error) => panic!(
                "nobody can connect: {error}; its log:\n{}",
                self.world.server.log()
            ),
        }
    }

    /// Restarts the server, as a row that kills it does.
    pub(crate) fn restart(&mut self) {
        self.world.server.restart();
        self.pid = self.world.server.pid();
    }

    /// Restarts the server with a disk and a clock that do what they are told.
    pub(crate) fn restart_with_faults(&mut self) -> Faults {
        let faults = Faults::new();
        for (name, value) in faults.environment("sealroom.db") {
            self.world.server.set(name, &value);
        }
        self.restart();
        faults
    }

    /// The server's resident memory in bytes, without the pages of files.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib: u64 = line.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
        kib * 1024
    }

    /// How many descriptors the server has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count()
    }

    /// How many TCP connections the server has with clients, in any state but listening.
    pub(crate) fn connections(&self) -> usize {
        let mine = format!("0100007F:{:04X}", self.addr().port());
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let of_mine = table.lines().filter(|line| {
            let mut columns = line.split_ascii_whitespace().skip(1);
            // Established, both kinds of FIN_WAIT, CLOSE_WAIT, LAST_ACK and CLOSING are held by the process or the kernel
            // for a client; TIME_WAIT (06) and LISTEN (0A) are not.
            columns.next() == Some(&mine) && !matches!(columns.nth(1), Some("06" | "0A"))
        });
        of_mine.count()
    }
}

/// Waits until this holds.
pub(crate) async fn eventually(within: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
