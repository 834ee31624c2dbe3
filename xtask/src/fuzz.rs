//! `cargo xtask fuzz`: feeds every target of `xtask/fuzz` with what libFuzzer makes of the committed inputs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail, ensure};
use cargo_metadata::Metadata;
use clap::{Args, value_parser};

use crate::{process, tools};

/// Programs that cargo-fuzz builds, from the workspace's root.
const DRIVER: &str = "xtask/fuzz/driver";
/// The committed inputs, a folder for each target.
const CORPUS: &str = "xtask/fuzz/corpus";

/// How a target is fed. An input that takes 5 s hangs, and one that needs 1 GiB leaks; what is longer than 8 KiB
/// says nothing that a shorter one does not, because the limits in the targets are small.
const LIMITS: [&str; 5] = [
    "-timeout=5",
    "-rss_limit_mb=1024",
    "-malloc_limit_mb=256",
    "-max_len=8192",
    "-print_final_stats=1",
];

/// What is fed, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// How long each target is fed.
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only this target; may be repeated. All without one.
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
}

/// What libFuzzer says at its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    inputs: u64,
    per_second: u64,
    /// Edges of the program that were reached.
    coverage: u64,
    /// The input that broke a promise.
    found: Option<PathBuf>,
}

impl Fuzz {
    /// Builds the programs and runs one after the other; an error where an input was found that breaks a promise.
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        tools::need_cargo_fuzz()?;
        let root = metadata.workspace_root.as_std_path();
        let folder = metadata.target_directory.as_std_path().join("fuzz");
        let targets = self.chosen(root)?;
        let programs = self.build(root, &folder.join("build"))?;
        let mut found = Vec::new();
        for target in &targets {
            let report = self.feed(target, root, &programs.join(target), &folder.join(target))?;
            println!("{}", report.line(target));
            found.extend(report.found.map(|input| (target, input)));
        }
        for (target, input) in &found {
            eprintln!(
                "{target}: {} breaks a promise; see it again with",
                input.display()
            );
            eprintln!("    {} {}", programs.join(target).display(), input.display());
        }
        ensure!(
            found.is_empty(),
            "{} inputs were found that break a promise",
            found.len()
        );
        Ok(())
    }

    /// The targets to feed.
    fn chosen(&self, root: &Path) -> anyhow::Result<Vec<String>> {
        let listed = process::output(cargo_fuzz(root, "list").args(["--fuzz-dir", DRIVER]))
            .context("cargo-fuzz does not list the targets")?;
        let listed: Vec<String> = listed.lines().map(str::to_owned).collect();
        if let Some(unknown) = self.targets.iter().find(|name| !listed.contains(name)) {
            bail!("there is no target {unknown}; there are {}", listed.join(", "));
        }
        Ok(if self.targets.is_empty() {
            listed
        } else {
            self.targets.clone()
        })
    }

    /// Builds with the compiler of the workspace, and says where the programs are.
    ///
    /// Without a sanitizer: they look for faults of memory, of which the workspace has none because it forbids unsafe
    /// code, and need a nightly compiler. What is left of cargo-fuzz's flags, a stable one knows. Debug assertions and
    /// checks of overflows are on, and `cfg(fuzzing)` is off: what is fed is what is shipped.
    fn build(&self, root: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
        let build = |target: Option<&String>| {
            let mut cargo = cargo_fuzz(root, "build");
            cargo.args(["--fuzz-dir", DRIVER, "--target-dir"]).arg(folder);
            cargo.args(["--sanitizer", "none", "--debug-assertions", "--no-cfg-fuzzing"]);
            // Half the time of the default, and programs that are as fast.
            cargo.args(["--codegen-units", "16"]).args(target);
            process::run(&mut cargo).context("the programs of the targets cannot be built")
        };
        if self.targets.is_empty() {
            build(None)?;
        }
        for target in &self.targets {
            build(Some(target))?;
        }
        let rustc = process::output(Command::new("rustc").current_dir(root).arg("-vV"));
        let rustc = rustc.context("rustc does not answer")?;
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not name its host")?;
        Ok(folder.join(host).join("release"))
    }

    /// Feeds one target. What it finds is kept in its folder, and is where the next run begins.
    fn feed(&self, target: &str, root: &Path, program: &Path, folder: &Path) -> anyhow::Result<Report> {
        let (corpus, found) = (folder.join("corpus"), folder.join("found"));
        for folder in [&corpus, &found] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let path = folder.join("log");
        let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new(program);
        command
            .current_dir(root)
            .args(LIMITS)
            .arg(format!("-max_total_time={}", self.seconds))
            // The slash at the end makes a folder of it.
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg(corpus)
            .arg(root.join(CORPUS).join(target))
            .stdout(log.try_clone()?)
            .stderr(log);
        let status = command
            .status()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let log = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let report = Report::read(&String::from_utf8_lossy(&log));
        if !status.success() && report.found.is_none() {
            bail!("{target} ended with {status}; {} has the reason", path.display());
        }
        Ok(report)
    }
}

impl Report {
    fn read(log: &str) -> Self {
        let mut report = Self::default();
        for line in log.lines() {
            let number = |text: &str| text.trim().parse().unwrap_or_default();
            if let Some(inputs) = line.strip_prefix("stat::number_of_executed_units:") {
                report.inputs = number(inputs);
            } else if let Some(per_second) = line.strip_prefix("stat::average_exec_per_sec:") {
                report.per_second = number(per_second);
            } else if let Some((_, path)) = line.split_once("Test unit written to ") {
                report.found = Some(path.trim().into());
            } else if line.starts_with('#')
                && let Some((_, rest)) = line.split_once(" cov: ")
            {
                report.coverage = number(rest.split(' ').next().unwrap_or_default());
            }
        }
        report
    }

    fn line(&self, target: &str) -> String {
        let Self {
            inputs,
            per_second,
            coverage,
            found,
        } = self;
        let found = u8::from(found.is_some());
        format!("{target:<16} {inputs:>10} inputs {per_second:>8}/s  coverage {coverage:>6}  crashes {found}")
    }
}

fn cargo_fuzz(root: &Path, command: &str) -> Command {
    let mut cargo = process::cargo();
    cargo.current_dir(root).args(["fuzz", command]);
    cargo
}

#[cfg(test)]
mod tests {
    use super::Report;

    const LOG: &str = "\
INFO: seed corpus: files: 3 min: 1b max: 9b total: 15b rss: 41Mb
#2\tINITED cov: 7 ft: 8 corp: 1/1b exec/s: 0 rss: 42Mb
#4096\tpulse  cov: 1093 ft: 4103 corp: 240/8Kb lim: 76 exec/s: 2048 rss: 61Mb
stat::number_of_executed_units: 1918676
stat::average_exec_per_sec:     319779
stat::new_units_added:          240
";

    #[test]
    fn what_libfuzzer_says_is_read() {
        let report = Report::read(LOG);
        let expected = Report {
            inputs: 1_918_676,
            per_second: 319_779,
            coverage: 1093,
            found: None,
        };
        assert_eq!(report, expected);
        assert!(report.line("token").ends_with("coverage   1093  crashes 0"));
    }

    #[test]
    fn what_was_found_is_named() {
        let log = format!("artifact_prefix='/t/'; Test unit written to /t/crash-1f\n{LOG}");
        let report = Report::read(&log);
        assert_eq!(report.found.as_deref(), Some("/t/crash-1f".as_ref()));
        assert!(report.line("token").ends_with("crashes 1"));
        assert_eq!(Report::read(""), Report::default());
    }
}
