//! The program behind `cargo xtask torture`.

#![expect(
    clippy::print_stderr,
    reason = "a command line tool speaks to the person who runs it"
)]

use std::process::ExitCode;

use clap::Parser as _;
use xtask_torture::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
