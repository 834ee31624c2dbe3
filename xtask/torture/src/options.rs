//! What a run is to be.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Tries to make the server lose, double, reorder or leak messages.
#[derive(Debug, Clone, Parser)]
#[command(name = "xtask-torture")]
pub struct Options {
    /// The program `sealroom-server`.
    #[arg(long)]
    pub server: PathBuf,
    /// What the server stores in.
    #[arg(long, value_enum)]
    pub store: Store,
    /// How long messages and faults go on; may be a fraction.
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// Chooses what happens; without one it is chosen, and printed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many clients there are.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(4..=1000))]
    pub users: u64,
    /// Where the evidence goes; what is good is removed afterwards.
    #[arg(long, default_value = "target/torture")]
    pub folder: PathBuf,
    /// Keeps the evidence in any case.
    #[arg(long)]
    pub keep: bool,
    /// Writes the summary as JSON too.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// The server's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Store {
    /// A file in the data directory.
    Sqlite,
    /// A server of its own for the run, which is tortured too.
    Postgres,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}
