//! The packages of the programs that play against the server: exactly those of the lock files, installed once for each change of them.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, bail};
use cargo_metadata::Metadata;

use crate::{process, tools};

/// The Node client, from the workspace's root.
const NODE: &str = "crates/server/tests/interop/node";
/// What Python runs: who it is for, its requirements, and its virtual environment in the target directory, where the
/// tests of `server` look for it.
const PYTHON: [(&str, &str, &str); 2] = [
    (
        "the Python client",
        "crates/server/tests/interop/python/requirements.txt",
        "interop-venv",
    ),
    (
        "schemathesis",
        "crates/server/tests/schemathesis/requirements.txt",
        "schemathesis-venv",
    ),
];
/// Lies beside what was installed and holds what it was installed from.
const STAMP: &str = ".installed-from";

/// Installs the packages where they are missing or not those of the lock files.
pub(crate) fn install(metadata: &Metadata) -> anyhow::Result<()> {
    let root = metadata.workspace_root.as_std_path();
    let node = root.join(NODE);
    let node_lock = read_lock(&node.join("package-lock.json"))?;
    tools::need_node_and_python()?;
    install_node(&node, &node_lock)?;
    for (whose, requirements, venv) in PYTHON {
        let requirements = root.join(requirements);
        let lock = read_lock(&requirements)?;
        let venv = metadata.target_directory.as_std_path().join(venv);
        install_python(whose, &venv, &requirements, &lock)?;
    }
    Ok(())
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

fn install_python(whose: &str, venv: &Path, requirements: &Path, lock: &str) -> anyhow::Result<()> {
    let stamp = Stamp::new(venv, "python3", lock)?;
    if stamp.is_current() {
        return Ok(());
    }
    println!("installing the packages of {whose}");
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
