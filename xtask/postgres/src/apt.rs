//! Packages of Debian and its kin.

use std::{path::Path, process::Command};

use anyhow::bail;

use crate::{account, process};

/// Installs the packages as root with apt; anywhere else it is an error that says `need` and what to install.
pub fn install(packages: &[&str], need: &str) -> anyhow::Result<()> {
    check(packages, need)?;
    say(&format!("installing {}", packages.join(" ")));
    process::run(Command::new("apt-get").args(["update", "-q"]))?;
    process::run(
        Command::new("apt-get")
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// The error of [`install`] where that cannot do anything.
pub(crate) fn check(packages: &[&str], need: &str) -> anyhow::Result<()> {
    if !account::is_root() || !Path::new("/usr/bin/apt-get").exists() {
        bail!("{need}: install {}", packages.join(" "));
    }
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "an installation takes long, and whoever waits has to know for what"
)]
fn say(line: &str) {
    println!("{line}");
}
