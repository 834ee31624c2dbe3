//! Packages of npm and pip: exactly those of a lock file, installed once for each change of it.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::process;

/// Lies beside what was installed and holds what it was installed from.
const STAMP: &str = ".installed-from";

/// What packages of npm may do when they are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    /// Nothing.
    Skip,
    /// Run their scripts, for those that compile something.
    Run,
}

/// Installs the packages of a folder's `package-lock.json`, whose checksums are checked, beside it.
pub(crate) fn install_node(whose: &str, folder: &Path, scripts: Scripts) -> anyhow::Result<()> {
    let lock = read_lock(&folder.join("package-lock.json"))?;
    let stamp = Stamp::new(&folder.join("node_modules"), "node", &lock)?;
    if stamp.is_current() {
        return Ok(());
    }
    println!("installing the packages of {whose}");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder);
    if scripts == Scripts::Skip {
        npm.arg("--ignore-scripts");
    }
    process::run(&mut npm)?;
    stamp.write()
}

/// Installs the packages of a `requirements.txt`, whose checksums are checked, into a virtual environment.
pub(crate) fn install_python(whose: &str, venv: &Path, requirements: &Path) -> anyhow::Result<()> {
    let stamp = Stamp::new(venv, "python3", &read_lock(requirements)?)?;
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

fn read_lock(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("the lock file {} is missing", path.display()))
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
