//! Two servers on one database: one log, whichever is asked.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sealroom_testkit::client::{Client, Kind, PendingAck, Received};
use serde_json::{Value, json};
use tokio::{
    task::{JoinSet, block_in_place},
    time::sleep,
};

use crate::{
    database,
    reader::LogCopy,
    world::{World, number, succeed},
};

const GROUPS: u64 = 10;
/// Of each group, half of them on each server.
const MEMBERS: u64 = 20;
/// Of each member.
const MESSAGES: u64 = 30;
const IN_FLIGHT: usize = 4;
/// A server hears of the other's entries within 2 s; a busy machine may be late.
const HEARD: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_senders_on_two_servers_write_one_log() {
    let database = database::start();
    let first = database::serve(&database);
    let second = block_in_place(|| first.start_another());
    let worlds = [World::of(first), World::of(second)];
    let mut members = Vec::new();
    for group_id in 1..=GROUPS {
        let users = || (0..MEMBERS).map(|index| group_id * 100 + index);
        worlds[0].group(group_id, users()).await;
        for user_id in users() {
            members.push(Member::join(&worlds, group_id, user_id).await);
        }
    }

    let begin = Instant::now();
    let mut talking = JoinSet::new();
    for member in members {
        talking.spawn(member.talk());
    }
    let members = talking.join_all().await;
    let took = begin.elapsed();
    for member in &members {
        member.hear_all().await;
    }

    let mut delays = Vec::new();
    for group_id in 1..=GROUPS {
        let log = worlds[0].log(group_id).await;
        assert!(log == worlds[1].log(group_id).await, "both servers have one log");
        check_log(&log);
        let members: Vec<_> = members
            .iter()
            .filter(|member| member.group_id == group_id)
            .collect();
        let heard: Vec<_> = members
            .iter()
            .map(|member| (member.server, member.heard.lock()))
            .collect();
        for (server, heard) in &heard {
            let mut copy = LogCopy::new(group_id);
            for (_, received) in heard.iter() {
                copy.take(received);
            }
            assert!(
                copy.entries == log,
                "live, in group {group_id} on server {server}"
            );
        }
        delays.extend(delays_in(
            &heard
                .iter()
                .map(|(server, heard)| (*server, &***heard))
                .collect::<Vec<_>>(),
        ));
    }
    delays.sort();
    let (median, slowest) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    println!(
        "{} messages of {} senders in {took:.1?}; on the other server {median:.1?} after the ack, at most \
         {slowest:.1?}, of {}",
        GROUPS * MEMBERS * MESSAGES,
        GROUPS * MEMBERS,
        delays.len()
    );
    assert!(slowest < HEARD);
    assert!(
        !database.log().contains("deadlock detected"),
        "{}",
        database.log()
    );
    for world in &worlds {
        assert!(!world.server.log().contains("panick"), "{}", world.server.log());
    }
}

/// Everything is there, and once.
fn check_log(log: &[Value]) {
    let messages = log.iter().filter(|entry| entry["type"] == "new_message");
    let ids: HashSet<_> = messages
        .map(|message| message["client_message_id"].as_str().unwrap())
        .collect();
    assert_eq!(u64::try_from(ids.len()).unwrap(), MEMBERS * MESSAGES);
    assert_eq!(u64::try_from(log.len()).unwrap(), MEMBERS + MEMBERS * MESSAGES);
}

/// How long after its ack each message reached each socket on the other server.
fn delays_in(heard: &[(usize, &[(Instant, Received)])]) -> Vec<Duration> {
    let mut acknowledged = HashMap::new();
    for (server, heard) in heard {
        for (at, received) in *heard {
            if let Kind::Ack(_) = received.kind()
                && let ack = received.payload()
                // One that was sent to both servers may be the other's.
                && ack["duplicate"] == false
                && !is_sent_twice(&ack["message"])
            {
                acknowledged.insert(number(&ack["message"]["seq"]), (*server, *at));
            }
        }
    }
    let mut delays = Vec::new();
    for (server, heard) in heard {
        for (at, received) in heard
            .iter()
            .filter(|(_, received)| received.is_event("new_message"))
        {
            if let Some((of, acknowledged)) = acknowledged.get(&number(&received.payload()["seq"]))
                && of != server
            {
                delays.push(at.saturating_duration_since(*acknowledged));
            }
        }
    }
    delays
}

