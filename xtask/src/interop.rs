//! The packages of the interop clients: exactly those of the lock files, installed once for each change of them.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, bail};
use cargo_metadata::Metadata;

use crate::{process, tools};

/// Where the clients are, from the workspace's root.
const CLIENTS: &str = "crates/server/tests/interop";
/// Python's virtual environment, in the target directory; `tests/common` of `server` looks for it there.
const VENV: &str = "interop-venv";
/// Lies beside what was installed and holds what it was installed from.
const STAMP: &str = ".installed-from";

/// Installs the clients' packages where they are missing or not those of the lock files.
pub(crate) fn install(metadata: &Metadata) -> anyhow::Result<()> {
    let clients = metadata.workspace_root.as_std_path().join(CLIENTS);
    let node = clients.join("node");
    let requirements = clients.join("python/requirements.txt");
    let node_lock = read_lock(&node.join("package-lock.json"))?;
    let python_lock = read_lock(&requirements)?;
    tools::need_node_and_python()?;
    install_node(&node, &node_lock)?;
    let venv = metadata.target_directory.as_std_path().join(VENV);
    install_python(&venv, &requirements, &python_lock)
}

fn read_lock(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("the lock file {} is missing", path.display()))
}

fn install_node(folder: &Path, lock: &str) -> anyhow::Result<()> {
    let stamp = Stamp::new(&folder.join("node_modules"), "node", lock)?;
    if stamp.is_current() {
        return Ok(());
    }
    println!("installing the packages of the Node client");
    // No scripts of packages run; the lock file's checksums are checked.
    process::run(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder),
    )?;
    stamp.write()
}

fn install_python(venv: &Path, requirements: &Path, lock: &str) -> anyhow::Result<()> {
    let stamp = Stamp::new(venv, "python3", lock)?;
    if stamp.is_current() {
        return Ok(());
    }
    println!("installing the packages of the Python client");
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
    process::run(
        Command::new(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--require-hashes", "--only-binary", ":all:", "--requirement"])
            .arg(requirements),
    )?;
    stamp.write()
}

/// What the installed packages were made from: the lock file, and the version of the program that runs them.
struct Stamp {
    path: std::path::PathBuf,
    contents: String,
}

impl Stamp {
    fn new(folder: &Path, program: &str, lock: &str) -> anyhow::Result<Self> {
        let Some(version) = process::output(Command::new(program).arg("--version")) else {
            bail!("{program} does not say its version");
        };
        Ok(Self {
            path: folder.join(STAMP),
            contents: format!("{version}\n{lock}"),
        })
    }

    fn is_current(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|found| found == self.contents)
    }

    fn write(&self) -> anyhow::Result<()> {
        fs::write(&self.path, &self.contents).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::{STAMP, Stamp};

    #[test]
    fn a_stamp_is_current_until_the_lock_file_changes() {
        let folder = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let stamp = |lock: &str| Stamp {
            path: folder.join(STAMP),
            contents: lock.to_owned(),
        };
        assert!(!stamp("a").is_current());
        stamp("a").write().unwrap();
        assert!(stamp("a").is_current());
        assert!(!stamp("b").is_current());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
