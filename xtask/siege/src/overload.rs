//! More messages than the server can store.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use xtask_load::{
    Outbox, Play, Session,
    packet::{self, Packet},
};

use crate::{
    readers::watch,
    target::Target,
    verdict::{Verdict, mib},
};

const CLIENTS: u64 = 100;
const GROUPS: u64 = 50;
const CONTENT_BYTES: usize = 256;
/// So many under way on each client: the peak is the best of them. A socket may have no more than the last.
const WINDOWS: [usize; 3] = [16, 32, 64];
/// A client that the server does not read keeps so much for later, and does not even try to send what comes on top.
const BACKLOG_BYTES: usize = 1024 * 1024;
const TICK: Duration = Duration::from_millis(10);
/// In this time what is under way at the end is answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of the requests.
#[derive(Default)]
struct Tally {
    stored: AtomicU64,
    refused: AtomicU64,
    /// Without an answer, with two, or with one that is none.
    lost: AtomicU64,
    /// Not sent, because the server did not read what was sent before.
    withheld: AtomicU64,
    is_over: AtomicBool,
}

impl Tally {
    fn counts(&self) -> [u64; 4] {
        [&self.stored, &self.refused, &self.lost, &self.withheld].map(|count| count.load(Ordering::Relaxed))
    }
}

/// When a client sends.
#[derive(Clone, Copy)]
enum Pace {
    /// It always has so many under way.
    Window(usize),
    /// So many a second, whatever becomes of them.
    Rate(f64),
}

struct Sender {
    message: String,
    pace: Pace,
    tally: Arc<Tally>,
    begun: Instant,
    /// How many were due so far.
    due: u64,
    under_way: HashSet<u64>,
}

impl Sender {
    fn send(&mut self, out: &mut Outbox) {
        self.under_way.insert(out.request("send_message", &self.message));
    }

    fn has_ended(&self) -> bool {
        self.tally.is_over.load(Ordering::Relaxed)
    }
}

impl Play for Sender {
    fn hear(&mut self, packet: Packet<'_>, out: &mut Outbox) {
        let Packet::Ack(id, answer) = packet else {
            return;
        };
        let of = if !self.under_way.remove(&id) {
            &self.tally.lost
        } else if answer.contains("\"success\":true") {
            &self.tally.stored
        } else if packet::text(answer, "code").is_some() {
            &self.tally.refused
        } else {
            &self.tally.lost
        };
        of.fetch_add(1, Ordering::Relaxed);
        if matches!(self.pace, Pace::Window(_)) && !self.has_ended() {
            self.send(out);
        }
    }

    fn due(&mut self, now: Instant, out: &mut Outbox) -> Option<Instant> {
        if self.has_ended() {
            return Some(now + TICK);
        }
        match self.pace {
            Pace::Window(size) if self.due == 0 => {
                for _ in 0..size {
                    self.send(out);
                }
                self.due = 1;
            }
            Pace::Window(_) => {}
            Pace::Rate(rate) => {
                while Duration::from_secs_f64(count(self.due) / rate) <= now - self.begun {
                    self.due += 1;
                    if out.backlog() < BACKLOG_BYTES {
                        self.send(out);
                    } else {
                        self.tally.withheld.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
        Some(now + TICK)
    }

    fn is_over(&self) -> bool {
        self.has_ended() && self.under_way.is_empty()
    }
}

fn count(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

pub(crate) async fn play(target: &Target, duration: Duration, verdict: &mut Verdict) -> anyhow::Result<()> {
    for group_id in 1..=GROUPS {
        target.group(group_id, [group_id, group_id + GROUPS]).await?;
    }
    let mut sessions = Vec::new();
    for user_id in 1..=CLIENTS {
        let mut session = Session::connect(target.addr, &target.token(user_id)?).await?;
        session.join((user_id - 1) % GROUPS + 1).await?;
        sessions.push(session);
    }
    let mut peaks = Vec::new();
    for window in WINDOWS {
        let (back, [stored, ..]) = run(sessions, Pace::Window(window), Duration::from_secs(12)).await?;
        sessions = back;
        peaks.push(stored / 12);
    }
    let peak = peaks.iter().copied().max().unwrap_or(1);
    let before = target.usage().await?;
    let rate = 3.0 * count(peak) / count(CLIENTS);
    let (overloaded, most) = tokio::join!(run(sessions, Pace::Rate(rate), duration), watch(target, duration));
    let (sessions, [stored, refused, lost, withheld]) = overloaded?;
    sleep(Duration::from_secs(2)).await;
    let again = run(sessions, Pace::Window(WINDOWS[0]), Duration::from_secs(12)).await?;

    let a_second = |count: u64| count / duration.as_secs().max(1);
    let goodput = a_second(stored);
    verdict.tell(format!(
        "peak: {peak} messages a second (of {peaks:?} with {WINDOWS:?} under way on each of {CLIENTS}); under three \
         times as many: {goodput}; afterwards: {} with {}",
        again.1[0] / 12,
        WINDOWS[0]
    ));
    verdict.tell(format!(
        "{} a second were due; {} could not be sent because the server did not read, {} were refused with a code",
        a_second(stored + refused + lost + withheld),
        a_second(withheld),
        a_second(refused)
    ));
    verdict.tell(format!(
        "memory in MiB: {} before, {} at most",
        mib(before.memory),
        mib(most?)
    ));
    let due = a_second(stored + refused + lost + withheld);
    verdict.at_least_percent("due, against the peak", due * 100 / peak.max(1), 295);
    verdict.at_least_percent("goodput under overload", goodput * 100 / peak.max(1), 80);
    verdict.at_most("requests without their one answer", lost, 0);
    Ok(())
}

/// Plays all clients at this pace; gives them back, once everything is answered, with what they counted. What is stored
/// after the time is over counts as refused.
async fn run(
    sessions: Vec<Session>,
    pace: Pace,
    duration: Duration,
) -> anyhow::Result<(Vec<Session>, [u64; 4])> {
    let tally = Arc::new(Tally::default());
    let mut clients = JoinSet::new();
    for (number, mut session) in (0..).zip(sessions) {
        let message = format!(
            "{{\"group_id\":{},\"encrypted_content\":\"{}\"}}",
            number % GROUPS + 1,
            "x".repeat(CONTENT_BYTES)
        );
        let mut sender = Sender {
            message,
            pace,
            tally: tally.clone(),
            begun: Instant::now(),
            due: 0,
            under_way: HashSet::new(),
        };
        clients.spawn(async move {
            let playing = tokio::time::timeout(duration + PATIENCE, session.play(&mut sender));
            // Sockets that the server closes have nobody to answer to.
            let result = playing.await.context("not all is answered")?;
            result.context("a client was closed")?;
            anyhow::Ok((number, session))
        });
    }
    sleep(duration).await;
    let [stored, ..] = tally.counts();
    tally.is_over.store(true, Ordering::Relaxed);
    let mut back = Vec::new();
    while let Some(client) = clients.join_next().await {
        back.push(client??);
    }
    back.sort_by_key(|(number, _)| *number);
    let [all_stored, refused, lost, withheld] = tally.counts();
    let late = all_stored - stored;
    let sessions = back.into_iter().map(|(_, session)| session).collect();
    Ok((sessions, [stored, refused + late, lost, withheld]))
}
