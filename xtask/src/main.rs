//! The project's own commands: `cargo xtask`.
//!
//! `arch` proves the layers, `check` adds format, clippy, docs and the dependencies, `test` installs what the tests need
//! and runs all of them, `ci` is all of it: what must pass before a change is taken. `coverage` says which lines the
//! tests execute. `audit` looks at what all of it depends on, `sbom` writes down what the server is made of. `pg` starts
//! a PostgreSQL server to try things with, `fuzz` feeds everything that reads bytes from outside with made-up ones,
//! `count` counts the instructions of a message's way, `load` measures a running server, `bench` measures ours beside its peers, `siege` and `soak` play hostile clients and
//! long lives, `torture` kills the server all the time and holds what its clients saw against the protocol.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to the person who runs it"
)]

mod arch;
mod audit;
mod bench;
mod ci;
mod count;
mod coverage;
mod fuzz;
mod interop;
mod load;
mod lock;
mod packages;
mod postgres;
mod process;
mod released;
mod sbom;
mod siege;
mod test;
mod tools;
mod torture;
mod tree;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use cargo_metadata::{Metadata, MetadataCommand};
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Proves the layers: arrows between crates, third-party dependencies, manifests, file lengths.
    Arch,
    /// Installs what the tests need and runs all of them.
    Test {
        /// Runs only the tests whose name contains this.
        #[arg(long)]
        filter: Option<String>,
    },
    /// Runs all tests and says which lines they execute; needs cargo-llvm-cov and the tools of the compiler's LLVM.
    Coverage {
        /// Runs only the tests whose name contains this.
        #[arg(long)]
        filter: Option<String>,
    },
    /// Looks at the dependencies: lowest safe versions, bans, sources, licences, known vulnerabilities.
    Audit(audit::Audit),
    /// Writes the bill of materials of the server, as CycloneDX.
    Sbom(sbom::Sbom),
    /// Format, clippy, docs, arch and what `audit` tells without a network; stops at the first failure.
    Check,
    /// Check and test.
    Ci,
    /// Counts the instructions of a message's way, and fails where they became more.
    Count(count::Count),
    /// Starts a PostgreSQL server for tests and development; it is gone with its data after Ctrl-C.
    Pg,
    /// Feeds what reads bytes from outside with made-up ones; installs cargo-fuzz where it is missing.
    Fuzz(fuzz::Fuzz),
    /// Measures the server beside its peers, under the same load.
    Bench(bench::Bench),
    /// Loads a running server with many clients, and says what became of what they sent.
    Load(load::Load),
    /// Plays what hostile and broken clients do, and measures what the others feel of it.
    Siege(siege::Siege),
    /// Lets clients come, write and go for a long time, and looks at what the server keeps of it.
    Soak(siege::Soak),
    /// Tries to make the server lose, double, reorder or leak messages.
    Torture(torture::Torture),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask lies in the workspace's root")?
        .to_path_buf();
    let metadata = metadata(root)?;
    match &arguments.command {
        Command::Arch => arch::run(&metadata),
        Command::Test { filter } => test::run(&metadata, filter.as_deref()),
        Command::Coverage { filter } => coverage::run(&metadata, filter.as_deref()),
        Command::Audit(audit) => audit.run(&metadata),
        Command::Sbom(sbom) => sbom.run(&metadata),
        Command::Check => ci::check(&metadata),
        Command::Ci => ci::run(&metadata),
        Command::Count(count) => count.run(&metadata),
        Command::Pg => postgres::run(),
        Command::Fuzz(fuzz) => fuzz.run(&metadata),
        Command::Bench(bench) => bench.run(&metadata),
        Command::Load(load) => load.run(&metadata),
        Command::Siege(siege) => siege.run(&metadata),
        Command::Soak(soak) => soak.run(&metadata),
        Command::Torture(torture) => torture.run(&metadata),
    }
}

/// The workspace's own packages, without resolving what they depend on.
fn metadata(root: PathBuf) -> anyhow::Result<Metadata> {
    MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo metadata failed")
}
