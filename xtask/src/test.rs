//! `cargo xtask test`: installs what the tests need and runs all of them.

use std::process::Command;

use cargo_metadata::Metadata;

use crate::{interop, process};

/// Runs the tests whose name contains `filter`, or all.
pub(crate) fn run(metadata: &Metadata, filter: Option<&str>) -> anyhow::Result<()> {
    interop::install(metadata)?;
    let mut doc_tests = cargo(metadata);
    process::run(doc_tests.args(["test", "--doc", "--workspace"]).args(filter))?;
    // Last, so that what most people look for stands at the end.
    process::run(workspace_tests(metadata).args(filter))
}

/// Unit and integration tests; the examples are built along, as tests start some of them.
fn workspace_tests(metadata: &Metadata) -> Command {
    let mut command = cargo(metadata);
    if process::succeeds(cargo(metadata).args(["nextest", "--version"])) {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        println!("cargo-nextest is not installed: running the tests with cargo test");
        // Not `--all-targets`: that would build the examples as tests and not as the programs that tests start.
        command.args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            "--no-fail-fast",
        ]);
    }
    command
}

fn cargo(metadata: &Metadata) -> Command {
    let mut cargo = process::cargo();
    cargo.current_dir(&metadata.workspace_root);
    cargo
}
