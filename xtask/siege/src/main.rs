//! The program behind `cargo xtask siege` and `cargo xtask soak`.
//!
//! It starts the server as it is released, with its default limits, plays hostile or merely many clients against it, and
//! measures memory, descriptors and what a client that means well feels meanwhile: as ratios to a clean run of the same
//! process a moment before, since machines differ and are noisy.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to the person who runs it"
)]

mod attack;

mod overload;
mod peer;
mod probe;
mod readers;
mod soak;
mod target;
mod verdict;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};

use xtask_load::cpus::Processors;

use crate::{target::Target, verdict::Verdict};

/// Besieges a server.
#[derive(Debug, Parser)]
#[command(name = "xtask-siege")]
struct Options {
    /// The program `sealroom-server`.
    #[arg(long)]
    server: PathBuf,
    /// What is played.
    #[arg(long, value_enum)]
    scenario: Scenario,
    /// How long; what is measured before and after comes on top.
    #[arg(long)]
    seconds: u64,
    /// What the server stores in; for `postgres` a PostgreSQL server is started.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
}

/// What is played.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scenario {
    /// 50 readers that take nothing and 50 at 1 KB/s, in a room of 200 at 200 messages a second.
    Readers,
    /// 2 000 connections with slow headers, 2 000 idle ones, and a flood of new ones.
    Connections,
    /// Frames of 64 MiB, a million fragments, forged attachments, packets before CONNECT.
    Frames,
    /// Three times as many messages as the server can store.
    Overload,
    /// Clients that come and go, write, are removed and added again, and renew their tokens.
    Soak,
}

/// What the server stores in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// A file in its data directory.
    Sqlite,
    /// A PostgreSQL server of its own.
    Postgres,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(verdict) if verdict.is_good() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<Verdict> {
    // Before there are more threads.
    let processors = match options.scenario {
        // Who sends as much as it can must not take from who stores it.
        Scenario::Overload => Processors::divide()?,
        _ => Processors::shared()?,
    };
    tokio::runtime::Runtime::new()?.block_on(besiege(options, &processors))
}

async fn besiege(options: &Options, processors: &Processors) -> anyhow::Result<Verdict> {
    let duration = Duration::from_secs(options.seconds);
    let settings: &[(&str, &str)] = match options.scenario {
        // What is measured is the server, not its limits.
        Scenario::Overload => &[("SEALROOM_LIMIT_SENDS_PER_USER", "off")],
        Scenario::Soak => &[("SEALROOM_LIMIT_SENDS_PER_USER", "500:500")],
        _ => &[],
    };
    let mut target = Target::start(&options.server, options.store, settings, processors).await?;
    let mut verdict = Verdict::default();
    match options.scenario {
        Scenario::Readers => readers::play(&target, duration, &mut verdict).await?,
        Scenario::Connections => attack::connections(&target, duration, &mut verdict).await?,
        Scenario::Frames => attack::frames(&target, duration, &mut verdict).await?,
        Scenario::Overload => overload::play(&target, duration, &mut verdict).await?,
        Scenario::Soak => soak::play(&target, duration, &mut verdict).await?,
    }
    verdict.holds("the server is the same process", target.is_running()?);
    let log = target.end().await?;
    verdict.holds("no panic in its log", !log.contains("panicked"));
    verdict.print();
    Ok(verdict)
}
