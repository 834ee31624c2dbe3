//! More messages than the server can store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sealroom_testkit::client::{Client, PendingAck};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use crate::{
    readers::watch,
    target::{Target, join},
    verdict::{Verdict, mib},
};

const CLIENTS: u64 = 100;
const GROUPS: u64 = 50;
/// At capacity each client has so many under way.
const UNDER_WAY: usize = 16;
const CONTENT_BYTES: usize = 256;

/// What became of the requests.
#[derive(Default)]
struct Tally {
    stored: AtomicU64,
    refused: AtomicU64,
    /// Without an answer, or with one that is none.
    lost: AtomicU64,
    is_over: AtomicBool,
}

pub(crate) async fn play(target: &Target, duration: Duration, verdict: &mut Verdict) -> anyhow::Result<()> {
    for group_id in 1..=GROUPS {
        target.group(group_id, [group_id, group_id + GROUPS]).await?;
    }
    let mut clients = Vec::new();
    for user_id in 1..=CLIENTS {
        // What is delivered is counted by nobody, and kept by nobody: it would be gigabytes.
        let client = Client::builder(target.addr)
            .token(&target.token(user_id)?)
            .observer(|_| {});
        let client = client.connect().await?;
        join(&client, (user_id - 1) % GROUPS + 1).await?;
        clients.push(Arc::new(client));
    }
    at_capacity(&clients, Duration::from_secs(5)).await;
    let peak = at_capacity(&clients, Duration::from_secs(20)).await;
    let before = target.usage().await?;
    let (tally, most) = tokio::join!(overload(&clients, 3 * peak, duration), watch(target, duration));
    let stored = tally.stored.load(Ordering::Relaxed) / duration.as_secs().max(1);
    sleep(Duration::from_secs(2)).await;
    let again = at_capacity(&clients, Duration::from_secs(10)).await;
    verdict.tell(format!(
        "peak: {peak} messages a second; under three times as many: {stored}; afterwards: {again}"
    ));
    let answers = [&tally.stored, &tally.refused, &tally.lost].map(|count| count.load(Ordering::Relaxed));
    let offered = answers.iter().sum::<u64>() / duration.as_secs().max(1);
    verdict.tell(format!(
        "{offered} were sent a second, as many as this machine's other half can send: {} stored, {} refused with a code, {} without an answer",
        tally.stored.load(Ordering::Relaxed),
        tally.refused.load(Ordering::Relaxed),
        tally.lost.load(Ordering::Relaxed)
    ));
    verdict.tell(format!(
        "memory in MiB: {} before, {} at most",
        mib(before.memory),
        mib(most?)
    ));
    verdict.at_least_percent("goodput under overload", stored * 100 / peak.max(1), 80);
    verdict.at_most(
        "requests without an answer",
        tally.lost.load(Ordering::Relaxed),
        0,
    );
    verdict.holds(
        "all clients are still there",
        clients.iter().all(|client| client.closed().is_none()),
    );
    Ok(())
}

fn message(number: usize) -> String {
    let group_id = u64::try_from(number).unwrap_or(0) % GROUPS + 1;
    json!({"group_id": group_id, "encrypted_content": "x".repeat(CONTENT_BYTES)}).to_string()
}

async fn count(tally: &Tally, answer: PendingAck) {
    let of = match answer.answer().await {
        Ok(ack) if ack.get("success") == Some(&Value::Bool(true)) => &tally.stored,
        Ok(ack) if ack.get("code").is_some_and(Value::is_string) => &tally.refused,
        _ => &tally.lost,
    };
    of.fetch_add(1, Ordering::Relaxed);
}

/// Each client has as many under way as it may; gives what was stored a second.
async fn at_capacity(clients: &[Arc<Client>], duration: Duration) -> u64 {
    let tally = Arc::new(Tally::default());
    let mut tasks = JoinSet::new();
    for (number, client) in clients.iter().enumerate() {
        for _ in 0..UNDER_WAY {
            let (client, tally, message) = (client.clone(), tally.clone(), message(number));
            tasks.spawn(async move {
                while !tally.is_over.load(Ordering::Relaxed) {
                    count(&tally, client.request("send_message", &message)).await;
                }
            });
        }
    }
    sleep(duration).await;
    let stored = tally.stored.load(Ordering::Relaxed) / duration.as_secs().max(1);
    tally.is_over.store(true, Ordering::Relaxed);
    while tasks.join_next().await.is_some() {}
    stored
}

/// So many a second, whatever becomes of them.
async fn overload(clients: &[Arc<Client>], rate: u64, duration: Duration) -> Arc<Tally> {
    let tally = Arc::new(Tally::default());
    let mut tasks = JoinSet::new();
    let (begin, mut tick) = (Instant::now(), interval(Duration::from_millis(20)));
    let mut sent = 0_u64;
    let mut turn = clients.iter().enumerate().cycle();
    while begin.elapsed() < duration {
        tick.tick().await;
        let due = u64::try_from(begin.elapsed().as_millis()).unwrap_or(0) * rate / 1000;
        while sent < due {
            let Some((number, client)) = turn.next() else {
                break;
            };
            let answer = client.request("send_message", message(number));
            let tally = tally.clone();
            tasks.spawn(async move { count(&tally, answer).await });
            sent += 1;
        }
        while tasks.try_join_next().is_some() {}
    }
    let counted = Arc::new(Tally::default());
    counted
        .stored
        .store(tally.stored.load(Ordering::Relaxed), Ordering::Relaxed);
    // Those that are under way are answered within their time.
    while tasks.join_next().await.is_some() {}
    for (to, from) in [(&counted.refused, &tally.refused), (&counted.lost, &tally.lost)] {
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    counted
}
