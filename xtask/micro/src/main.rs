//! Plays one part so many rounds, for whoever counts what that takes.

#![expect(
    clippy::print_stdout,
    reason = "a command line tool speaks to whoever runs it"
)]

use anyhow::Context as _;
use clap::Parser;
use xtask_micro::{PARTS, Part};

#[derive(Debug, Parser)]
struct Arguments {
    /// The part's name; without one, the parts are listed, each with its rounds.
    #[arg(requires = "rounds")]
    part: Option<String>,
    /// How many rounds.
    rounds: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let Some(part) = arguments.part else {
        for part in PARTS {
            println!("{} {}", part.name, part.rounds);
        }
        return Ok(());
    };
    let mut round = Part::of(&part).context("there is no such part")?.prepare()?;
    for _ in 0..arguments.rounds.unwrap_or(0) {
        round.play()?;
    }
    Ok(())
}
