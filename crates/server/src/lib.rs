//! The server: settings, wiring, accept loop, command line.

pub mod listen;
