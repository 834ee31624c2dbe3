//! What is played against whom.

use std::{collections::BTreeMap, time::Duration};

use xtask_load::{
    connects,
    cpus::Processors,
    recoveries,
    sends::{self, Pace},
    shape::Shape,
};

use crate::contender::{
    Contender::{self, Bare, Guide, Node, Raw, Sealroom},
    Programs, Running,
    Store::{Full, Normal, Postgres},
};

/// What a message carries, in bytes.
const CONTENT_BYTES: usize = 256;

/// What one play came to: figures by their name.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// Names of figures.
pub(crate) mod figure {
    pub(crate) const SENDS: &str = "sends/s";
    pub(crate) const DELIVERIES: &str = "deliveries/s";
    pub(crate) const CPU: &str = "µs of processor a delivery";
    pub(crate) const ACK_P50: &str = "ack p50, ms";
    pub(crate) const ACK_P99: &str = "ack p99, ms";
    pub(crate) const DELIVERY_P99: &str = "delivery p99, ms";
    pub(crate) const CONNECTS: &str = "connects/s";
    pub(crate) const MEMORY: &str = "KiB a socket";
    pub(crate) const SECONDS: &str = "s until all are back";
    pub(crate) const FAULTS: &str = "lost, doubled or out of order";
    pub(crate) const UNANSWERED: &str = "without an answer";
    pub(crate) const GENERATOR: &str = "load generator, % of its processor";
}

/// One row of the table, or several with the same shape.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Short, for goals and options.
    pub(crate) key: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    pub(crate) play: Play,
    pub(crate) contenders: Vec<Contender>,
}

/// What is played.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Play {
    Sends(sends::Plan),
    Connects(connects::Plan),
    /// The server is killed and started in between.
    Restart(recoveries::Plan),
}

impl From<sends::Plan> for Play {
    fn from(plan: sends::Plan) -> Self {
        Self::Sends(plan)
    }
}

impl From<connects::Plan> for Play {
    fn from(plan: connects::Plan) -> Self {
        Self::Connects(plan)
    }
}

impl From<recoveries::Plan> for Play {
    fn from(plan: recoveries::Plan) -> Self {
        Self::Restart(plan)
    }
}

impl Play {
    fn shape(&self) -> Shape {
        match self {
            Self::Sends(plan) => plan.shape,
            Self::Connects(plan) => plan.shape,
            Self::Restart(plan) => plan.shape,
        }
    }
}

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Times {
    fn sends(self, shape: Shape, pace: Pace) -> sends::Plan {
        sends::Plan {
            shape,
            pace,
            content_bytes: CONTENT_BYTES,
            has_client_ids: false,
            warm_up: self.warm_up,
            measured: self.measured,
            // What a peer loses must not hold up its run for long.
            patience: Duration::from_secs(1),
        }
    }
}

/// Everybody.
const ALL: [Contender; 9] = [
    Sealroom(Full),
    Sealroom(Postgres),
    Node(Full),
    Node(Normal),
    Node(Postgres),
    Guide(Full),
    Guide(Postgres),
    Bare,
    Raw,
];
/// One of each, where the store is not what counts.
const EACH: [Contender; 5] = [Sealroom(Full), Node(Full), Guide(Full), Bare, Raw];
const OURS: [Contender; 2] = [Sealroom(Full), Sealroom(Postgres)];

/// All of them.
pub(crate) fn all(times: Times) -> Vec<Scenario> {
    let mut all = throughput(times);
    all.extend(costs(times));
    all.extend(latencies(times));
    all.extend(lives());
    all
}

fn scenario(
    key: &'static str,
    title: &'static str,
    play: impl Into<Play>,
    contenders: &[Contender],
) -> Scenario {
    Scenario {
        key,
        title,
        play: play.into(),
        contenders: contenders.to_vec(),
    }
}

/// As fast as the server lets its clients.
fn throughput(times: Times) -> Vec<Scenario> {
    let sixteen = times.sends(shape(50, 2), Pace::Acknowledged(16));
    let with_ids = sends::Plan {
        has_client_ids: true,
        ..sixteen
    };
    let fan = |window| times.sends(shape(1, 1000), Pace::Delivered(window));
    vec![
        scenario(
            "pairs-1",
            "50 groups of 2, 100 senders, 1 in flight",
            times.sends(shape(50, 2), Pace::Acknowledged(1)),
            &ALL,
        ),
        scenario(
            "pairs-16",
            "50 groups of 2, 100 senders, 16 in flight",
            sixteen,
            &ALL,
        ),
        scenario(
            "pairs-16-ids",
            "the same with a `client_message_id` each",
            with_ids,
            &OURS,
        ),
        scenario("fan-1", "1 group of 1 000, one message at a time", fan(1), &EACH),
        scenario(
            "fan-12",
            "1 group of 1 000, 12 messages in flight",
            fan(12),
            &EACH,
        ),
    ]
}

