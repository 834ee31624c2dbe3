//! What things cost as groups, logs and connections grow: flat where it should be flat.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::Context as _;
use serde::Serialize;
use xtask_load::{
    connects,
    cpus::Processors,
    recoveries,
    sends::{self, Pace},
    shape::Shape,
    site::Site,
};

use crate::{
    contender::{Contender, Programs, Running, Store},
    plot,
    report::number,
    results::median,
    scenario::{Figures, figure, of_connects, of_sends, shape},
};

const CONTENT_BYTES: usize = 256;
const RECOVERY: &str = "recovery p50, ms";
/// So often the server is killed, started, and everybody comes back; the median counts.
const RESTARTS: usize = 5;
/// The largest may cost so many times what the smallest costs.
const FLAT: f64 = 1.3;

/// One thing that grows, with what was measured at each size.
#[derive(Debug, Serialize)]
pub(crate) struct Curve {
    pub(crate) key: &'static str,
    /// What grows.
    pub(crate) of: &'static str,
    /// What is drawn.
    pub(crate) figures: &'static [&'static str],
    pub(crate) points: Vec<(u64, Figures)>,
}

impl Curve {
    /// What a figure is at the largest size, over what it is at the smallest.
    fn growth(&self, name: &str) -> Option<f64> {
        let at = |point: Option<&(u64, Figures)>| point.and_then(|(_, figures)| figures.get(name).copied());
        Some(at(self.points.last())? / at(self.points.first())?)
    }
}

/// Measures everything up to this size.
pub(crate) async fn measure(
    programs: &Programs,
    processors: &Processors,
    largest: u64,
) -> anyhow::Result<Vec<Curve>> {
    let measured = Measured {
        programs,
        processors,
        largest,
    };
    Ok(vec![
        measured.members().await?,
        measured.connections().await?,
        measured.groups().await?,
        measured.log().await?,
    ])
}

struct Measured<'a> {
    programs: &'a Programs,
    processors: &'a Processors,
    largest: u64,
}

