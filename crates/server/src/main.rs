//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealroom_server::cli::main(std::env::args_os(), std::env::vars_os())
}
