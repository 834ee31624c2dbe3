//! An outside oracle: it drives the program `sealroom-server` with clients that write down everything, does to it what
//! happens to servers, and holds what was written down against docs/PROTOCOL.md. It shares no code with the server.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to the person who runs it"
)]

mod actor;
mod chaos;
mod client;
mod clock;
mod http;
mod members;
mod options;
mod progress;
mod run;
mod server;
mod summary;
mod token;
mod world;

pub mod check;
pub mod evidence;
pub mod log;

pub use options::{Options, Store};
pub use run::run;