impl Measured<'_> {
    async fn start(&self) -> anyhow::Result<(Running, Site)> {
        Running::start(Contender::Sealroom(Store::Full), self.programs, self.processors).await
    }

    fn sizes(&self, all: &'static [u64]) -> impl Iterator<Item = u64> {
        let largest = self.largest;
        all.iter().copied().filter(move |size| *size <= largest)
    }

    /// Members of one group: what a delivery costs.
    async fn members(&self) -> anyhow::Result<Curve> {
        let mut points = Vec::new();
        for members in self.sizes(&[2, 10, 100, 1_000, 10_000]) {
            let (_running, site) = self.start().await?;
            let plan = sends(shape(100_u64.div_ceil(members), members), Pace::Delivered(1));
            site.prepare(plan.shape, || {}).await?;
            points.push(told(
                "members",
                members,
                of_sends(&sends::run(&site, &plan).await?),
            ));
        }
        Ok(Curve {
            key: "members",
            of: "members of a group",
            figures: &[figure::CPU],
            points,
        })
    }

    /// Connections: what each further one holds. The first hundreds fit into memory that the server has already.
    async fn connections(&self) -> anyhow::Result<Curve> {
        let (mut points, mut before) = (Vec::new(), None);
        for sockets in self.sizes(&[500, 1_000, 2_000, 5_000, 10_000]) {
            let (_running, site) = self.start().await?;
            let plan = connects::Plan {
                shape: shape(sockets / 10, 10),
                concurrency: 32,
                hold: Duration::from_secs(2),
            };
            site.prepare(plan.shape, || {}).await?;
            let mut figures = of_connects(&connects::run(&site, &plan).await?);
            let each = figures
                .remove(figure::MEMORY)
                .context("the server's memory is not known")?;
            let count = f64::from(u32::try_from(sockets)?);
            if let Some((fewer, held)) = before.replace((count, each * count)) {
                figures.insert(figure::MEMORY, (each * count - held) / (count - fewer));
                points.push(told("connections", sockets, figures));
            }
        }
        Ok(Curve {
            key: "connections",
            of: "connections",
            figures: &[figure::MEMORY],
            points,
        })
    }

    /// Groups in the store: what a message in some of them costs.
    async fn groups(&self) -> anyhow::Result<Curve> {
        let (_running, site) = self.start().await?;
        let (mut points, mut there) = (Vec::new(), 0);
        for groups in self.sizes(&[100, 1_000, 10_000, 100_000]) {
            let more = Shape {
                first_id: 1 + there * 2,
                ..shape(groups - there, 2)
            };
            site.prepare(more, || {}).await?;
            there = groups;
            // The last ones that were made: those of before are in every cache.
            let plan = sends(
                Shape {
                    groups: 50,
                    first_id: more.first_id,
                    ..more
                },
                Pace::Rate(50.0),
            );
            points.push(told("groups", groups, of_sends(&sends::run(&site, &plan).await?)));
        }
        Ok(Curve {
            key: "groups",
            of: "groups",
            figures: &[figure::ACK_P50],
            points,
        })
    }

    /// Entries in the store, all in ten logs: what one more costs, and what it costs to get the last hundred.
    async fn log(&self) -> anyhow::Result<Curve> {
        let (mut running, mut site) = self.start().await?;
        let (mut points, mut there) = (Vec::new(), 0);
        let filled = shape(10, 2);
        site.prepare(filled, || {}).await?;
        for entries in self.sizes(&[10_000, 100_000, 1_000_000, 10_000_000]) {
            let more = recoveries::Plan {
                shape: filled,
                entries: (entries - there) / filled.groups,
                content_bytes: CONTENT_BYTES,
            };
            recoveries::write(&site, &more).await?;
            there = entries;
            let plan = sends(filled, Pace::Rate(50.0));
            let mut figures = of_sends(&sends::run(&site, &plan).await?);
            let missed = recoveries::Plan { entries: 100, ..more };
            let mut recoveries = Vec::new();
            for _ in 0..RESTARTS {
                let between = async |_gone| running.restart(self.programs, self.processors).await;
                let report = recoveries::run(site, &missed, between).await?;
                recoveries.push(report.recovery_ms.p50);
                site = running.restart(self.programs, self.processors).await?;
            }
            figures.insert(RECOVERY, median(recoveries).context("nobody came back")?);
            points.push(told("log", entries, figures));
        }
        Ok(Curve {
            key: "log",
            of: "entries in the store",
            figures: &[figure::ACK_P50, RECOVERY],
            points,
        })
    }
}

fn sends(shape: Shape, pace: Pace) -> sends::Plan {
    sends::Plan {
        shape,
        pace,
        content_bytes: CONTENT_BYTES,
        has_client_ids: false,
        warm_up: Duration::from_secs(2),
        measured: Duration::from_secs(8),
        patience: Duration::from_secs(5),
    }
}

/// A line for whoever waits.
fn told(what: &str, size: u64, figures: Figures) -> (u64, Figures) {
    let shown: Vec<_> = figures
        .iter()
        .map(|(name, value)| format!("{} {name}", number(*value)))
        .collect();
    println!("{what} {size}: {}", shown.join(", "));
    (size, figures)
}

/// Prints and writes the curves; whether all are flat.
pub(crate) fn tell(curves: &[Curve], out: Option<&Path>) -> anyhow::Result<bool> {
    let mut text = String::from("| what grows | figure | from | to | grows |\n|---|---|--:|--:|--:|\n");
    let mut is_flat = true;
    for curve in curves {
        let size =
            |point: Option<&(u64, Figures)>| point.map_or_else(String::new, |(size, _)| size.to_string());
        for name in curve.figures {
            let growth = curve.growth(name);
            is_flat &= growth.is_some_and(|growth| growth <= FLAT);
            let _ = writeln!(
                text,
                "| {} | {name} | {} | {} | {} times |",
                curve.of,
                size(curve.points.first()),
                size(curve.points.last()),
                growth.map_or_else(|| "?".to_owned(), number)
            );
        }
    }
    println!("\n{text}");
    if let Some(out) = out {
        fs::create_dir_all(out)?;
        fs::write(out.join("growth.json"), serde_json::to_vec_pretty(curves)?)?;
        fs::write(out.join("growth.md"), text)?;
        for curve in curves {
            plot::curve(out, curve)?;
        }
    }
    Ok(is_flat)
}