/// A member with a socket that has joined on one server, and one to retry on the other.
struct Member {
    group_id: u64,
    user_id: u64,
    server: usize,
    client: Client,
    other: Client,
    /// What came to the first one, and when.
    heard: Arc<Mutex<Vec<(Instant, Received)>>>,
}

/// A message whose answer is awaited.
struct Sent {
    counter: u64,
    message: Value,
    answer: PendingAck,
    at_once: Option<PendingAck>,
}

impl Member {
    async fn join(worlds: &[World; 2], group_id: u64, user_id: u64) -> Self {
        let server = usize::from(user_id % 2 == 1);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let client = Client::builder(worlds[server].addr())
            .token(&worlds[server].token(user_id))
            .observer({
                let heard = heard.clone();
                move |received| heard.lock().push((Instant::now(), received.clone()))
            })
            .connect()
            .await
            .unwrap();
        succeed(
            &client,
            "join_group",
            json!({"group_id": group_id, "after_seq": 0}),
        )
        .await;
        Self {
            group_id,
            user_id,
            server,
            client,
            other: worlds[1 - server].socket(user_id).await,
            heard,
        }
    }

    async fn talk(self) -> Self {
        let mut in_flight = VecDeque::new();
        for counter in 0..MESSAGES {
            let message = json!({
                "group_id": self.group_id,
                "encrypted_content": format!("content of {counter}"),
                "client_message_id": format!("{}-{counter}", self.user_id),
            });
            let answer = self.client.request("send_message", &message);
            let at_once = is_twice(counter).then(|| self.other.request("send_message", &message));
            in_flight.push_back(Sent {
                counter,
                message,
                answer,
                at_once,
            });
            if in_flight.len() == IN_FLIGHT {
                self.settle(in_flight.pop_front().unwrap()).await;
            }
        }
        for sent in in_flight {
            self.settle(sent).await;
        }
        self
    }

    /// Waits for the answer. Whatever else asks for the same message gets the same entry.
    async fn settle(&self, sent: Sent) {
        let first = sent.answer.answer().await.unwrap();
        assert_eq!(first["success"], true, "{first}");
        if let Some(at_once) = sent.at_once {
            let second = at_once.answer().await.unwrap();
            assert_eq!(second["success"], true, "{second}");
            assert_ne!(
                first["duplicate"], second["duplicate"],
                "one of them stored it: {first}"
            );
            assert_eq!(first["message"], second["message"]);
            return;
        }
        assert_eq!(first["duplicate"], false, "{first}");
        if sent.counter % 5 == 1 {
            let again = succeed(&self.other, "send_message", sent.message).await;
            assert_eq!(again["duplicate"], true, "{again}");
            assert_eq!(again["message"], first["message"]);
        }
    }

    fn messages(&self) -> usize {
        let heard = self.heard.lock();
        let messages = heard
            .iter()
            .filter(|(_, received)| received.is_event("new_message"));
        messages.count()
    }

    /// Waits until everything has come, and what comes too much as well.
    async fn hear_all(&self) {
        let begin = Instant::now();
        loop {
            let messages = self.messages();
            if messages >= usize::try_from(MEMBERS * MESSAGES).unwrap() {
                break;
            }
            assert!(
                begin.elapsed() < HEARD,
                "user {} heard only {messages}",
                self.user_id
            );
            sleep(Duration::from_millis(20)).await;
        }
        succeed(
            &self.client,
            "get_entries",
            json!({"group_id": self.group_id, "limit": 1}),
        )
        .await;
        assert_eq!(self.client.closed(), None);
    }
}

/// Whether a message is sent to both servers at the same time.
fn is_twice(counter: u64) -> bool {
    counter.is_multiple_of(5)
}

fn is_sent_twice(message: &Value) -> bool {
    let id = message["client_message_id"].as_str().unwrap();
    is_twice(id.rsplit('-').next().unwrap().parse().unwrap())
}
