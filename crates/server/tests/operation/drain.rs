//! A deploy: one server goes away, the next takes its port and its data, and nobody misses anything.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::process::{Resource, getrlimit, setrlimit};
use sealroom_testkit::client::{Client, Kind};
use serde_json::json;
use tokio::{
    task::{JoinSet, block_in_place},
    time::{Instant, sleep},
};

use crate::{
    common::TestServer,
    world::{World, number, succeed},
};

const SOCKETS: u64 = 1000;
const GROUPS: u64 = 20;
const SENDERS: u64 = 20;
const STUCK: u64 = 20;
/// From the signal until the last socket is back.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// From the signal to the end of the process.
const GONE_WITHIN: Duration = Duration::from_secs(15);

/// What all clients of the test look at.
#[derive(Debug, Default)]
struct Shared {
    /// The last messages were sent: catch up, and end.
    finished: AtomicBool,
    joined: AtomicUsize,
    told: AtomicUsize,
    /// The senders stop after the message that they are at.
    enough: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sockets_are_back_in_time_and_miss_nothing() {
    let settings = [("SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS", "off")];
    raise_descriptors();
    let mut world = World::of(TestServer::start_with(&settings));
    for group_id in 1..=GROUPS {
        let members = (1..=SOCKETS).filter(|user| user % GROUPS == group_id % GROUPS);
        world.group(group_id, members).await;
    }
    let (addr, shared) = (world.addr(), Arc::new(Shared::default()));
    let mut readers = JoinSet::new();
    for user_id in 1..=SOCKETS {
        let reader = Reader {
            group_id: group_of(user_id),
            token: world.token(user_id),
            shared: shared.clone(),
            seqs: Vec::new(),
        };
        readers.spawn(reader.run(addr));
    }
    wait(
        || shared.joined.load(Ordering::SeqCst) == 1000,
        Duration::from_mins(1),
    )
    .await;
    let mut senders = JoinSet::new();
    for user_id in 1..=SENDERS {
        senders.spawn(send(addr, user_id, world.token(user_id), shared.clone()));
    }
    sleep(Duration::from_millis(500)).await;

    let signalled = Instant::now();
    shared.joined.store(0, Ordering::SeqCst);
    let status = block_in_place(|| world.server.terminate());
    let gone = signalled.elapsed();
    assert_eq!(status.code(), Some(0), "{}", world.server.log());
    assert_eq!(shared.told.load(Ordering::SeqCst), 1000, "not all were told");
    block_in_place(|| world.server.restart());
    wait(
        || shared.joined.load(Ordering::SeqCst) == 1000,
        BACK_WITHIN.saturating_sub(signalled.elapsed()),
    )
    .await;
    let back = signalled.elapsed();

    sleep(Duration::from_millis(500)).await;
    shared.enough.store(true, Ordering::SeqCst);
    let mut sent: HashMap<u64, Vec<u64>> = HashMap::new();
    for (group_id, seqs) in senders.join_all().await {
        sent.entry(group_id).or_default().extend(seqs);
    }
    shared.finished.store(true, Ordering::SeqCst);
    let mut all = 0;
    let mut heads = HashMap::new();
    for group_id in 1..=GROUPS {
        heads.insert(group_id, world.log(group_id).await);
    }
    for (group_id, seqs) in readers.join_all().await {
        let log = &heads[&group_id];
        // Each entry of the log once, in order: nothing was lost, nothing came twice.
        assert!(seqs.is_sorted_by(|one, next| one + 1 == *next), "{seqs:?}");
        assert_eq!(
            seqs.last().copied(),
            log.last().map(|entry| number(&entry["seq"]))
        );
        all += seqs.len();
    }
    let acknowledged: usize = sent.values().map(Vec::len).sum();
    for (group_id, seqs) in sent {
        let ids: Vec<_> = heads[&group_id]
            .iter()
            .filter_map(|entry| entry["client_message_id"].as_str())
            .collect();
        assert_eq!(
            ids.len(),
            seqs.len(),
            "as many as were acknowledged, though many were tried twice"
        );
    }
    println!(
        "gone after {gone:.1?}, all back after {back:.1?}; {acknowledged} messages, {all} entries received"
    );
    assert!(acknowledged > 100);
}

/// This process plays all the clients; many systems begin with 1 024 descriptors.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let descriptors = limit.current.unwrap_or(u64::MAX);
    assert!(
        descriptors >= 2048,
        "this test needs 2 048 descriptors, and the system allows {descriptors}"
    );
}

fn group_of(user_id: u64) -> u64 {
    match user_id % GROUPS {
        0 => GROUPS,
        group_id => group_id,
    }
}

async fn wait(is_so: impl Fn() -> bool, patience: Duration) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < patience, "not after {patience:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A member that comes back whenever it is sent away, and goes on after what it has.
struct Reader {
    group_id: u64,
    token: String,
    shared: Arc<Shared>,
    seqs: Vec<u64>,
}