/// What a delivery costs, in groups of several sizes.
fn costs(times: Times) -> Vec<Scenario> {
    let cost = |key, title, groups, members| {
        let plan = times.sends(shape(groups, members), Pace::Delivered(1));
        scenario(key, title, plan, &EACH)
    };
    vec![
        cost("cost-2", "50 groups of 2, each one message at a time", 50, 2),
        cost("cost-10", "10 groups of 10, each one message at a time", 10, 10),
        cost("cost-100", "1 group of 100, one message at a time", 1, 100),
    ]
}

/// At a rate that everybody can serve.
fn latencies(times: Times) -> Vec<Scenario> {
    let crowd = shape(1, 200);
    let stuck = Shape { stuck: 20, ..crowd };
    let at = |shape, rate| times.sends(shape, Pace::Rate(rate));
    vec![
        scenario(
            "rate",
            "50 groups of 2, 50 messages/s in all",
            at(shape(50, 2), 50.0),
            &ALL,
        ),
        scenario("crowd", "1 group of 200, 200 messages/s", at(crowd, 200.0), &OURS),
        scenario(
            "crowd-stuck",
            "the same, with 20 more that stop reading",
            at(stuck, 200.0),
            &OURS,
        ),
    ]
}

/// Coming, staying, and coming back.
fn lives() -> Vec<Scenario> {
    let idle = connects::Plan {
        shape: shape(100, 10),
        concurrency: 32,
        hold: Duration::from_secs(2),
    };
    let recoveries = recoveries::Plan {
        shape: shape(100, 10),
        entries: 100,
        content_bytes: CONTENT_BYTES,
    };
    vec![
        scenario(
            "connects",
            "1 000 sockets connect with a token and join one of 100 groups, 32 at once",
            idle,
            &EACH,
        ),
        scenario(
            "restart",
            "kill -9, start, 1 000 sockets recover 100 entries each",
            recoveries,
            &OURS,
        ),
    ]
}

/// So many groups of so many, where everybody may send.
pub(crate) fn shape(groups: u64, members: u64) -> Shape {
    Shape {
        groups,
        members,
        senders: members,
        stuck: 0,
        first_id: 1,
    }
}

/// Plays one scenario against a server of its own.
pub(crate) async fn play(
    what: &Play,
    contender: Contender,
    programs: &Programs,
    processors: &Processors,
) -> anyhow::Result<Figures> {
    let (mut running, site) = Running::start(contender, programs, processors).await?;
    if contender.has_groups() {
        site.prepare(what.shape(), || {}).await?;
    }
    Ok(match what {
        Play::Sends(plan) => of_sends(&sends::run(&site, plan).await?),
        Play::Connects(plan) => of_connects(&connects::run(&site, plan).await?),
        Play::Restart(plan) => {
            let restart = async |_gone| running.restart(programs, processors).await;
            let report = recoveries::run(site, plan, restart).await?;
            Figures::from([
                (figure::SECONDS, report.all_seconds),
                // Whoever got another number of entries than it missed has ended the run.
                (figure::FAULTS, 0.0),
            ])
        }
    })
}

/// What a report of sends says.
pub(crate) fn of_sends(report: &sends::Report) -> Figures {
    let float = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let faults = report.faults;
    let mut figures = Figures::from([
        (figure::SENDS, report.sends_per_second),
        (figure::DELIVERIES, report.deliveries_per_second),
        (figure::ACK_P50, report.ack_ms.p50),
        (figure::ACK_P99, report.ack_ms.p99),
        (figure::DELIVERY_P99, report.delivery_ms.p99),
        (
            figure::FAULTS,
            float(faults.lost + faults.doubled + faults.disordered),
        ),
        (figure::UNANSWERED, float(report.unanswered)),
        (figure::GENERATOR, report.generator.cpu_percent),
    ]);
    if let Some(server) = report.server {
        figures.insert(figure::CPU, server.cpu_micros_per_delivery);
    }
    figures
}

pub(crate) fn of_connects(report: &connects::Report) -> Figures {
    let mut figures = Figures::from([(figure::CONNECTS, report.connects_per_second)]);
    if let Some(memory) = report.memory_kib_per_socket {
        figures.insert(figure::MEMORY, memory);
    }
    figures
}
