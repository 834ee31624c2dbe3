//! Which PostgreSQL is installed, and how to come by one.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{apt, process};

/// The lowest major version that this project supports.
const LOWEST_MAJOR: u32 = 13;
/// Where packages put a version in a directory of its own: the directory, and what follows the version.
const VERSIONED: &[(&str, &str)] = &[
    ("/usr/lib/postgresql", "bin"),
    ("/opt/homebrew/opt", "bin"),
    ("/usr/local/opt", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "bin"),
];
/// Where a PostgreSQL built from its sources and those of other distributions are.
const PLAIN: &[&str] = &["/usr/local/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin"];
/// Debian's settings for the cluster that its package makes.
const CREATE_CLUSTER: &str = "/etc/postgresql-common/createcluster.conf";

/// The programs of one installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The path of one of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Its major version, 13 or higher.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The programs in `folder`; `None` where one is missing or they are too old.
    fn at(folder: &Path) -> Option<Self> {
        // Without symbolic links: a program finds its own files beside itself.
        let postgres = folder.join("postgres").canonicalize().ok()?;
        let folder = postgres.parent()?.to_path_buf();
        if !folder.join("initdb").exists() {
            return None;
        }
        let version = process::output(Command::new(&postgres).arg("--version"))?;
        let major = major(&version).filter(|major| *major >= LOWEST_MAJOR)?;
        Some(Self { folder, major })
    }
}

/// The programs of PostgreSQL 13 or newer: those on the path, else the newest that is found where packages put
/// them, else those that apt installs, else an error of one line that says what to install.
pub fn need_binaries() -> anyhow::Result<Binaries> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let need = format!("the tests need the server programs of PostgreSQL {LOWEST_MAJOR} or newer");
    apt::check(&["postgresql"], &need)?;
    // Debian's package makes a cluster and starts it, which nobody asked for; this one brings the setting.
    apt::install(&["postgresql-common"], &need)?;
    keep_main_cluster_away(Path::new(CREATE_CLUSTER))?;
    apt::install(&["postgresql"], &need)?;
    find().context("PostgreSQL is still missing, or too old, after its installation")
}

fn find() -> Option<Binaries> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find_map(|folder| Binaries::at(&folder))
        .or_else(|| {
            VERSIONED
                .iter()
                .flat_map(|(parent, rest)| versions(Path::new(parent), rest))
                .chain(PLAIN.iter().map(PathBuf::from))
                .filter_map(|folder| Binaries::at(&folder))
                .max_by_key(Binaries::major)
        })
}

/// `rest` in every directory of `parent`; none where `parent` cannot be read.
fn versions(parent: &Path, rest: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path().join(rest)).collect()
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` is 15; so are `15beta2` and `15devel`.
fn major(version: &str) -> Option<u32> {
    let number = version.split("(PostgreSQL) ").nth(1)?;
    let end = number.find(|letter: char| !letter.is_ascii_digit());
    number.get(..end.unwrap_or(number.len()))?.parse().ok()
}

/// Tells Debian's package to make no cluster, unless somebody decided about it.
fn keep_main_cluster_away(settings: &Path) -> anyhow::Result<()> {
    let context = || format!("cannot change {}", settings.display());
    let decided = |line: &str| line.trim_start().starts_with("create_main_cluster");
    if fs::read_to_string(settings).is_ok_and(|text| text.lines().any(decided)) {
        return Ok(());
    }
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(settings)
        .with_context(context)?;
    writeln!(file, "\ncreate_main_cluster = false").with_context(context)
}

#[cfg(test)]
mod tests {
    use super::{Binaries, keep_main_cluster_away, major, need_binaries};

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 17"), Some(17));
        assert_eq!(major("postgres (PostgreSQL) devel"), None);
        assert_eq!(major("postgres 15"), None);
    }

    #[test]
    fn a_folder_without_the_programs_is_none() {
        assert_eq!(Binaries::at(std::path::Path::new("/nonexistent")), None);
    }

    #[test]
    fn the_programs_of_this_machine_are_found() {
        let binaries = need_binaries().unwrap();
        assert!(binaries.major() >= 13);
        assert!(binaries.program("initdb").exists() && binaries.program("postgres").exists());
    }

    #[test]
    fn no_main_cluster_unless_somebody_decided() {
        let file = std::env::temp_dir().join(format!("sealroom-createcluster-{}", std::process::id()));
        std::fs::write(&file, "# create_main_cluster = true").unwrap();
        for _ in 0..2 {
            keep_main_cluster_away(&file).unwrap();
            let expected = "# create_main_cluster = true\ncreate_main_cluster = false\n";
            assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
        }
        std::fs::remove_file(&file).unwrap();
    }
}
