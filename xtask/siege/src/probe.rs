//! A client that means well, and what it feels.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use parking_lot::Mutex;
use sealroom_testkit::client::{Client, Received};
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::{
    target::{Target, join},
    verdict::millis,
};

/// Times, of which the middle and the slowest hundredth count.
#[derive(Debug, Default, Clone)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that so many of a hundred do not exceed, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).copied().map_or(f64::NAN, millis)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [middle, slow] = [50, 99].map(|percent| self.percentile(percent));
        write!(f, "p50 {middle} ms, p99 {slow} ms of {}", self.count())
    }
}

/// Sends every 10 ms, and measures until another socket has it.
pub(crate) struct Probe {
    sender: Client,
    heard: Arc<Mutex<Heard>>,
    group_id: u64,
    begun: Instant,
    _listener: Client,
}

#[derive(Default)]
struct Heard {
    times: Times,
    /// Since `begun`, in microseconds: what a message's content says of when it was sent.
    last: u64,
}

impl Probe {
    /// In a group of its own, with two users of its own.
    pub(crate) async fn start(target: &Target, group_id: u64, users: [u64; 2]) -> anyhow::Result<Self> {
        target.group(group_id, users).await?;
        let (begun, heard) = (Instant::now(), Arc::new(Mutex::new(Heard::default())));
        let observer = {
            let heard = heard.clone();
            move |received: &Received| note(received, begun, &heard)
        };
        let listener = Client::builder(target.addr)
            .token(&target.token(users[1])?)
            .observer(observer);
        let listener = listener.connect().await?;
        join(&listener, group_id).await?;
        let sender = Client::connect(target.addr, &target.token(users[0])?).await?;
        Ok(Self {
            sender,
            heard,
            group_id,
            begun,
            _listener: listener,
        })
    }

    /// What it feels in this time.
    pub(crate) async fn feel(&self, duration: Duration) -> anyhow::Result<Times> {
        self.heard.lock().times = Times::default();
        let (begin, mut tick) = (Instant::now(), interval(Duration::from_millis(10)));
        let mut sent = 0;
        while begin.elapsed() < duration {
            tick.tick().await;
            // 50 a second are allowed to one user.
            if sent % 2 == 0 {
                let now = u64::try_from(self.begun.elapsed().as_micros())?;
                let message = json!({"group_id": self.group_id, "encrypted_content": now.to_string()});
                let answer = timeout(
                    Duration::from_secs(15),
                    self.sender.emit_with_ack("send_message", message),
                );
                let ack = answer.await.context("no answer")??;
                ensure!(
                    ack.get("success") == Some(&json!(true)),
                    "the probe is refused: {ack}"
                );
            }
            sent += 1;
        }
        let heard = self.heard.lock();
        ensure!(heard.times.count() > 0, "nothing was delivered");
        Ok(heard.times.clone())
    }
}

fn note(received: &Received, begun: Instant, heard: &Mutex<Heard>) {
    if !received.is_event("new_message") {
        return;
    }
    let payload = received.payload();
    let sent = payload.get("encrypted_content").and_then(Value::as_str);
    let Some(sent) = sent.and_then(|sent| sent.parse::<u64>().ok()) else {
        return;
    };
    let mut heard = heard.lock();
    if sent > heard.last {
        heard.last = sent;
        heard
            .times
            .push(begun.elapsed().saturating_sub(Duration::from_micros(sent)));
    }
}
