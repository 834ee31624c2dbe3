//! `cargo xtask test`: installs what the tests need and runs all of them.

use std::process::Command;

use cargo_metadata::Metadata;
use xtask_postgres::TEST_URL_VARIABLE;

use crate::{interop, postgres::TestServer, process, tools};

/// Runs the tests whose name contains `filter`, or all.
pub(crate) fn run(metadata: &Metadata, filter: Option<&str>) -> anyhow::Result<()> {
    interop::install(metadata)?;
    tools::need_nginx()?;
    // Stopped when this function returns, however the tests went.
    let server = TestServer::need()?;
    let mut doc_tests = cargo(metadata);
    doc_tests.args(["test", "--doc", "--workspace"]);
    process::run(doc_tests.args(filter).env(TEST_URL_VARIABLE, server.url()))?;
    // Last, so that what most people look for stands at the end.
    let mut tests = workspace_tests(metadata);
    process::run(tests.args(filter).env(TEST_URL_VARIABLE, server.url()))
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
