//! What cargo-deny checks besides: licences, sources and bans on every system that is supported, and advisories.

use std::process::Command;

use anyhow::Context as _;
use cargo_metadata::Metadata;

use crate::process;

/// The version that is installed where there is none; others read `deny.toml` differently.
const VERSION: &str = "0.20.2";
const NOT_CHECKED: &str = "advisories were NOT checked: the advisory database cannot be fetched";

/// Installs cargo-deny where it is missing, which takes some minutes.
pub(crate) fn need() -> anyhow::Result<()> {
    if process::succeeds(process::cargo().args(["deny", "--version"])) {
        return Ok(());
    }
    println!("cargo-deny is not installed: installing {VERSION}");
    let mut install = process::cargo();
    install.args(["install", "--locked", "--version", VERSION, "cargo-deny"]);
    process::run(&mut install).context("cargo-deny is missing")
}

/// Bans, licences and sources, as `deny.toml` says.
pub(crate) fn check(metadata: &Metadata) -> anyhow::Result<()> {
    process::run(deny(metadata).args(["check", "bans", "licenses", "sources"]))
}

/// Known vulnerabilities, with the database as it is now. Whether it is an error that the database cannot be had says
/// `is_required`; that it could not is told either way.
pub(crate) fn check_advisories(metadata: &Metadata, is_required: bool) -> anyhow::Result<()> {
    // Apart from the check, whose exit code is the same for a vulnerability and for a network that is away.
    if let Err(error) = process::run(deny(metadata).args(["fetch", "db"])) {
        if is_required {
            return Err(error.context(NOT_CHECKED));
        }
        eprintln!("warning: {NOT_CHECKED} ({error:#}); --require-advisories makes this an error");
        return Ok(());
    }
    process::run(deny(metadata).args(["check", "advisories"])).context("advisories")
}

fn deny(metadata: &Metadata) -> Command {
    let mut cargo = process::cargo();
    cargo.current_dir(&metadata.workspace_root);
    cargo.args(["deny", "--all-features"]);
    cargo
}
