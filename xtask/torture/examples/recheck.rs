//! Checks the evidence of an earlier run again: `cargo run -p xtask-torture --example recheck -- target/torture/…`.

#![expect(clippy::print_stdout, reason = "it is run by a person")]

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use xtask_torture::{check::check, evidence::Evidence};

fn main() -> anyhow::Result<ExitCode> {
    let folder = std::env::args_os().nth(1).context("which folder?")?;
    let violations = check(&Evidence::read(&PathBuf::from(folder))?);
    for violation in &violations {
        println!("{violation}");
    }
    println!("{} violations", violations.len());
    Ok(ExitCode::from(u8::from(!violations.is_empty())))
}
