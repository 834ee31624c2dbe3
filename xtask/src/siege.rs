//! `cargo xtask siege` and `cargo xtask soak`: build what they need, and run it.

use cargo_metadata::Metadata;
use clap::{Args, builder::PossibleValuesParser};

use crate::{process, released};

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
    released::build(metadata, &["sealroom-server", "xtask-siege"])?;
    let mut command = released::player(metadata, "xtask-siege");
    command.args(["--scenario", scenario, "--store", store]);
    command.args(["--seconds", &seconds.to_string()]);
    process::run(&mut command)
}
