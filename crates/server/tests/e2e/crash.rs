//! What was acknowledged survives a kill of the server, and a retry is harmless.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use sealroom_testkit::client::PendingAck;
use serde_json::{Value, json};
use tokio::{
    task::{JoinSet, block_in_place},
    time::sleep,
};

use crate::{
    common::Store,
    random::Random,
    reader::Reader,
    world::{World, number},
};

const KILLS: usize = 20;
const CLIENTS: u64 = 8;
const IN_FLIGHT: usize = 20;
const GROUP: u64 = 1;

on_each_store!(nothing_acknowledged_is_lost_in_20_kills, worker_threads = 2);
async fn nothing_acknowledged_is_lost_in_20_kills(store: Store) {
    let mut world = World::start_on(store).await;
    world.group(GROUP, 1..=CLIENTS).await;
    let log_id = world.log_id(GROUP).await;
    let mut authors: Vec<_> = (1..=CLIENTS)
        .map(|user_id| Author::new(&world, user_id))
        .collect();
    let mut random = Random::new();
    let mut figures = Figures::default();
    let begin = Instant::now();
    for _ in 0..KILLS {
        let log = world.log(GROUP).await;
        figures.unacknowledged_stored += check(&authors, &log);
        let stored = Arc::new(places(&log));
        let mut running = JoinSet::new();
        for author in authors.drain(..) {
            running.spawn(author.write_until_cut_off(stored.clone()));
        }
        // Sometimes while they still come back and retry.
        sleep(Duration::from_millis(30) + random.moment(Duration::from_millis(400))).await;
        block_in_place(|| world.server.kill());
        authors = running.join_all().await;
        figures.unacknowledged += authors
            .iter()
            .map(|author| author.unacknowledged.len())
            .sum::<usize>();
        let started = Instant::now();
        block_in_place(|| world.server.restart());
        figures.slowest_start = figures.slowest_start.max(started.elapsed());
    }

    // Nobody is killed any more: everything is retried, and there once.
    let log = world.log(GROUP).await;
    figures.unacknowledged_stored += check(&authors, &log);
    let stored = places(&log);
    for author in &mut authors {
        assert!(author.come_back(&stored).await);
        assert_eq!(author.unacknowledged.len(), 0);
        figures.retries += author.retries;
        figures.duplicates += author.duplicates;
    }
    let log = world.log(GROUP).await;
    assert_eq!(check(&authors, &log), 0);
    let messages = log.iter().filter(|entry| entry["type"] == "new_message").count();
    let sent: usize = authors.iter().map(|author| author.acknowledged.len()).sum();
    assert_eq!(messages, sent);
    for author in &mut authors {
        author.reader.cut().await;
        author.reader.connect().await.unwrap();
        author.reader.join(500).await.unwrap();
        assert!(
            author.reader.copy.entries == log,
            "what an author received is the log"
        );
        // It has held every answer against the first one that it got.
        assert_eq!(author.reader.copy.log_id(), Some(&*log_id));
    }
    println!(
        "{KILLS} kills in {:.1?}, {sent} messages: {figures:?}",
        begin.elapsed()
    );
    assert!(
        figures.unacknowledged > 100 && figures.duplicates > 10 && sent > 1000,
        "{figures:?}"
    );
}

#[derive(Debug, Default)]
struct Figures {
    unacknowledged: usize,
    unacknowledged_stored: usize,
    retries: usize,
    duplicates: usize,
    slowest_start: Duration,
}

/// Where each message is, by its `client_message_id`; each is there once.
fn places(log: &[Value]) -> HashMap<String, Value> {
    let messages = log.iter().filter(|entry| entry["type"] == "new_message");
    let mut places = HashMap::new();
    for message in messages {
        let id = message["client_message_id"].as_str().unwrap().to_owned();
        let twice = places.insert(id, without_type(message));
        assert_eq!(twice, None, "stored twice: {message}");
    }
    places
}

/// As the event and the ack carry it.
fn without_type(entry: &Value) -> Value {
    let mut message = entry.clone();
    message.as_object_mut().unwrap().remove("type");
    message
}

