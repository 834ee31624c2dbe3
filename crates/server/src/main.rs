//! The program.

use std::process::ExitCode;

// One allocation for each delivery is much of the fan-out's own work, and mimalloc is made for short-lived ones.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sealroom_server::cli::main(std::env::args_os(), std::env::vars_os())
}
