//! What is asked of Sealroom, as ratios to the peers of the same run.

use serde::Serialize;

use crate::{
    contender::{
        Contender::{self, Bare, Node, Raw, Sealroom},
        Store::{Full, Postgres},
    },
    results::Results,
    scenario::figure,
};

/// One line of the verdict.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) goal: &'static str,
    pub(crate) what: String,
    pub(crate) measured: Option<f64>,
    /// At least or at most, and how much.
    pub(crate) asked: String,
    pub(crate) holds: bool,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

/// A figure of Sealroom over the same figure of another.
struct Ratio {
    goal: &'static str,
    scenario: &'static str,
    ours: Contender,
    figure: &'static str,
    theirs: Contender,
    bound: Bound,
}

const fn ratio(
    goal: &'static str,
    scenario: &'static str,
    figure: &'static str,
    ours: Contender,
    theirs: Contender,
    bound: Bound,
) -> Ratio {
    Ratio {
        goal,
        scenario,
        ours,
        figure,
        theirs,
        bound,
    }
}

const OURS: Contender = Sealroom(Full);
const OURS_PG: Contender = Sealroom(Postgres);

const RATIOS: [Ratio; 14] = [
    ratio("G1", "pairs-1", figure::SENDS, OURS, Node(Full), AtLeast(8.0)),
    ratio("G2", "pairs-16", figure::SENDS, OURS, Node(Full), AtLeast(10.0)),
    ratio(
        "G3",
        "pairs-1",
        figure::SENDS,
        OURS_PG,
        Node(Postgres),
        AtLeast(3.0),
    ),
    ratio(
        "G3",
        "pairs-16",
        figure::SENDS,
        OURS_PG,
        Node(Postgres),
        AtLeast(5.0),
    ),
    ratio("G4", "fan-1", figure::DELIVERIES, OURS, Bare, AtLeast(1.0)),
    ratio("G5", "fan-12", figure::DELIVERIES, OURS, Bare, AtLeast(0.9)),
    ratio("G6", "cost-2", figure::CPU, OURS, Bare, AtMost(1.5)),
    ratio("G6", "cost-10", figure::CPU, OURS, Bare, AtMost(1.3)),
    ratio("G6", "cost-100", figure::CPU, OURS, Bare, AtMost(1.2)),
    ratio("G6", "fan-1", figure::CPU, OURS, Bare, AtMost(1.1)),
    ratio("G7", "rate", figure::ACK_P50, OURS, Node(Full), AtMost(0.65)),
    ratio(
        "G7",
        "rate",
        figure::ACK_P50,
        OURS_PG,
        Node(Postgres),
        AtMost(0.6),
    ),
    ratio("G9", "connects", figure::CONNECTS, OURS, Bare, AtLeast(0.7)),
    ratio("beyond", "fan-1", figure::DELIVERIES, OURS, Raw, AtLeast(0.7)),
];

/// What the goals that one run can show come to.
pub(crate) fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts: Vec<_> = RATIOS
        .iter()
        .map(|ratio| {
            let of = |contender| results.median(ratio.scenario, contender, ratio.figure);
            let measured = of(ratio.ours)
                .zip(of(ratio.theirs))
                .map(|(ours, theirs)| ours / theirs);
            let what = format!(
                "{}, {}: {} / {}",
                ratio.figure, ratio.scenario, ratio.ours, ratio.theirs
            );
            judge(ratio.goal, what, measured, ratio.bound)
        })
        .collect();
    for ours in [OURS, OURS_PG] {
        let at = |name| results.median("rate", ours, name);
        let tail = at(figure::ACK_P99).zip(at(figure::ACK_P50));
        verdicts.push(judge(
            "G7",
            format!("ack p99 / p50, rate: {ours}"),
            tail.map(|(p99, p50)| p99 / p50),
            AtMost(2.0),
        ));
    }
    verdicts.push(judge(
        "G8",
        format!("{}: {OURS}", figure::MEMORY),
        results.median("connects", OURS, figure::MEMORY),
        AtMost(18.0),
    ));
    for ours in [OURS, OURS_PG] {
        verdicts.push(judge(
            "G10",
            format!("{}: {ours}", figure::SECONDS),
            results.median("restart", ours, figure::SECONDS),
            AtMost(3.0),
        ));
        let p99 = |key| results.median(key, ours, figure::DELIVERY_P99);
        let others = p99("crowd-stuck").zip(p99("crowd"));
        verdicts.push(judge(
            "G12",
            format!("delivery p99 with / without stuck readers: {ours}"),
            others.map(|(stuck, clean)| stuck / clean),
            AtMost(2.0),
        ));
    }
    verdicts
}

fn judge(goal: &'static str, what: String, measured: Option<f64>, bound: Bound) -> Verdict {
    let holds = measured.is_some_and(|measured| match bound {
        AtLeast(least) => measured >= least,
        AtMost(most) => measured <= most,
    });
    Verdict {
        goal,
        what,
        measured,
        asked: match bound {
            AtLeast(least) => format!("at least {least}"),
            AtMost(most) => format!("at most {most}"),
        },
        holds,
    }
}
