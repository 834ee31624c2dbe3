//! `cargo xtask load`: builds the load generator, and runs it.

use std::{ffi::OsString, process::Command};

use cargo_metadata::Metadata;
use clap::Args;

use crate::{process, released};

/// What `xtask-load` is told.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Load {
    /// `--help` tells what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Load {
    /// Builds it with all optimisations, and runs it.
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        released::build(metadata, &["xtask-load"])?;
        process::run(Command::new(released::path(metadata, "xtask-load")).args(&self.arguments))
    }
}
