//! Sockets that come back all at once and ask for what they missed.

use std::{fmt, future::Future, time::Duration};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{
    packet,
    shape::Shape,
    site::Site,
    times::{Summary, Times},
};

/// So many messages of the preparation are under way in each group at once; a socket may have 64.
const AT_ONCE: u64 = 50;
/// So many groups are prepared at once.
const GROUPS_AT_ONCE: usize = 32;
/// How long one client tries to come back.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts of one client, while the server is not there.
const RETRY: Duration = Duration::from_millis(50);

/// What is played.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Who comes back.
    pub shape: Shape,
    /// How many messages each missed.
    pub entries: u64,
    /// The length of their `encrypted_content`.
    pub content_bytes: usize,
}

/// What it came to.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Report {
    /// How many sockets.
    pub sockets: u64,
    /// How many entries each got.
    pub entries: u64,
    /// From the moment that the server was let go, or all began to connect, until the last had everything.
    pub all_seconds: f64,
    /// The time of each, from its first attempt.
    pub recovery_ms: Summary,
}

/// Writes what is missed, runs `between` (which may start the server anew), and lets everybody come back at once.
///
/// # Errors
/// A client cannot come back in 30 s, or what it gets is not what it missed.
pub async fn run<B: Future<Output = anyhow::Result<Site>>>(
    site: Site,
    plan: &Plan,
    between: impl FnOnce(Site) -> B,
) -> anyhow::Result<Report> {
    let positions = write(&site, plan).await?;
    let begun = Instant::now();
    let site = between(site).await?;
    let times = Times::default();
    let mut comebacks = Vec::new();
    for (group_id, position) in plan.shape.group_ids().zip(positions) {
        for user_id in plan.shape.users(group_id) {
            comebacks.push(come_back(&site, plan, (group_id, user_id, position), &times));
        }
    }
    try_join_all(comebacks).await?;
    Ok(Report {
        sockets: plan.shape.sockets(),
        entries: plan.entries,
        all_seconds: begun.elapsed().as_secs_f64(),
        recovery_ms: times.summary(),
    })
}

/// Writes what everybody missed; gives the position before it in each group.
///
/// # Errors
/// A client cannot connect, or a message is refused.
pub async fn write(site: &Site, plan: &Plan) -> anyhow::Result<Vec<u64>> {
    let groups = plan.shape.group_ids();
    let writes = groups.map(|group_id| write_group(site, plan, group_id));
    stream::iter(writes).buffered(GROUPS_AT_ONCE).try_collect().await
}

async fn write_group(site: &Site, plan: &Plan, group_id: u64) -> anyhow::Result<u64> {
    let user_id = plan.shape.users(group_id).next().context("an empty group")?;
    let mut session = site.connect(user_id).await?;
    let position = session.join(group_id).await?;
    let content = "x".repeat(plan.content_bytes);
    let message = format!("{{\"group_id\":{group_id},\"encrypted_content\":\"{content}\"}}");
    let mut left = plan.entries;
    while left > 0 {
        let some = left.min(AT_ONCE);
        for answer in session.ask_all("send_message", &message, some).await? {
            ensure!(answer.contains("\"success\":true"), "{answer}");
        }
        left -= some;
    }
    Ok(position)
}

async fn come_back(
    site: &Site,
    plan: &Plan,
    (group_id, user_id, position): (u64, u64, u64),
    times: &Times,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut session = loop {
        match site.connect(user_id).await {
            Ok(session) => break session,
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_not_there_yet) => sleep(RETRY).await,
        }
    };
    let answer = session.rejoin(group_id, position).await?;
    let got = answer.matches("\"encrypted_content\":").count();
    let is_all = u64::try_from(got)? == plan.entries
        && answer.contains("\"recovered\":true")
        && packet::number(&answer, "head_seq") == Some(position + plan.entries);
    ensure!(is_all, "user {user_id} got {got} entries of {}", plan.entries);
    times.add(begun.elapsed());
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sockets got {} entries each within {:.2} s\nrecovery   {}",
            self.sockets, self.entries, self.all_seconds, self.recovery_ms
        )
    }
}
