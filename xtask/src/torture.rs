//! `cargo xtask torture`: builds what it needs, and runs it.

use std::{path::PathBuf, process::Command};

use cargo_metadata::Metadata;
use clap::{Args, builder::PossibleValuesParser};

use crate::process;

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
        // One after the other: together, the server would be built with features that only the other asks for.
        for package in ["sealroom-server", "xtask-torture"] {
            let mut cargo = process::cargo();
            cargo.current_dir(&metadata.workspace_root);
            process::run(cargo.args(["build", "--quiet", "--release", "--package", package]))?;
        }
        process::run(&mut self.command(metadata))
    }

    fn command(&self, metadata: &Metadata) -> Command {
        let target = metadata.target_directory.as_std_path();
        let program = |name: &str| {
            let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            target.join("release").join(name)
        };
        let mut command = Command::new(program("xtask-torture"));
        command.arg("--server").arg(program("sealroom-server"));
        command.arg("--folder").arg(target.join("torture"));
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
