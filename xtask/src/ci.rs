//! `cargo xtask check` and `cargo xtask ci`: what must pass before a change is taken.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use cargo_metadata::Metadata;

use crate::{arch, audit, count, process, test, tools};

type Step = (&'static str, fn(&Metadata) -> anyhow::Result<()>);

const CHECKS: &[Step] = &[
    ("format", format),
    ("clippy", clippy),
    ("features", features),
    ("docs", docs),
    ("arch", arch::run),
    ("audit", audit::offline),
];
const TEST: Step = ("test", |metadata| test::run(metadata, None));
const COUNT: Step = ("count", count::compare_all);

/// Everything but the tests.
pub(crate) fn check(metadata: &Metadata) -> anyhow::Result<()> {
    run_steps(metadata, CHECKS)
}

/// Everything.
pub(crate) fn run(metadata: &Metadata) -> anyhow::Result<()> {
    run_steps(metadata, &[CHECKS, &[TEST, COUNT]].concat())
}

/// Runs every step, stops at the first that fails, and says at the end what passed.
fn run_steps(metadata: &Metadata, steps: &[Step]) -> anyhow::Result<()> {
    tools::need_rust_components()?;
    let mut passed: Vec<(&str, Duration)> = Vec::new();
    for (name, step) in steps {
        println!("\n==> {name}");
        let start = Instant::now();
        step(metadata).with_context(|| format!("{name} failed"))?;
        let duration = start.elapsed();
        println!("==> {name} passed in {}", seconds(duration));
        passed.push((name, duration));
    }
    println!("\nPassed:");
    for (name, duration) in &passed {
        println!("  {name:<8} {:>8}", seconds(*duration));
    }
    Ok(())
}

fn format(metadata: &Metadata) -> anyhow::Result<()> {
    process::run(cargo(metadata).args(["fmt", "--all", "--check"]))
}

fn clippy(metadata: &Metadata) -> anyhow::Result<()> {
    process::run(cargo(metadata).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Each store compiles without the other.
fn features(metadata: &Metadata) -> anyhow::Result<()> {
    for store in ["sqlite", "postgres"] {
        let mut cargo = cargo(metadata);
        cargo.args(["clippy", "--package", "sealroom-server", "--lib", "--bins"]);
        cargo.args([
            "--no-default-features",
            "--features",
            store,
            "--",
            "-D",
            "warnings",
        ]);
        process::run(&mut cargo)?;
    }
    Ok(())
}

fn docs(metadata: &Metadata) -> anyhow::Result<()> {
    process::run(
        cargo(metadata)
            .args(["doc", "--no-deps", "--workspace"])
            .env("RUSTDOCFLAGS", "-Dwarnings"),
    )
}

fn cargo(metadata: &Metadata) -> Command {
    let mut cargo = process::cargo();
    cargo.current_dir(&metadata.workspace_root);
    cargo
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
