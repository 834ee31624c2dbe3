//! What has to be installed on the machine, and how to come by it.

use std::{path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::process;

/// The lowest major version of Node that the interop client was written for.
const NODE_MAJOR: u32 = 18;

/// rustfmt and clippy, which `rust-toolchain.toml` names; a toolchain that was installed before may lack them.
pub(crate) fn need_rust_components() -> anyhow::Result<()> {
    let missing = |component: &str| !process::succeeds(process::cargo().args([component, "--version"]));
    if !missing("fmt") && !missing("clippy") {
        return Ok(());
    }
    process::run(Command::new("rustup").args(["component", "add", "rustfmt", "clippy"]))
        .context("install rustfmt and clippy for this toolchain")
}

/// Node with npm, and Python with venv: installed with apt where that is possible.
pub(crate) fn need_node_and_python() -> anyhow::Result<()> {
    let mut packages = Vec::new();
    if !process::succeeds(Command::new("node").arg("--version")) {
        packages.push("nodejs");
    }
    if !process::succeeds(Command::new("npm").arg("--version")) {
        packages.push("npm");
    }
    // Debian packs `ensurepip`, without which no virtual environment has pip, apart from Python.
    if !process::succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        packages.extend(["python3", "python3-venv"]);
    }
    if !packages.is_empty() {
        install(&packages)?;
    }
    check_node_version()
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    let wanted = packages.join(" ");
    if !is_root() || !Path::new("/usr/bin/apt-get").exists() {
        bail!("the interop tests need Node {NODE_MAJOR} or newer and Python 3: install {wanted}");
    }
    println!("installing {wanted}");
    process::run(Command::new("apt-get").args(["update", "-q"]))?;
    process::run(
        Command::new("apt-get")
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn check_node_version() -> anyhow::Result<()> {
    let version = process::output(Command::new("node").arg("--version"))
        .context("node is still missing after its installation")?;
    match node_major(&version) {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => bail!("the interop tests need Node {NODE_MAJOR} or newer, this is {version}"),
    }
}

/// `v20.11.1` is 20.
fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn is_root() -> bool {
    process::output(Command::new("id").arg("-u")).as_deref() == Some("0")
}

#[cfg(test)]
mod tests {
    use super::node_major;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(node_major("v20.11.1"), Some(20));
        assert_eq!(node_major("20.11.1"), None);
        assert_eq!(node_major("v"), None);
    }
}
