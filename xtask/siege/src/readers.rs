//! Readers that take nothing, or little, in a busy room.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use sealroom_testkit::client::{Client, Received};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use crate::{
    peer::Peer,
    probe::Times,
    target::{Target, Usage, join},
    verdict::{Verdict, mib},
};

const GROUP: u64 = 1;
const SENDERS: u64 = 5;
const MESSAGES_PER_SECOND: u64 = 200;
const MEMBERS: u64 = 200;
const STUCK: usize = 50;
const SLOW: usize = 50;
const CONTENT_BYTES: usize = 256;
/// In the kernel, for readers that take nothing.
const RECEIVE_BUFFER: u32 = 4096;

pub(crate) async fn play(target: &Target, duration: Duration, verdict: &mut Verdict) -> anyhow::Result<()> {
    target.group(GROUP, 1..=MEMBERS).await?;
    let room = Room::open(target).await?;
    // Warm: every buffer of a healthy reader has its size.
    room.talk(Duration::from_secs(10)).await;
    let clean = room.talk(Duration::from_secs(20).min(duration)).await;
    target.warm(GROUP).await?;
    let before = target.usage().await?;

    let slow = Arc::new(Slow::default());
    let mut tasks = JoinSet::new();
    for number in 0..STUCK + SLOW {
        let user_id = u64::try_from(number)? + 101;
        let (addr, token, slow) = (target.addr, target.token(user_id)?, slow.clone());
        tasks.spawn(async move {
            while !slow.is_over.load(Ordering::Relaxed) {
                // It comes back, as a client would.
                let from = 2 + u8::try_from(number % 4).unwrap_or(0);
                let Ok(peer) = Peer::joined(addr, (from, Some(RECEIVE_BUFFER)), &token, GROUP).await else {
                    sleep(Duration::from_millis(500)).await;
                    continue;
                };
                slow.came.fetch_add(1, Ordering::Relaxed);
                if number < STUCK {
                    let lasted = peer.reset().await;
                    slow.stuck.lock().push(lasted);
                } else {
                    let mut peer = peer;
                    peer.sip(1024).await;
                }
                slow.closed.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (times, most) = tokio::join!(room.talk(duration), watch(target, duration));
    slow.is_over.store(true, Ordering::Relaxed);
    tasks.shutdown().await;
    let (is_back, after) = target.back_to(before, Duration::from_mins(1)).await?;
    judge(
        verdict,
        &Measured {
            clean,
            times,
            before,
            most: most?,
            after,
            is_back,
        },
        &slow,
    );
    Ok(())
}

/// What slow readers lived through.
#[derive(Default)]
struct Slow {
    is_over: AtomicBool,
    came: AtomicU64,
    closed: AtomicU64,
    /// How long each that takes nothing was let.
    stuck: Mutex<Times>,
}

struct Measured {
    clean: Times,
    times: Times,
    before: Usage,
    most: u64,
    after: Usage,
    is_back: bool,
}

fn judge(verdict: &mut Verdict, measured: &Measured, slow: &Slow) {
    let stuck = slow.stuck.lock().clone();
    verdict.tell(format!("clean run:  {}", measured.clean));
    verdict.tell(format!("with them:  {}", measured.times));
    verdict.tell(format!(
        "{} slow readers came, {} were closed; those that take nothing: {stuck}",
        slow.came.load(Ordering::Relaxed),
        slow.closed.load(Ordering::Relaxed),
    ));
    verdict.tell(format!(
        "memory in MiB: {} before, {} at most, {} after",
        mib(measured.before.memory),
        mib(measured.most),
        mib(measured.after.memory)
    ));
    let grown = measured.most.saturating_sub(measured.before.memory);
    verdict.at_most("memory over the base line in MiB", mib(grown), 64.0);
    verdict.at_most(
        "a reader that takes nothing is gone after, in ms",
        stuck.percentile(100),
        30_000.0,
    );
    let clean = measured.clean.percentile(99);
    verdict.at_most(
        "the others' p99 in ms",
        measured.times.percentile(99),
        2.0 * clean,
    );
    verdict.holds("descriptors, tasks, sockets and rooms are back", measured.is_back);
}

/// The largest amount of memory that was seen.
pub(crate) async fn watch(target: &Target, duration: Duration) -> anyhow::Result<u64> {
    let (begin, mut most) = (Instant::now(), 0);
    while begin.elapsed() < duration {
        most = most.max(target.memory()?);
        sleep(Duration::from_millis(250)).await;
    }
    Ok(most)
}

/// The healthy half of the room.
struct Room {
    senders: Vec<Client>,
    listeners: Vec<Client>,
    heard: Arc<Mutex<Times>>,
    begun: std::time::Instant,
}

impl Room {
    async fn open(target: &Target) -> anyhow::Result<Self> {
        let (heard, begun) = (Arc::new(Mutex::new(Times::default())), std::time::Instant::now());
        let (mut senders, mut listeners) = (Vec::new(), Vec::new());
        for user_id in 1..=SENDERS {
            senders.push(Client::connect(target.addr, &target.token(user_id)?).await?);
        }
        for user_id in SENDERS + 1..=MEMBERS / 2 {
            let observer = {
                let heard = heard.clone();
                move |received: &Received| note(received, begun, &heard)
            };
            let client = Client::builder(target.addr)
                .token(&target.token(user_id)?)
                .observer(observer);
            let client = client.connect().await?;
            join(&client, GROUP).await?;
            listeners.push(client);
        }
        Ok(Self {
            senders,
            listeners,
            heard,
            begun,
        })
    }

    /// 200 messages a second; gives the times from the sending of each to each delivery.
    async fn talk(&self, duration: Duration) -> Times {
        *self.heard.lock() = Times::default();
        let rate = u32::try_from(MESSAGES_PER_SECOND).unwrap_or(1);
        let (begin, mut tick) = (Instant::now(), interval(Duration::from_secs(1) / rate));
        let mut senders = self.senders.iter().cycle();
        while begin.elapsed() < duration {
            tick.tick().await;
            let Some(sender) = senders.next() else { break };
            let now = self.begun.elapsed().as_micros().to_string();
            let content = format!("{now} {}", "x".repeat(CONTENT_BYTES - now.len() - 1));
            sender.emit(
                "send_message",
                json!({"group_id": GROUP, "encrypted_content": content}),
            );
        }
        sleep(Duration::from_secs(1)).await;
        debug_assert!(!self.listeners.is_empty(), "somebody listens");
        self.heard.lock().clone()
    }
}

fn note(received: &Received, begun: std::time::Instant, heard: &Mutex<Times>) {
    if !received.is_event("new_message") {
        return;
    }
    let now = begun.elapsed();
    let payload = received.payload();
    let sent = payload
        .get("encrypted_content")
        .and_then(Value::as_str)
        .and_then(|content| content.split(' ').next())
        .and_then(|sent| sent.parse().ok())
        .map(Duration::from_micros);
    if let Some(sent) = sent {
        heard.lock().push(now.saturating_sub(sent));
    }
}
