//! Order: what sockets send with several messages in flight is stored, delivered and acknowledged in the order sent,
//! at every receiver, nothing lost and nothing doubled.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sealroom_testkit::client::{Client, Kind, Received};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use crate::{
    common::Store,
    world::{World, log_over_socket, number, succeed},
};

/// Messages that each socket has in flight.
const IN_FLIGHT: usize = 16;

/// Without any progress for this long, something was lost.
const STUCK: Duration = Duration::from_secs(20);

on_each_store!(sixty_thousand_messages_in_groups_of_two, worker_threads = 2);
async fn sixty_thousand_messages_in_groups_of_two(store: Store) {
    let groups = (1..=50)
        .map(|group| (group, vec![2 * group, 2 * group + 1]))
        .collect();
    play(store, groups, 600, Reread::ByEveryMember).await;
}

on_each_store!(
    six_thousand_messages_in_a_group_of_two_hundred,
    worker_threads = 2
);
async fn six_thousand_messages_in_a_group_of_two_hundred(store: Store) {
    play(store, vec![(1, (1..=200).collect())], 30, Reread::ByOneMember).await;
}

/// Who reads the log back; it must equal what everybody received.
#[derive(PartialEq)]
enum Reread {
    ByEveryMember,
    ByOneMember,
}

/// Every member of every group sends so many messages, all at the same time.
async fn play(store: Store, groups: Vec<(u64, Vec<u64>)>, messages_each: u64, reread: Reread) {
    let world = World::start_on(store).await;
    let progress = Arc::new(Progress::default());
    let mut members = Vec::new();
    let mut expected = 0;
    for (group_id, users) in groups {
        world.group(group_id, users.iter().copied()).await;
        let sent = u64::try_from(users.len()).unwrap() * messages_each;
        for user_id in &users {
            members.push(Member::join(&world, group_id, *user_id, &progress).await);
            // Each message of the group, and an answer for each of its own.
            expected += sent + messages_each;
        }
    }

    let begin = Instant::now();
    let mut senders = JoinSet::new();
    for member in &members {
        let (client, ear) = (member.client.clone(), member.ear.clone());
        let (group_id, user_id, window) = (member.group_id, member.user_id, member.window.clone());
        senders.spawn(async move {
            for counter in 0..messages_each {
                window.acquire().await.unwrap().forget();
                let message =
                    format!(r#"{{"group_id":{group_id},"encrypted_content":"{user_id}:{counter}"}}"#);
                // Locked, so that the answer is not heard before it is awaited.
                let mut ear = ear.lock();
                let ack = client.request("send_message", message);
                ear.awaited.insert(ack.id(), counter);
            }
        });
    }
    progress.reach(expected, &world).await;
    senders.join_all().await;
    let took = begin.elapsed();

    for (index, member) in members.iter().enumerate() {
        member
            .check(&world, index == 0 || reread == Reread::ByEveryMember)
            .await;
    }
    println!(
        "{} sockets, {} messages, {} deliveries and acks in {took:.1?}",
        members.len(),
        messages_each * u64::try_from(members.len()).unwrap(),
        expected
    );
}

/// Events and acks that arrived, of all sockets.
#[derive(Default)]
struct Progress(AtomicU64);

impl Progress {
    async fn reach(&self, expected: u64, world: &World) {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let now = self.0.load(Ordering::Relaxed);
            if now >= expected {
                return;
            }
            if now > last {
                (last, since) = (now, Instant::now());
            }
            assert!(
                since.elapsed() < STUCK,
                "{now} of {expected} arrived; the server's log:\n{}",
                world.server.log()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

struct Member {
    group_id: u64,
    user_id: u64,
    client: Arc<Client>,
    ear: Arc<Mutex<Ear>>,
    window: Arc<Semaphore>,
    /// Where the log ended when it joined.
    head: u64,
}

/// What one socket heard, checked as it comes.
#[derive(Default)]
struct Ear {
    user_id: u64,
    /// The place of the next entry; known when it has joined.
    next_seq: Option<u64>,
    /// Sender and counter of each message, in order.
    heard: Vec<(u64, u64)>,
    /// The next counter of each sender.
    next_counter: HashMap<u64, u64>,
    /// The places of its own messages, by counter.
    own: Vec<u64>,
    /// The counter that each ack id stands for.
    awaited: HashMap<u64, u64>,
    acked: u64,
    wrong: Vec<String>,
}

impl Member {
    async fn join(world: &World, group_id: u64, user_id: u64, progress: &Arc<Progress>) -> Self {
        let ear = Arc::new(Mutex::new(Ear {
            user_id,
            ..Ear::default()
        }));
        let window = Arc::new(Semaphore::new(IN_FLIGHT));
        let client = Client::builder(world.addr())
            .token(&world.token(user_id))
            .observer({
                let (ear, window, progress) = (ear.clone(), window.clone(), progress.clone());
                move |received| {
                    let mut ear = ear.lock();
                    let is_mine = ear.take(received);
                    drop(ear);
                    if is_mine == Heard::Ack {
                        window.add_permits(1);
                    }
                    if is_mine != Heard::Other {
                        progress.0.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
            .connect()
            .await
            .unwrap();
        let ack = succeed(&client, "join_group", json!({"group_id": group_id})).await;
        let head = number(&ack["head_seq"]);
        ear.lock().next_seq = Some(head + 1);
        Self {
            group_id,
            user_id,
            client: Arc::new(client),
            ear,
            window,
            head,
        }
    }

    /// After everything has arrived: nothing was wrong, nothing comes twice, and the log says the same.
    async fn check(&self, world: &World, reread: bool) {
        // Whatever was sent to this socket too much is in front of this answer.
        succeed(
            &self.client,
            "get_entries",
            json!({"group_id": self.group_id, "limit": 1}),
        )
        .await;
        let ear = std::mem::take(&mut *self.ear.lock());
        assert!(ear.wrong.is_empty(), "user {}: {:#?}", self.user_id, ear.wrong);
        assert_eq!(self.client.closed(), None);
        assert_eq!(ear.acked, u64::try_from(ear.own.len()).unwrap());
        assert_eq!(ear.awaited.len(), 0, "every ack came");
        if !reread {
            return;
        }
        let over_http = world.log(self.group_id).await;
        assert_eq!(log_over_socket(&self.client, self.group_id).await, over_http);
        let stored: Vec<_> = over_http
            .iter()
            .skip(self.head.try_into().unwrap())
            .map(sender_and_counter)
            .collect();
        assert!(
            stored == ear.heard,
            "the log differs from what user {} heard",
            self.user_id
        );
    }
}

#[derive(PartialEq)]
enum Heard {
    Message,
    Ack,
    Other,
}

impl Ear {
    fn take(&mut self, received: &Received) -> Heard {
        match received.kind() {
            Kind::Event if received.is_event("new_message") => {
                self.message(received.json());
                Heard::Message
            }
            Kind::Ack(id) => match self.awaited.remove(&id) {
                Some(counter) => {
                    self.ack(counter, received.json());
                    Heard::Ack
                }
                // The join, or a page.
                None => Heard::Other,
            },
            Kind::Event if self.next_seq.is_none() => Heard::Other,
            // Dropping the client at the end of the test is not seen here.
            other => {
                self.wrong.push(format!("{other:?} {}", received.frame()));
                Heard::Other
            }
        }
    }

    fn message(&mut self, json: &str) {
        let Some(seq) = self.next_seq else { return };
        let (sender, counter) = content(json);
        let expected = self.next_counter.entry(sender).or_default();
        let is_right = integer(json, r#""seq":"#) == seq
            && integer(json, r#""sender_id":"#) == sender
            && counter == *expected;
        *expected = counter + 1;
        self.next_seq = Some(seq + 1);
        self.heard.push((sender, counter));
        if sender == self.user_id {
            self.own.push(seq);
        }
        if !is_right {
            self.wrong.push(format!("not seq {seq}: {json}"));
        }
    }

    /// Each ack comes in its turn, after the message itself, and names its place.
    fn ack(&mut self, counter: u64, json: &str) {
        let own = self.own.get(usize::try_from(counter).unwrap());
        let is_right = json.starts_with(r#"[{"success":true,"#)
            && counter == self.acked
            && content(json) == (self.user_id, counter)
            && own.is_some_and(|seq| integer(json, r#""seq":"#) == *seq)
            && json.contains(r#""duplicate":false"#);
        self.acked += 1;
        if !is_right {
            self.wrong.push(format!("ack of {counter}: {json}"));
        }
    }
}

/// Sender and counter in the content of a message. Read without a parser: there are a million of them.
fn content(json: &str) -> (u64, u64) {
    let text = json
        .split_once(r#""encrypted_content":""#)
        .map_or("", |(_, text)| text);
    (integer(text, ""), integer(text, ":"))
}

/// The integer behind the first occurrence of a key; 0 where there is none, which no test sends as an id or a place.
fn integer(json: &str, key: &str) -> u64 {
    let Some((_, text)) = json.split_once(key) else {
        return 0;
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

fn sender_and_counter(entry: &Value) -> (u64, u64) {
    content(&entry.to_string())
}
