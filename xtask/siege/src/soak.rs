//! Hours of ordinary life, in minutes.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use anyhow::ensure;
use sealroom_testkit::client::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    target::{Target, join},
    verdict::{Verdict, mib},
};

const GROUPS: u64 = 20;
const USERS: u64 = 100;
/// How long one life of a socket lasts: five come and go a second.
const LIFE: Duration = Duration::from_secs(20);
/// Shorter than a life, so that it is renewed in the middle of it.
const LEASE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Lives {
    is_over: AtomicBool,
    connections: AtomicU64,
    messages: AtomicU64,
    evictions: AtomicU64,
    refreshes: AtomicU64,
}

pub(crate) async fn play(target: &Target, duration: Duration, verdict: &mut Verdict) -> anyhow::Result<()> {
    for group_id in 1..=GROUPS {
        target.group(group_id, members(group_id)).await?;
    }
    target.warm(1).await?;
    let before = target.usage().await?;
    let lives = Lives::default();
    let living = async {
        let all = (1..=USERS).map(|user_id| live(target, user_id, &lives));
        futures_util::future::try_join_all(all).await.map(drop)
    };
    let watching = async {
        let watched = watch(target, duration).await;
        lives.is_over.store(true, Ordering::Relaxed);
        watched
    };
    let (living, removed, samples) = tokio::join!(living, evict(target, &lives), watching);
    living?;
    removed?;
    let samples = samples?;
    let (is_back, after) = target.back_to(before, Duration::from_mins(1)).await?;

    verdict.tell(format!(
        "{} connections, {} messages, {} evictions, {} refreshes",
        lives.connections.load(Ordering::Relaxed),
        lives.messages.load(Ordering::Relaxed),
        lives.evictions.load(Ordering::Relaxed),
        lives.refreshes.load(Ordering::Relaxed),
    ));
    let warm = samples.len() / 3;
    let [begin, end] = [
        samples.get(warm..warm + 6),
        samples.get(samples.len().saturating_sub(6)..),
    ]
    .map(|part| part.map_or(0, lowest));
    verdict.tell(format!(
        "memory in MiB: {} before, {} after the first third, {} at the end, {} after all have gone",
        mib(before.memory),
        mib(begin),
        mib(end),
        mib(after.memory)
    ));
    verdict.at_most(
        "growth after the first third in MiB",
        mib(end.saturating_sub(begin)),
        1.0,
    );
    verdict.holds("descriptors, tasks, sockets and rooms are back", is_back);
    verdict.tell(format!("before: {before:?}"));
    verdict.tell(format!("after:  {after:?}"));
    Ok(())
}

fn members(group_id: u64) -> impl Iterator<Item = u64> {
    (1..=USERS).filter(move |user_id| user_id % 4 == group_id % 4)
}

/// What is there in any case: the highest values are bursts.
fn lowest(samples: &[u64]) -> u64 {
    samples.iter().copied().min().unwrap_or(0)
}

async fn watch(target: &Target, duration: Duration) -> anyhow::Result<Vec<u64>> {
    let (begin, mut samples) = (Instant::now(), Vec::new());
    while begin.elapsed() < duration {
        sleep(Duration::from_secs(5)).await;
        let usage = target.usage().await?;
        samples.push(usage.memory);
        if samples.len() % 12 == 0 {
            println!("{:>4} s  {usage:?}", begin.elapsed().as_secs());
        }
    }
    ensure!(samples.len() >= 24, "two minutes are the least");
    Ok(samples)
}

/// One user: comes, joins, writes, renews its token, and goes, in one way or another, again and again.
async fn live(target: &Target, user_id: u64, lives: &Lives) -> anyhow::Result<()> {
    // Not all of them at once.
    sleep(LIFE / 100 * u32::try_from(user_id)?).await;
    let mut round = user_id;
    while !lives.is_over.load(Ordering::Relaxed) {
        round += 1;
        let client = Client::connect(target.addr, &target.token_for(user_id, LEASE)?).await?;
        lives.connections.fetch_add(1, Ordering::Relaxed);
        let group_id = (user_id + 3) % 4 + 1 + 4 * (round % (GROUPS / 4));
        if join(&client, group_id).await.is_err() {
            // It is removed at this moment.
            sleep(Duration::from_secs(1)).await;
            continue;
        }
        let until = Instant::now() + LIFE;
        while Instant::now() < until && !lives.is_over.load(Ordering::Relaxed) {
            let message = json!({"group_id": group_id, "encrypted_content": "x".repeat(500)});
            let ack = client.emit_with_ack("send_message", message).await?;
            let is_known = ack.get("success") == Some(&json!(true))
                || ack.get("code").and_then(Value::as_str) == Some("not_a_member");
            ensure!(is_known, "{ack}");
            lives.messages.fetch_add(1, Ordering::Relaxed);
            // What was received is not kept here.
            client.take_received();
            sleep(Duration::from_millis(500)).await;
        }
        let renewed = json!({"token": target.token_for(user_id, LEASE)?});
        let ack = client.emit_with_ack("refresh_token", renewed).await?;
        ensure!(ack.get("success") == Some(&json!(true)), "{ack}");
        lives.refreshes.fetch_add(1, Ordering::Relaxed);
        if round.is_multiple_of(2) {
            client.disconnect().await?;
        } else {
            client.kill().await;
        }
    }
    Ok(())
}

/// Removes members and adds them again.
async fn evict(target: &Target, lives: &Lives) -> anyhow::Result<()> {
    let all: Vec<_> = (1..=GROUPS)
        .flat_map(|group_id| members(group_id).map(move |user_id| (group_id, user_id)))
        .collect();
    let mut turn = all.iter().cycle();
    while !lives.is_over.load(Ordering::Relaxed) {
        let Some(&(group_id, user_id)) = turn.next() else {
            break;
        };
        target.remove(group_id, user_id).await?;
        target.add(group_id, user_id).await?;
        lives.evictions.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
