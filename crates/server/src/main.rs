//! The program.

use std::process::ExitCode;

// A third faster than the system's on the fan-out: docs/PERFORMANCE.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sealroom_server::cli::main(std::env::args_os(), std::env::vars_os())
}
