//! The program behind `cargo xtask bench`: the same load against Sealroom and what others would take in its place.
//!
//! Each cell of the table has a server of its own, on the first processor; the clients have the others, and PostgreSQL
//! all. The contenders of a scenario take turns, and all of it is played several times, so that what disturbs the machine
//! for a while disturbs all of them.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to the person who runs it"
)]

mod contender;
mod goals;
mod growth;
mod plot;
mod report;
mod results;
mod scenario;

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use serde::Serialize;
use tokio::runtime::Builder;
use xtask_load::cpus::Processors;

use crate::{
    contender::Programs,
    goals::Verdict,
    results::Results,
    scenario::{Scenario, Times, figure},
};

/// Measures Sealroom beside its peers.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    #[command(flatten)]
    programs: Programs,
    /// How often everything is played; medians count.
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Once, and shorter: under five minutes. Its figures are for whoever changes something, not for the table.
    #[arg(long)]
    quick: bool,
    /// In the place of the table: what things cost as groups, logs and connections grow.
    #[arg(long)]
    growth: bool,
    /// Only the scenarios whose key begins with this; may be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Only the contenders whose name begins with this; may be given several times.
    #[arg(long)]
    contender: Vec<String>,
    /// Writes the results here as well: `bench.json`, the tables as `bench.md`, and plots.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What is written for programs.
#[derive(Serialize)]
struct Written<'a> {
    runs: u32,
    results: &'a Results,
    verdicts: &'a [Verdict],
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all goals hold.
fn run(options: &Options) -> anyhow::Result<bool> {
    let processors = Processors::divide()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    if options.growth {
        let largest = if options.quick { 10_000 } else { u64::MAX };
        let curves = runtime.block_on(growth::measure(&options.programs, &processors, largest))?;
        return growth::tell(&curves, options.out.as_deref());
    }
    let seconds = if options.quick { (1, 2) } else { (2, 5) };
    let times = Times {
        warm_up: Duration::from_secs(seconds.0),
        measured: Duration::from_secs(seconds.1),
    };
    let scenarios = chosen(options, times);
    let runs = if options.quick { 1 } else { options.runs };
    let mut results = Results::default();
    for round in 1..=runs {
        for scenario in &scenarios {
            for contender in &scenario.contenders {
                let playing = scenario::play(&scenario.play, *contender, &options.programs, &processors);
                let outcome = runtime.block_on(playing);
                println!(
                    "run {round}  {:<13} {:<23} {}",
                    scenario.key,
                    contender.to_string(),
                    told(&outcome)
                );
                results.add(scenario.key, *contender, outcome);
            }
        }
    }
    let verdicts = goals::verdicts(&results);
    let text = format!(
        "{}\n{}\n{}",
        report::table(&scenarios, &results),
        report::goals(&verdicts),
        report::remarks(&scenarios, &results)
    );
    println!("\n{text}");
    if let Some(out) = &options.out {
        fs::create_dir_all(out)?;
        let written = Written {
            runs,
            results: &results,
            verdicts: &verdicts,
        };
        fs::write(out.join("bench.json"), serde_json::to_vec_pretty(&written)?)?;
        fs::write(out.join("bench.md"), text).context("cannot write the table")?;
        plot::bars(out, &scenarios, &results)?;
    }
    let is_exact = scenarios.iter().all(|scenario| {
        let ours = results
            .row(scenario.key)
            .filter(|(contender, _)| contender.is_ours());
        ours.into_iter()
            .all(|(_, cell)| cell.faults() == 0.0 && cell.errors.is_empty())
    });
    Ok(is_exact && verdicts.iter().all(|verdict| verdict.holds))
}

fn chosen(options: &Options, times: Times) -> Vec<Scenario> {
    let begins =
        |name: &str, with: &[String]| with.is_empty() || with.iter().any(|begin| name.starts_with(begin));
    let mut scenarios = scenario::all(times);
    scenarios.retain(|scenario| begins(scenario.key, &options.only));
    for scenario in &mut scenarios {
        scenario.contenders.retain(|contender| {
            begins(&contender.to_string(), &options.contender) && !(options.quick && contender.is_left_out())
        });
    }
    scenarios
}

/// A line for whoever waits.
fn told(outcome: &anyhow::Result<scenario::Figures>) -> String {
    let figures = match outcome {
        Ok(figures) => figures,
        Err(error) => return format!("fails: {error:#}"),
    };
    let names = [
        figure::SENDS,
        figure::DELIVERIES,
        figure::CPU,
        figure::ACK_P50,
        figure::CONNECTS,
        figure::MEMORY,
        figure::SECONDS,
        figure::FAULTS,
        figure::GENERATOR,
    ];
    let parts = names
        .iter()
        .filter_map(|name| Some(format!("{} {name}", report::number(*figures.get(name)?))));
    parts.collect::<Vec<_>>().join(", ")
}
