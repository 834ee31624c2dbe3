//! `cargo xtask torture`: builds what it needs, and runs it.

use std::{path::PathBuf, process::Command};

use cargo_metadata::Metadata;
use clap::{Args, builder::PossibleValuesParser};

use crate::{process, released};

/// What `xtask-torture` is told.
#[derive(Debug, Args)]
pub(crate) struct Torture {
    /// What the server stores in; for `postgres` a PostgreSQL server is started, and tortured too.
    #[arg(long, value_parser = PossibleValuesParser::new(["sqlite", "postgres"]))]
    store: String,
    /// How long messages and faults go on; may be a fraction.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Chooses what happens; without one it is chosen, and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many clients there are.
    #[arg(long)]
    users: Option<u64>,
    /// Keeps the evidence also where all is well.
    #[arg(long)]
    keep: bool,
    /// Writes the summary as JSON too.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Torture {
    /// Builds the server as it is released, and tortures it.
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        if self.store == "postgres" {
            xtask_postgres::need_binaries()?;
        }
        released::build(metadata, &["sealroom-server", "xtask-torture"])?;
        process::run(&mut self.command(metadata))
    }

    fn command(&self, metadata: &Metadata) -> Command {
        let mut command = released::player(metadata, "xtask-torture");
        let folder = metadata.target_directory.as_std_path().join("torture");
        command.arg("--folder").arg(folder);
        command.args(["--store", &self.store, "--minutes", &self.minutes.to_string()]);
        let numbers = [("--seed", self.seed), ("--users", self.users)];
        for (name, number) in numbers {
            command.args(number.map(|number| format!("{name}={number}")));
        }
        command.args(self.keep.then_some("--keep"));
        if let Some(path) = &self.json {
            command.arg("--json").arg(path);
        }
        command
    }
}
