//! Clients that connect and join, as fast as they may, and then stay: what a connect costs, and what a connection holds.

use std::{fmt, time::Duration};

use anyhow::ensure;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Outbox, Play, Session, float,
    packet::Packet,
    process::{Process, Usage},
    shape::Shape,
    site::Site,
    times::{Summary, Times},
};

/// So many come and go first, so that the server has what it needs for any.
const REHEARSAL: usize = 100;
/// How long it may take until nothing more happens.
const SETTLE: Duration = Duration::from_secs(2);

/// What is played.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Who connects; nobody sends.
    pub shape: Shape,
    /// How many connect at once.
    pub concurrency: usize,
    /// How long they stay before memory is measured; what the server uses meanwhile is reported as well.
    pub hold: Duration,
}

/// What it came to.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Report {
    /// How many sockets.
    pub sockets: u64,
    /// TCP, upgrade, CONNECT with a token, and `join_group` with its answer, a second.
    pub connects_per_second: f64,
    /// The time of one.
    pub connect_ms: Summary,
    /// Of the server, for each of them, in microseconds.
    pub cpu_micros_per_connect: Option<f64>,
    /// What the server's memory grew by for each socket, without the pages of files.
    pub memory_kib_per_socket: Option<f64>,
    /// Of one processor, while all of them are idle.
    pub idle_cpu_percent: Option<f64>,
}

/// Listens, and answers pings.
struct Idle;

impl Play for Idle {
    fn hear(&mut self, _packet: Packet<'_>, _out: &mut Outbox) {}

    fn due(&mut self, _now: Instant, _out: &mut Outbox) -> Option<Instant> {
        None
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// Plays a plan, in groups that [`Site::prepare`] made.
///
/// # Errors
/// A client cannot connect, or is closed while it is idle.
pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Report> {
    let times = Times::default();
    let everybody = || {
        let groups = plan.shape.group_ids();
        groups.flat_map(|group_id| plan.shape.users(group_id).map(move |user_id| (group_id, user_id)))
    };
    let connect = |(group_id, user_id)| async move {
        let begun = Instant::now();
        let mut session = site.connect(user_id).await?;
        session.join(group_id).await?;
        anyhow::Ok((session, begun.elapsed()))
    };
    let all_at = |limit: usize| {
        stream::iter(everybody().take(limit))
            .map(connect)
            .buffer_unordered(plan.concurrency)
            .try_collect::<Vec<_>>()
    };
    drop(all_at(REHEARSAL).await?);
    sleep(SETTLE).await;

    let usage = || site.process.map(Process::usage).transpose();
    let before = usage()?;
    let begun = Instant::now();
    let connected = all_at(usize::MAX).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let after = usage()?;
    for (_, time) in &connected {
        times.add(*time);
    }
    let sockets = float(plan.shape.sockets());
    let sessions = connected.into_iter().map(|(session, _)| session);
    let idle = stay(sessions, plan.hold, usage).await?;

    let spent = |earlier: Option<_>, later: Option<_>| {
        let (earlier, later): (Usage, Usage) = earlier.zip(later)?;
        Some(later.cpu.saturating_sub(earlier.cpu).as_secs_f64())
    };
    let grown = before
        .zip(idle.1)
        .map(|(before, idle)| idle.memory.saturating_sub(before.memory));
    Ok(Report {
        sockets: plan.shape.sockets(),
        connects_per_second: sockets / seconds,
        connect_ms: times.summary(),
        cpu_micros_per_connect: spent(before, after).map(|spent| spent * 1e6 / sockets),
        memory_kib_per_socket: grown.map(|bytes| float(bytes) / 1024.0 / sockets),
        idle_cpu_percent: spent(idle.0, idle.1).map(|spent| spent / plan.hold.as_secs_f64() * 100.0),
    })
}

/// What the server uses at the begin and at the end of the time in which all are idle.
async fn stay<U>(
    sessions: impl Iterator<Item = Session>,
    hold: Duration,
    usage: impl Fn() -> anyhow::Result<Option<U>>,
) -> anyhow::Result<(Option<U>, Option<U>)> {
    let over = CancellationToken::new();
    let mut clients = JoinSet::new();
    for mut session in sessions {
        let over = over.clone();
        clients.spawn(async move {
            let mut idle = Idle;
            tokio::select! {
                result = session.play(&mut idle) => result,
                () = over.cancelled() => Ok(()),
            }
        });
    }
    sleep(SETTLE).await;
    let begin = usage()?;
    sleep(hold).await;
    let end = usage()?;
    over.cancel();
    let mut closed = 0;
    while let Some(ended) = clients.join_next().await {
        closed += u64::from(ended?.is_err());
    }
    ensure!(closed == 0, "{closed} idle clients were closed");
    Ok((begin, end))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} sockets: {:.0} connects/s with token and join",
            self.sockets, self.connects_per_second
        )?;
        write!(f, "connect    {}", self.connect_ms)?;
        let figures = [
            (
                self.cpu_micros_per_connect,
                "µs of the server's processor a connect",
            ),
            (self.memory_kib_per_socket, "KiB of the server's memory a socket"),
            (self.idle_cpu_percent, "% of a processor while all are idle"),
        ];
        for (figure, what) in figures {
            if let Some(figure) = figure {
                write!(f, "\nserver     {figure:.1} {what}")?;
            }
        }
        Ok(())
    }
}