/// Everything acknowledged is in the log as it was acknowledged; gives the number of messages that are there although
/// nobody was told.
fn check(authors: &[Author], log: &[Value]) -> usize {
    let stored = places(log);
    let mut untold = stored.len();
    for author in authors {
        for (id, message) in &author.acknowledged {
            assert_eq!(stored.get(id), Some(message));
            untold -= 1;
        }
        let unknown = author.unacknowledged.iter().filter(|id| stored.contains_key(*id));
        untold -= unknown.count();
    }
    assert_eq!(untold, 0, "messages that nobody sent");
    let unacknowledged = authors.iter().flat_map(|author| &author.unacknowledged);
    unacknowledged.filter(|id| stored.contains_key(*id)).count()
}

/// A client that sends with several messages in flight, and knows what was acknowledged.
struct Author {
    user_id: u64,
    reader: Reader,
    /// The message of each acknowledged `client_message_id`.
    acknowledged: HashMap<String, Value>,
    /// Sent and not acknowledged, in order.
    unacknowledged: VecDeque<String>,
    sent: u64,
    retries: usize,
    duplicates: usize,
}

impl Author {
    fn new(world: &World, user_id: u64) -> Self {
        Self {
            user_id,
            reader: Reader::new(world, user_id, GROUP),
            acknowledged: HashMap::new(),
            unacknowledged: VecDeque::new(),
            sent: 0,
            retries: 0,
            duplicates: 0,
        }
    }

    async fn write_until_cut_off(mut self, stored: Arc<HashMap<String, Value>>) -> Self {
        if self.come_back(&stored).await {
            self.write().await;
        }
        self.reader.cut().await;
        self
    }

    /// Connects, recovers, and retries what it has no answer for. Says whether it got that far.
    async fn come_back(&mut self, stored: &HashMap<String, Value>) -> bool {
        if self.reader.connect().await.is_err() || self.reader.join(500).await.is_err() {
            return false;
        }
        // One that was acknowledged is retried too.
        let known = self.acknowledged.keys().next().cloned();
        let ids: Vec<_> = self.unacknowledged.iter().cloned().chain(known).collect();
        let retries: Vec<_> = ids.iter().map(|id| self.request(id)).collect();
        for (id, retry) in ids.into_iter().zip(retries) {
            let Ok(ack) = retry.answer().await else {
                return false;
            };
            self.retries += 1;
            assert_eq!(ack["success"], true, "{ack}");
            assert_eq!(ack["duplicate"], stored.contains_key(&id), "{ack}");
            if let Some(first) = stored.get(&id) {
                self.duplicates += 1;
                assert_eq!(ack["message"], *first);
            }
            self.acknowledge(id, &ack);
        }
        true
    }

    async fn write(&mut self) {
        let mut in_flight: VecDeque<(String, PendingAck)> = VecDeque::new();
        loop {
            while in_flight.len() < IN_FLIGHT {
                let id = format!("{}-{}", self.user_id, self.sent);
                self.sent += 1;
                in_flight.push_back((id.clone(), self.request(&id)));
                self.unacknowledged.push_back(id);
            }
            let (id, next) = in_flight.pop_front().unwrap();
            match next.answer().await {
                Ok(ack) => {
                    assert_eq!(
                        (&ack["success"], &ack["duplicate"]),
                        (&json!(true), &json!(false)),
                        "{ack}"
                    );
                    self.acknowledge(id, &ack);
                }
                Err(_cut_off) => break,
            }
        }
        // Answers that had come in behind one that had not.
        for (id, rest) in in_flight {
            if let Ok(ack) = rest.answer().await {
                self.acknowledge(id, &ack);
            }
        }
    }

    fn request(&self, id: &str) -> PendingAck {
        let message = json!({
            "group_id": GROUP,
            "encrypted_content": format!("content of {id}"),
            "client_message_id": id,
        });
        self.reader.client().request("send_message", message)
    }

    fn acknowledge(&mut self, id: String, ack: &Value) {
        let message = &ack["message"];
        assert_eq!(message["client_message_id"], *id);
        assert!(number(&message["seq"]) > 0);
        self.unacknowledged.retain(|other| *other != id);
        let before = self.acknowledged.insert(id, message.clone());
        assert!(before.is_none_or(|before| before == *message));
    }
}
