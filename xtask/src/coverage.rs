//! `cargo xtask coverage`: which lines the tests execute.

use std::{path::Path, process::Command};

use anyhow::{Context as _, bail};
use cargo_metadata::Metadata;
use xtask_postgres::TEST_URL_VARIABLE;

use crate::{interop, postgres::TestServer, process, tools};

/// Where cargo-llvm-cov builds, in the target directory.
const FOLDER: &str = "llvm-cov-target";
/// What keeps the counts in a file that is mapped into memory, so that a server that a test kills has counted too: `%c`
/// below, which needs this on Linux.
const COUNT_INTO_A_FILE: &str = "-Cllvm-args=-runtime-counter-relocation";
/// One file for each program, whatever the number of its processes: one for each process would fill the disk.
const COUNTS: &str = "sealroom-%m%c.profraw";

/// Runs the tests whose name contains `filter`, or all, and writes a page and a table of what they executed.
pub(crate) fn run(metadata: &Metadata, filter: Option<&str>) -> anyhow::Result<()> {
    let mut environment = llvm_tools()?;
    for (subcommand, package) in [("llvm-cov", "cargo-llvm-cov"), ("nextest", "cargo-nextest")] {
        if !process::succeeds(process::cargo().args([subcommand, "--version"])) {
            bail!("{package} is missing: cargo install --locked {package}");
        }
    }
    // The tests look for the other programs in the target directory that they are built in.
    let mut there = metadata.clone();
    there.target_directory.push(FOLDER);
    interop::install(&there)?;
    tools::need_nginx()?;
    let server = TestServer::need()?;
    let given = std::env::var_os("RUSTFLAGS").unwrap_or_default();
    environment.extend([
        (TEST_URL_VARIABLE, server.url()),
        ("LLVM_PROFILE_FILE_NAME", COUNTS.to_owned()),
        (
            "RUSTFLAGS",
            format!("{COUNT_INTO_A_FILE} {}", given.to_string_lossy()),
        ),
    ]);
    let llvm_cov = |arguments: &str| {
        let mut cargo = process::cargo();
        cargo.current_dir(&metadata.workspace_root).arg("llvm-cov");
        cargo.args(arguments.split(' ')).envs(environment.clone());
        cargo
    };
    process::run(&mut llvm_cov("clean --profraw-only"))?;
    let tests = "nextest --workspace --no-fail-fast --no-report --no-cfg-coverage";
    let tests = process::run(llvm_cov(tests).args(filter));
    // What was executed is of interest also where a test failed.
    process::run(&mut llvm_cov("report --html"))?;
    process::run(&mut llvm_cov("report"))?;
    tests
}

/// Variables that name an llvm-cov and an llvm-profdata of the compiler's LLVM; none where they are found without.
fn llvm_tools() -> anyhow::Result<Vec<(&'static str, String)>> {
    let rustc =
        |argument| process::output(Command::new("rustc").arg(argument)).context("rustc does not answer");
    let component = Path::new(&rustc("--print=target-libdir")?).with_file_name("bin/llvm-cov");
    if std::env::var_os("LLVM_COV").is_some() || component.exists() {
        return Ok(Vec::new());
    }
    let version = rustc("-vV")?;
    let major = version
        .split_once("LLVM version: ")
        .and_then(|(_, version)| version.split('.').next())
        .context("rustc does not name its LLVM")?;
    let tools = [("LLVM_COV", "llvm-cov"), ("LLVM_PROFDATA", "llvm-profdata")]
        .map(|(variable, program)| (variable, format!("{program}-{major}")));
    if !tools
        .iter()
        .all(|(_, program)| process::succeeds(Command::new(program).arg("--version")))
    {
        bail!("llvm-cov is missing: rustup component add llvm-tools, or apt-get install llvm-{major}");
    }
    Ok(tools.to_vec())
}
