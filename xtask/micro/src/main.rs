//! Plays one part so many rounds, for whoever counts what that takes.

use anyhow::Context as _;
use clap::Parser;
use xtask_micro::Part;

#[derive(Debug, Parser)]
struct Arguments {
    /// The part's name.
    part: String,
    /// How many rounds.
    rounds: u32,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let part = Part::of(&arguments.part).context("there is no such part")?;
    let mut round = part.prepare()?;
    for _ in 0..arguments.rounds {
        round.play()?;
    }
    Ok(())
}
