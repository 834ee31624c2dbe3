//! `cargo xtask siege` and `cargo xtask soak`: build what they need, and run it.

use std::process::Command;

use cargo_metadata::Metadata;
use clap::{Args, builder::PossibleValuesParser};

use crate::process;

/// What the server stores in.
#[derive(Debug, Args)]
struct Store {
    /// What the server stores in; for `postgres` a PostgreSQL server is started.
    #[arg(long, value_parser = PossibleValuesParser::new(["sqlite", "postgres"]), default_value = "sqlite")]
    store: String,
}

/// What `xtask-siege` is told.
#[derive(Debug, Args)]
pub(crate) struct Siege {
    /// What is played.
    #[arg(value_parser = PossibleValuesParser::new(["readers", "connections", "frames", "overload"]))]
    scenario: String,
    /// How long it is played.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    #[command(flatten)]
    store: Store,
}

/// The same for a soak.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// How long; at least two.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    #[command(flatten)]
    store: Store,
}

impl Siege {
    /// Builds the server as it is released, and besieges it.
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        run(metadata, &self.scenario, self.seconds, &self.store.store)
    }
}

impl Soak {
    /// Builds the server as it is released, and lets clients live with it.
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        run(
            metadata,
            "soak",
            self.minutes.saturating_mul(60),
            &self.store.store,
        )
    }
}

fn run(metadata: &Metadata, scenario: &str, seconds: u64, store: &str) -> anyhow::Result<()> {
    if store == "postgres" {
        xtask_postgres::need_binaries()?;
    }
    // One after the other: together, the server would be built with features that only the other asks for.
    for package in ["sealroom-server", "xtask-siege"] {
        let mut cargo = process::cargo();
        cargo.current_dir(&metadata.workspace_root);
        process::run(cargo.args(["build", "--quiet", "--release", "--package", package]))?;
    }
    let target = metadata.target_directory.as_std_path();
    let program = |name: &str| {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        target.join("release").join(name)
    };
    let mut command = Command::new(program("xtask-siege"));
    command.arg("--server").arg(program("sealroom-server"));
    command.args(["--scenario", scenario, "--store", store]);
    command.args(["--seconds", &seconds.to_string()]);
    process::run(&mut command)
}
