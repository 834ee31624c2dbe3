//! A client that keeps a group's log by the recovery promise, and takes it at its word.

use std::{mem, net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use sealroom_testkit::client::{Client, ClientError, ConnectError, Kind, PendingAck, Received};
use serde_json::{Value, json};

use crate::world::{World, number};

/// The events that are entries of a log.
const ENTRIES: [&str; 3] = ["new_message", "member_added", "member_removed"];

/// A client of one user that comes back as often as it is cut off.
pub(crate) struct Reader {
    server: SocketAddr,
    token: String,
    pub(crate) copy: LogCopy,
    connection: Option<Connection>,
}

struct Connection {
    client: Client,
    /// What came and is not yet part of the copy.
    arrived: Arc<Mutex<Vec<Received>>>,
}

impl Reader {
    pub(crate) fn new(world: &World, user_id: u64, group_id: u64) -> Self {
        Self::through(world, world.addr(), user_id, group_id)
    }

    /// One that reaches the server at another address.
    pub(crate) fn through(world: &World, server: SocketAddr, user_id: u64, group_id: u64) -> Self {
        Self {
            server,
            token: world.token(user_id),
            copy: LogCopy::new(group_id),
            connection: None,
        }
    }

    /// Connects anew.
    pub(crate) async fn connect(&mut self) -> Result<(), ConnectError> {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let client = Client::builder(self.server)
            .token(&self.token)
            .observer({
                let arrived = arrived.clone();
                move |received| arrived.lock().push(received.clone())
            })
            .connect()
            .await?;
        self.copy.phase = Phase::Outside;
        self.connection = Some(Connection { client, arrived });
        Ok(())
    }

    pub(crate) fn client(&self) -> &Client {
        &self.connection.as_ref().unwrap().client
    }

    /// Asks for everything after what it has.
    pub(crate) fn request_join(&self, limit: u64) -> PendingAck {
        let mut join = json!({
            "group_id": self.copy.group_id,
            "after_seq": self.copy.entries.len(),
            "limit": limit,
        });
        if let Some(log_id) = &self.copy.log_id {
            join["log_id"] = json!(log_id);
        }
        self.client().request("join_group", join)
    }

    /// Asks for the next page of what the join's answer left out.
    pub(crate) fn request_page(&self, limit: u64) -> PendingAck {
        let page = json!({
            "group_id": self.copy.group_id,
            "after_seq": self.copy.entries.len(),
            "limit": limit,
        });
        self.client().request("get_entries", page)
    }

    /// Joins, and reads pages until it has everything up to the place from which it gets the rest live.
    pub(crate) async fn join(&mut self, limit: u64) -> Result<(), ClientError> {
        self.request_join(limit).received().await?;
        self.absorb();
        while !self.copy.is_current() {
            self.request_page(limit).received().await?;
            self.absorb();
        }
        Ok(())
    }

    /// Makes what has arrived part of the copy.
    pub(crate) fn absorb(&mut self) {
        if let Some(connection) = &self.connection {
            for received in mem::take(&mut *connection.arrived.lock()) {
                self.copy.take(&received);
            }
        }
    }

    /// Cuts the connection as a dead network would. What had arrived before stays.
    pub(crate) async fn cut(&mut self) {
        if let Some(Connection { client, arrived }) = self.connection.take() {
            client.kill().await;
            for received in mem::take(&mut *arrived.lock()) {
                self.copy.take(&received);
            }
        }
    }
}

/// A copy of a group's log. It takes entries only where the promise allows them, and nothing twice: it has no way to
/// ignore what should not have come.
pub(crate) struct LogCopy {
    group_id: u64,
    log_id: Option<String>,
    /// Entry `n` is at `n - 1`.
    pub(crate) entries: Vec<Value>,
    phase: Phase,
    pub(crate) counts: Counts,
}

/// How the entries came.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) joins: usize,
    pub(crate) with_join: usize,
    pub(crate) in_pages: usize,
    pub(crate) live: usize,
}