impl Reader {
    async fn run(mut self, addr: std::net::SocketAddr) -> (u64, Vec<u64>) {
        let mut pause = Duration::from_millis(100);
        loop {
            // An official client waits between tries, too.
            let Ok(client) = Client::connect(addr, &self.token).await else {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
                continue;
            };
            pause = Duration::from_millis(100);
            if self.catch_up(&client).await.is_none() {
                continue;
            }
            self.shared.joined.fetch_add(1, Ordering::SeqCst);
            if self.listen(&client).await {
                return (self.group_id, self.seqs);
            }
        }
    }

    /// Joins, and reads what is missing; `None` where the connection ended in the middle.
    async fn catch_up(&mut self, client: &Client) -> Option<()> {
        let after = self.seqs.last().copied().unwrap_or(0);
        let join = json!({"group_id": self.group_id, "after_seq": after, "limit": 500});
        let mut page = client.emit_with_ack("join_group", join).await.ok()?;
        page["success"].as_bool().filter(|success| *success)?;
        assert_eq!(page["recovered"], true, "{page}");
        let head = number(&page["head_seq"]);
        loop {
            let entries = page["entries"].as_array().unwrap();
            let seqs = entries.iter().map(|entry| number(&entry["seq"]));
            self.seqs.extend(seqs.filter(|seq| *seq <= head));
            let last = self.seqs.last().copied().unwrap_or(0);
            if last >= head {
                return Some(());
            }
            let more = json!({"group_id": self.group_id, "after_seq": last, "limit": 500});
            page = client.emit_with_ack("get_entries", more).await.ok()?;
            page["success"].as_bool().filter(|success| *success)?;
        }
    }

    /// Takes live events until the connection ends, or all is over; says whether all is over.
    async fn listen(&mut self, client: &Client) -> bool {
        let mut told = false;
        loop {
            let closed = client.closed().is_some();
            let over = self.shared.finished.load(Ordering::SeqCst);
            if over {
                // In front of this answer is all that was sent before.
                let one = json!({"group_id": self.group_id, "limit": 1});
                let _ = client.emit_with_ack("get_entries", one).await;
            }
            for received in client.take_received() {
                if received.kind() != Kind::Event {
                    continue;
                }
                match received.name() {
                    Some("server_draining") => {
                        assert!(received.payload()["reconnect_after_ms"].is_u64());
                        assert!(!told, "told twice");
                        told = true;
                        self.shared.told.fetch_add(1, Ordering::SeqCst);
                    }
                    Some("new_message") => {
                        let seq = number(&received.payload()["seq"]);
                        // What came before the answer to the join and is in it.
                        if self.seqs.last().is_none_or(|last| seq > *last) {
                            self.seqs.push(seq);
                        } else {
                            panic!("{seq} came twice");
                        }
                    }
                    _ => {}
                }
            }
            if over || closed {
                return over && !closed;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Sends one message after the other, each until it is acknowledged; gives their places.
async fn send(
    addr: std::net::SocketAddr,
    user_id: u64,
    token: String,
    shared: Arc<Shared>,
) -> (u64, Vec<u64>) {
    let group_id = group_of(user_id);
    let mut seqs = Vec::new();
    let mut client: Option<Client> = None;
    while !shared.enough.load(Ordering::SeqCst) {
        let id = format!("{user_id}-{}", seqs.len());
        let message = json!({"group_id": group_id, "encrypted_content": "x", "client_message_id": id});
        loop {
            let connected = match client.take() {
                Some(connected) => Some(connected),
                None => Client::connect(addr, &token).await.ok(),
            };
            let Some(connected) = connected else {
                sleep(Duration::from_millis(200)).await;
                continue;
            };
            match connected.emit_with_ack("send_message", &message).await {
                Ok(ack) if ack["success"] == true => {
                    seqs.push(number(&ack["message"]["seq"]));
                    client = Some(connected);
                    break;
                }
                Ok(ack) => {
                    assert_eq!(ack["retryable"], true, "{ack}");
                    client = Some(connected);
                    sleep(Duration::from_millis(100)).await;
                }
                // Its connection is gone: another one.
                Err(_) => {}
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
    (group_id, seqs)
}

/// Clients that take nothing hold nobody up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_clients_do_not_hold_up_the_end() {
    let mut world = World::of(TestServer::start());
    world.group(1, 1..=STUCK + 1).await;
    let mut stuck = Vec::new();
    for user_id in 1..=STUCK {
        let builder = Client::builder(world.addr()).token(&world.token(user_id));
        let client = builder.receive_buffer(4096).connect().await.unwrap();
        succeed(&client, "join_group", json!({"group_id": 1})).await;
        client.pause_reading();
        stuck.push(client);
    }
    let sender = world.socket(STUCK + 1).await;
    // More than the kernels take, and less than what closes a slow reader.
    let message = json!({"group_id": 1, "encrypted_content": "x".repeat(60_000)});
    for _ in 0..40 {
        succeed(&sender, "send_message", message.clone()).await;
    }
    let signalled = Instant::now();
    let status = block_in_place(|| world.server.terminate());
    let gone = signalled.elapsed();
    println!("gone after {gone:.1?}");
    assert_eq!(status.code(), Some(0), "{}", world.server.log());
    assert!(gone < GONE_WITHIN, "{gone:?}");
    let told = sender.next_event("server_draining").await.unwrap();
    assert!(told["reconnect_after_ms"].is_u64());
    drop(stuck);
}
