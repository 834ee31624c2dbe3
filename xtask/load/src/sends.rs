//! Messages within groups: how many, how fast, and whether each came to everybody once and in order.

mod group;
mod member;
mod report;
mod tally;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

pub use self::report::Report;
use self::{group::Group, member::Member, tally::Tally};
use crate::{
    Session,
    process::{Process, Usage},
    shape::Shape,
    site::Site,
};

/// So many connect at once.
const CONNECTS_AT_ONCE: usize = 32;
/// How long a group may hear nothing before what is missing is given up.
const SILENCE: Duration = Duration::from_millis(500);

/// When a message is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Each sender has so many that are not acknowledged.
    Acknowledged(u64),
    /// Each group has so many that did not come to all members yet. Its first sender sends them.
    Delivered(u64),
    /// So many a second from all senders together, whatever becomes of them.
    Rate(f64),
}

/// What is played.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Who.
    pub shape: Shape,
    /// When.
    pub pace: Pace,
    /// The length of `encrypted_content`, at least 48.
    pub content_bytes: usize,
    /// Whether each message has a `client_message_id`.
    pub has_client_ids: bool,
    /// Played before it counts.
    pub warm_up: Duration,
    /// What counts.
    pub measured: Duration,
    /// What is not answered in this time is not waited for any longer.
    pub patience: Duration,
}

/// Plays a plan, in groups that [`Site::prepare`] made.
///
/// # Errors
/// A client cannot connect or is closed, or nothing at all is answered.
pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Report> {
    ensure!(
        plan.content_bytes >= member::STAMP_BYTES,
        "a message has no place for its time"
    );
    let tally = Arc::new(Tally::new());
    let mut members = Vec::new();
    let mut stuck = Vec::new();
    for group_id in plan.shape.group_ids() {
        let (group, sessions) = open(site, plan, group_id).await?;
        let group = Arc::new(group);
        for (place, (session, head)) in (0..).zip(sessions) {
            if place < plan.shape.members {
                members.push((
                    Member::new(plan, group.clone(), tally.clone(), place, head),
                    session,
                ));
            } else {
                stuck.push(session);
            }
        }
    }
    let over = CancellationToken::new();
    let mut playing = JoinSet::new();
    for (mut member, mut session) in members {
        let over = over.clone();
        playing.spawn(async move {
            tokio::select! {
                result = session.play(&mut member) => result.context("a client was closed")?,
                () = over.cancelled() => {}
            }
            anyhow::Ok(member)
        });
    }
    let measuring = measure(site, plan, &tally);
    let window = tokio::select! {
        window = measuring => window?,
        Some(ended) = playing.join_next() => {
            let _member = ended??;
            anyhow::bail!("a client ended before its time")
        }
    };
    over.cancel();
    let mut ended = Vec::new();
    while let Some(member) = playing.join_next().await {
        ended.push(member??);
    }
    Ok(report::of(plan, &tally, &ended, &window))
}

/// The sockets of one group, with the end of its log as each joined it.
async fn open(site: &Site, plan: &Plan, group_id: u64) -> anyhow::Result<(Group, Vec<(Session, u64)>)> {
    let connects = plan.shape.users(group_id).map(|user_id| async move {
        let mut session = site.connect(user_id).await?;
        let head = session.join(group_id).await?;
        anyhow::Ok((session, head))
    });
    let sessions: Vec<_> = stream::iter(connects)
        .buffered(CONNECTS_AT_ONCE)
        .try_collect()
        .await?;
    let head = sessions.first().map_or(0, |(_, head)| *head);
    Ok((Group::new(group_id, plan.shape.members, head), sessions))
}

/// What happened in the time that counts.
#[derive(Debug, Default)]
struct Window {
    seconds: f64,
    acknowledged: u64,
    delivered: u64,
    server: Option<Spent>,
    own: Spent,
}

/// What a process used meanwhile.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    cpu: Duration,
    memory: u64,
}

async fn measure(site: &Site, plan: &Plan, tally: &Tally) -> anyhow::Result<Window> {
    sleep(plan.warm_up).await;
    let own = Process::own();
    let usage = |process: Option<Process>| process.map(Process::usage).transpose();
    let before = (own.usage()?, usage(site.process)?, tally.counts());
    let begun = Instant::now();
    tally.measure(true);
    sleep(plan.measured).await;
    tally.measure(false);
    let seconds = begun.elapsed().as_secs_f64();
    let after = (own.usage()?, usage(site.process)?, tally.counts());
    tally.end();
    settle(plan, tally).await;

    let spent = |before: Usage, after: Usage| Spent {
        cpu: after.cpu.saturating_sub(before.cpu),
        memory: after.memory,
    };
    ensure!(after.2.acknowledged > 0, "nothing was acknowledged");
    Ok(Window {
        seconds,
        acknowledged: after.2.acknowledged - before.2.acknowledged,
        delivered: after.2.delivered - before.2.delivered,
        server: before.1.zip(after.1).map(|(before, after)| spent(before, after)),
        own: spent(before.0, after.0),
    })
}

/// Waits until nothing comes any more.
async fn settle(plan: &Plan, tally: &Tally) {
    let deadline = Instant::now() + plan.patience + SILENCE;
    let mut last = (tally.counts(), Instant::now());
    while Instant::now() < deadline {
        sleep(Duration::from_millis(20)).await;
        let counts = tally.counts();
        if counts != last.0 {
            last = (counts, Instant::now());
        } else if last.1.elapsed() >= SILENCE {
            return;
        }
    }
}