enum Phase {
    /// Not joined on this connection.
    Outside,
    Joined {
        /// Up to here from the answer and pages.
        head: u64,
        /// From behind the head on, not yet part of the copy.
        live: Vec<Value>,
        next_live: u64,
    },
}

impl LogCopy {
    pub(crate) fn new(group_id: u64) -> Self {
        Self {
            group_id,
            log_id: None,
            entries: Vec::new(),
            phase: Phase::Outside,
            counts: Counts::default(),
        }
    }

    /// Whether it has joined, and nothing is missing in front of what comes live.
    pub(crate) fn is_current(&self) -> bool {
        matches!(self.phase, Phase::Joined { head, .. } if self.len() >= head)
    }

    pub(crate) fn len(&self) -> u64 {
        self.entries.len().try_into().unwrap()
    }

    pub(crate) fn log_id(&self) -> Option<&str> {
        self.log_id.as_deref()
    }

    pub(crate) fn take(&mut self, received: &Received) {
        match received.kind() {
            Kind::Ack(_) => {
                let ack = received.payload();
                if ack.get("recovered").is_some() {
                    self.take_join(ack);
                } else if ack.get("entries").is_some() {
                    self.take_page(ack);
                }
            }
            Kind::Event => match received.name() {
                Some(name) if ENTRIES.contains(&name) => {
                    let mut entry = received.payload();
                    entry["type"] = json!(name);
                    self.take_live(entry);
                }
                // The end comes by itself.
                Some("server_draining") => {}
                _ => panic!("an event that nobody expects: {}", received.frame()),
            },
            Kind::Closed => {}
            _ => panic!("a packet that nobody expects: {}", received.frame()),
        }
    }

    fn take_join(&mut self, ack: Value) {
        self.counts.joins += 1;
        let log_id = ack["log_id"].as_str().unwrap();
        assert_eq!(*self.log_id.get_or_insert_with(|| log_id.into()), log_id);
        let head = number(&ack["head_seq"]);
        if let Phase::Joined { next_live, .. } = self.phase {
            // Once more on the same connection, without `after_seq`: the live entries go on.
            assert_eq!((head + 1, &ack["recovered"]), (next_live, &json!(false)), "{ack}");
            return;
        }
        assert_eq!(ack["recovered"], true, "{ack}");
        self.phase = Phase::Joined {
            head,
            live: Vec::new(),
            next_live: head + 1,
        };
        let has_more = ack["has_more"].as_bool().unwrap();
        let before = self.entries.len();
        for entry in entries(ack) {
            assert!(number(&entry["seq"]) <= head, "after the head {head}: {entry}");
            self.append(entry);
        }
        self.counts.with_join += self.entries.len() - before;
        assert_eq!(
            has_more,
            self.len() < head,
            "has_more, with {} of {head}",
            self.len()
        );
        self.append_live();
    }

    fn take_page(&mut self, ack: Value) {
        let Phase::Joined { head, .. } = self.phase else {
            panic!("a page that nobody asked for");
        };
        // What is behind the head comes live.
        for entry in entries(ack) {
            if number(&entry["seq"]) <= head {
                self.append(entry);
                self.counts.in_pages += 1;
            }
        }
        self.append_live();
    }

    fn take_live(&mut self, entry: Value) {
        let Phase::Joined { next_live, live, .. } = &mut self.phase else {
            panic!("live before the answer to the join: {entry}");
        };
        assert_eq!(entry["seq"], *next_live, "live, out of turn: {entry}");
        *next_live += 1;
        live.push(entry);
        self.append_live();
    }

    fn append_live(&mut self) {
        if self.is_current()
            && let Phase::Joined { live, .. } = &mut self.phase
        {
            for entry in mem::take(live) {
                self.counts.live += 1;
                self.append(entry);
            }
        }
    }

    fn append(&mut self, entry: Value) {
        assert_eq!(entry["seq"], self.len() + 1, "not the next entry: {entry}");
        self.entries.push(entry);
    }
}

fn entries(mut ack: Value) -> Vec<Value> {
    match ack["entries"].take() {
        Value::Array(entries) => entries,
        other => panic!("no entries: {other}"),
    }
}
