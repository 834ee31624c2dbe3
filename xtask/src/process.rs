//! Running other programs.

use std::process::Command;

pub(crate) use xtask_postgres::process::{output, run, succeeds};

/// Cargo, the one that runs this program where there is one.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
