//! What has to be installed on the machine, and how to come by it.

use std::process::Command;

use anyhow::{Context as _, bail};
use xtask_postgres::apt;

use crate::process;

/// The lowest major version of Node that the interop client was written for.
const NODE_MAJOR: u32 = 18;
/// The same for Python 3: its lowest minor version.
const PYTHON_MINOR: u32 = 11;

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
        let need =
            format!("the interop tests need Node {NODE_MAJOR} and Python 3.{PYTHON_MINOR}, or newer ones");
        apt::install(&packages, &need)?;
    }
    check_version("node", NODE_MAJOR, node_major)?;
    check_version("python3", PYTHON_MINOR, python_minor)
}

/// nginx, which a test runs in front of the server, with the configuration of the documentation.
pub(crate) fn need_nginx() -> anyhow::Result<()> {
    // As root it stands in a directory that not every path has.
    let is_there = |program: &str| process::succeeds(Command::new(program).arg("-v"));
    if is_there("nginx") || is_there("/usr/sbin/nginx") {
        return Ok(());
    }
    apt::install(&["nginx-light"], "the tests of the reverse proxy need nginx")
}

/// valgrind, which counts instructions.
pub(crate) fn need_valgrind() -> anyhow::Result<()> {
    if process::succeeds(Command::new("valgrind").arg("--version")) {
        return Ok(());
    }
    apt::install(&["valgrind"], "counting instructions needs valgrind")
}

/// cargo-fuzz, which is installed where it is missing, and the C++ compiler that libFuzzer is built with.
pub(crate) fn need_cargo_fuzz() -> anyhow::Result<()> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if !process::succeeds(Command::new(&compiler).arg("--version")) {
        bail!("a C++ compiler is missing, which libFuzzer is built with: apt-get install g++, or set CXX");
    }
    if process::succeeds(process::cargo().args(["fuzz", "--version"])) {
        return Ok(());
    }
    process::run(process::cargo().args(["install", "--locked", "cargo-fuzz"]))
        .context("cargo-fuzz is missing, and cannot be installed: cargo install --locked cargo-fuzz")
}

fn check_version(program: &str, lowest: u32, read: fn(&str) -> Option<u32>) -> anyhow::Result<()> {
    let version = process::output(Command::new(program).arg("--version"))
        .with_context(|| format!("{program} is still missing after its installation"))?;
    if read(&version).is_none_or(|found| found < lowest) {
        bail!(
            "the interop tests need Node {NODE_MAJOR} and Python 3.{PYTHON_MINOR}, or newer ones; \
             {program} says {version}"
        );
    }
    Ok(())
}

/// `v20.11.1` is 20.
fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// `Python 3.11.7` is 11.
fn python_minor(version: &str) -> Option<u32> {
    version.strip_prefix("Python 3.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{node_major, python_minor};

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(node_major("v20.11.1"), Some(20));
        assert_eq!(node_major("20.11.1"), None);
        assert_eq!(node_major("v"), None);
    }

    #[test]
    fn the_version_of_python_is_read() {
        assert_eq!(python_minor("Python 3.11.7"), Some(11));
        assert_eq!(python_minor("Python 3.14.0rc1"), Some(14));
        assert_eq!(python_minor("Python 2.7.18"), None);
    }
}
