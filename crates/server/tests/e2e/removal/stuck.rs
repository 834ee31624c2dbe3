//! A socket of the guest that does not read for some rounds, with more under way to it than its connection takes.

use std::fs;

use sealroom_testkit::client::{Client, PendingAck};

use super::succeeds;
use crate::{watched::Watched, world::World};

/// Small, but not so small that it takes long to read everything at last.
const RECEIVE_BUFFER: u32 = 64 * 1024;
/// What is at the begin of the log, to be asked for: together far more than both ends of a connection take.
const LARGE: usize = 10;
const LARGE_BYTES: usize = 50_000;

pub(super) struct Stuck {
    pub(super) socket: Watched,
    /// What it asked while it did not read.
    requests: Vec<PendingAck>,
    is_reading: bool,
}

/// Writes the large entries.
pub(super) async fn write_large(staying: &Watched) {
    for _ in 0..LARGE {
        succeeds(staying.say(&"x".repeat(LARGE_BYTES))).await;
    }
}

impl Stuck {
    pub(super) async fn connect(world: &World, user_id: u64, group_id: u64) -> Self {
        let builder = Client::builder(world.addr()).receive_buffer(RECEIVE_BUFFER);
        Self {
            socket: Watched::connect_through(builder, world, user_id, group_id).await,
            requests: Vec::new(),
            is_reading: true,
        }
    }

    pub(super) fn is_reading(&self) -> bool {
        self.is_reading
    }

    /// Joins, and stops reading. What it asks for fills the connection; everything later waits in the server.
    pub(super) async fn stop_reading(&mut self) {
        // Heard while it still reads, so that it is in the group from the first of these rounds on.
        succeeds(self.socket.join()).await;
        self.socket.client.pause_reading();
        self.is_reading = false;
        self.requests.push(self.socket.page_after(0, LARGE + 2));
    }

    /// Joins, and hears of it whenever it reads again.
    pub(super) fn joins(&mut self) {
        self.requests.push(self.socket.join());
    }

    /// Whether the server has something for it that its connection does not take.
    pub(super) fn is_stuck(&self, world: &World) -> bool {
        let ends =
            [world.addr(), self.socket.client.local_addr()].map(|end| format!("0100007F:{:04X}", end.port()));
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().any(|line| {
            let columns: Vec<_> = line.split_ascii_whitespace().collect();
            // The fifth is TX:RX, the bytes that the peer did not take and those that the process did not read.
            matches!(columns.as_slice(), [_, local, peer, _, queues, ..]
                if *local == ends[0] && *peer == ends[1] && !queues.starts_with("00000000:"))
        })
    }

    /// Reads everything that has come for it meanwhile. Every request was answered, once, as a member or as none.
    pub(super) async fn read_again(&mut self) {
        self.socket.client.resume_reading();
        self.is_reading = true;
        for request in self.requests.drain(..) {
            let ack = request.answer().await.unwrap();
            assert!(ack["success"] == true || ack["code"] == "not_a_member", "{ack}");
        }
        self.socket.settle().await;
    }
}
