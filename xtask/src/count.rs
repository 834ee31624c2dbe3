//! `cargo xtask count`: how many instructions the parts of a message's way take, held against what is written down.
//!
//! Valgrind counts what is executed, so a busy machine changes nothing. It is the build that the tests use, which is
//! there already: a statement, an allocation or a copy more shows in it as well.

use std::{collections::BTreeMap, fs, process::Command};

use anyhow::{Context as _, bail};
use cargo_metadata::{Metadata, camino::Utf8Path};
use clap::Args;

use crate::{process, tools};

/// Where the counts are written down, from the workspace's root: instructions a round.
const COUNTS: &str = "xtask/micro/counts.json";
/// How much more a part may take, in percent. Compilers of C and their libraries differ a little from machine to
/// machine.
const TOLERANCE: u64 = 8;

/// Counts and compares.
#[derive(Debug, Args)]
pub(crate) struct Count {
    /// Writes the counts down instead of comparing them.
    #[arg(long)]
    bless: bool,
}

type Counts = BTreeMap<String, u64>;

/// What `cargo xtask ci` does.
pub(crate) fn compare_all(metadata: &Metadata) -> anyhow::Result<()> {
    Count { bless: false }.run(metadata)
}

impl Count {
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        tools::need_valgrind()?;
        let mut cargo = process::cargo();
        cargo.current_dir(&metadata.workspace_root);
        // As the tests are built, so that nothing is built twice.
        process::run(cargo.args(["test", "--quiet", "--workspace", "--no-run", "--test", "parts"]))?;
        let program = metadata.target_directory.join("debug/xtask-micro");
        let mut counted = Counts::new();
        for (part, rounds) in parts(&program)? {
            // The difference is what the rounds took; making everything ready is in both.
            let (few, many) = (
                instructions(&program, &part, rounds)?,
                instructions(&program, &part, 2 * rounds)?,
            );
            counted.insert(part, many.saturating_sub(few) / rounds);
        }
        let path = metadata.workspace_root.join(COUNTS);
        if self.bless {
            let text = serde_json::to_string_pretty(&counted)? + "\n";
            return Ok(fs::write(path, text)?);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("read {COUNTS}"))?;
        compare(&serde_json::from_str(&text)?, &counted)
    }
}

fn compare(expected: &Counts, counted: &Counts) -> anyhow::Result<()> {
    if let Some(gone) = expected.keys().find(|part| !counted.contains_key(*part)) {
        bail!("{COUNTS} has {gone}, which was not counted");
    }
    let mut more = Vec::new();
    for (part, count) in counted {
        let expected = *expected
            .get(part)
            .with_context(|| format!("{COUNTS} has no {part}"))?;
        println!("{part:<18} {count:>12} instructions a round, {expected:>12} expected");
        if count.saturating_mul(100) > expected.saturating_mul(100 + TOLERANCE) {
            more.push(part.as_str());
        }
    }
    if !more.is_empty() {
        bail!(
            "more than {TOLERANCE} % above what is written down: {}; if it is worth that, `cargo xtask count --bless`",
            more.join(", ")
        );
    }
    Ok(())
}

/// The parts that there are, with their rounds.
fn parts(program: &Utf8Path) -> anyhow::Result<Vec<(String, u64)>> {
    let listed = process::output(&mut Command::new(program)).context("the parts cannot be listed")?;
    let part = |line: &str| {
        let (name, rounds) = line.split_once(' ')?;
        Some((name.to_owned(), rounds.parse().ok()?))
    };
    let parts: Option<Vec<_>> = listed.lines().map(part).collect();
    parts
        .filter(|parts| !parts.is_empty())
        .context("no parts are listed")
}

/// What valgrind counts of a whole run.
fn instructions(program: &Utf8Path, part: &str, rounds: u64) -> anyhow::Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
    ]);
    valgrind.arg(program).arg(part).arg(rounds.to_string());
    let output = valgrind.output().context("valgrind cannot be run")?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{part} failed under valgrind: {told}");
    }
    read(&told).with_context(|| format!("valgrind told no count: {told}"))
}

/// `==12== I refs:        1,234,567` or, in later versions, `I   refs:`.
fn read(told: &str) -> Option<u64> {
    let line = told
        .lines()
        .find(|line| line.contains("refs:") && line.contains(" I "))?;
    let digits: String = line
        .rsplit(':')
        .next()?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read() {
        assert_eq!(
            read("==9== Cachegrind\n==9== I   refs:      1,234,567\n"),
            Some(1_234_567)
        );
        assert_eq!(read("==9== I refs:        12\n==9== \n"), Some(12));
        assert_eq!(read("==9== D refs: 7\n"), None);
    }

    #[test]
    fn only_more_fails() {
        let counts = |count| Counts::from([("encode".to_owned(), count)]);
        assert!(compare(&counts(1000), &counts(1080)).is_ok());
        assert!(compare(&counts(1000), &counts(1081)).is_err());
        assert!(compare(&counts(1000), &counts(1)).is_ok());
        assert!(compare(&Counts::new(), &counts(1)).is_err());
        assert!(compare(&counts(1000), &Counts::new()).is_err());
    }
}
