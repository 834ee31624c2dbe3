//! `cargo xtask bench`: builds and installs whoever is measured, and measures.

use std::{ffi::OsString, process::Command};

use cargo_metadata::Metadata;
use clap::Args;

use crate::{packages, process, released, tools};

/// The packages that are built.
const BUILT: [&str; 3] = ["sealroom-server", "xtask-peers", "xtask-bench"];
/// The peers, from the workspace's root.
const PEERS: &str = "xtask/peers";

/// What `xtask-bench` is told.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// `--help` tells what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Bench {
    /// Gets everything that is needed, and measures.
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        xtask_postgres::need_binaries()?;
        tools::need_node_and_python()?;
        let peers = metadata.workspace_root.as_std_path().join(PEERS);
        packages::install_node("the peer in Node", &peers.join("node"), packages::Scripts::Run)?;
        let venv = metadata.target_directory.as_std_path().join("bench-venv");
        let requirements = peers.join("guide/requirements.txt");
        packages::install_python("the peer in Python", &venv, &requirements)?;
        released::build(metadata, &BUILT)?;
        let program = released::path(metadata, "xtask-bench");
        let mut command = Command::new(&program);
        command.arg("--built").args(program.parent());
        command.arg("--peers").arg(peers);
        command.arg("--python").arg(venv.join("bin/python"));
        process::run(command.args(&self.arguments))
    }
}
