//! Programs of the workspace as they are released.

use std::{path::PathBuf, process::Command};

use cargo_metadata::Metadata;

use crate::process;

/// Builds these packages with all optimisations.
pub(crate) fn build(metadata: &Metadata, packages: &[&str]) -> anyhow::Result<()> {
    // One after the other: together, the server would be built with features that only another one asks for.
    for package in packages {
        let mut cargo = process::cargo();
        cargo.current_dir(&metadata.workspace_root);
        process::run(cargo.args(["build", "--quiet", "--release", "--package", package]))?;
    }
    Ok(())
}

/// Where such a program lies.
pub(crate) fn path(metadata: &Metadata, name: &str) -> PathBuf {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    metadata.target_directory.as_std_path().join("release").join(name)
}

/// The program of this package, which is given the server to play with.
pub(crate) fn player(metadata: &Metadata, package: &str) -> Command {
    let mut command = Command::new(path(metadata, package));
    command.arg("--server").arg(path(metadata, "sealroom-server"));
    command
}
