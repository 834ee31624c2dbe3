//! Signals to the server and the processes that it started.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;

use crate::process;

/// Sends a signal to each of the processes; an error where one of them is gone, though the others got it.
pub(crate) fn send(signal: &str, processes: &[u32]) -> anyhow::Result<()> {
    if processes.is_empty() {
        return Ok(());
    }
    // The shell's own `kill`: the program of that name is not everywhere.
    let mut command = Command::new("sh");
    command.args(["-c", r#"signal=$1; shift; kill -s "$signal" "$@""#, "sh", signal]);
    process::run_quietly(command.args(processes.iter().map(u32::to_string)))
}

/// The processes that `parent` started and that live.
pub(crate) fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let pairs = if Path::new("/proc/self/stat").exists() {
        from_proc()?
    } else {
        let table = process::output(Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]));
        table
            .context("ps does not list the processes")?
            .lines()
            .filter_map(pair_of_ps)
            .collect()
    };
    let of_parent = |(process, its_parent)| (its_parent == parent).then_some(process);
    Ok(pairs.into_iter().filter_map(of_parent).collect())
}

/// Every process and its parent, as the Linux kernel tells.
fn from_proc() -> anyhow::Result<Vec<(u32, u32)>> {
    let entries = fs::read_dir("/proc").context("cannot list /proc")?;
    // One that ended meanwhile cannot be read, and is none.
    Ok(entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| pair_of_stat(&stat))
        .collect())
}

/// `17 (name) S 4 …`: the process 17, whose parent is 4. The name may hold anything, also a bracket.
fn pair_of_stat(stat: &str) -> Option<(u32, u32)> {
    let (process, rest) = stat.split_once(' ')?;
    let (_, after_name) = rest.rsplit_once(')')?;
    let parent = after_name.split_whitespace().nth(1)?;
    Some((process.parse().ok()?, parent.parse().ok()?))
}

/// `17 4`: the process 17, whose parent is 4.
fn pair_of_ps(line: &str) -> Option<(u32, u32)> {
    let (process, parent) = line.trim().split_once(char::is_whitespace)?;
    Some((process.parse().ok()?, parent.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{children, pair_of_ps, pair_of_stat};

    #[test]
    fn a_process_and_its_parent_are_read() {
        assert_eq!(pair_of_stat("17 (a) S (b) c) S 4 17 17 0"), Some((17, 4)));
        assert_eq!(pair_of_stat("17"), None);
        assert_eq!(pair_of_ps("   17     4"), Some((17, 4)));
        assert_eq!(pair_of_ps(""), None);
    }

    #[test]
    fn a_child_is_found() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = children(std::process::id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id()), "{found:?}");
    }
}
