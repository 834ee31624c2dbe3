//! Many Socket.IO clients in few threads.
//!
//! A client library parses what it gets, keeps it, and starts a task for what it waits for: with it, a load generator
//! needs more of the machine than the server that it is to load. A [`Session`] speaks just enough of WebSocket
//! ([`frame`]) and Socket.IO ([`packet`]), in one task, and looks at what it gets where it lies. What it says and hears
//! is up to a [`Play`].

//!
//! [`sends`], [`connects`] and [`recoveries`] are what is played against a [`site::Site`], each with its plan and its
//! report. The program `xtask-load` plays them against any server, `xtask-bench` against several in turns.

pub mod check;
pub mod connects;
pub mod cpus;
pub mod frame;
pub mod packet;
pub mod process;
pub mod recoveries;
pub mod sends;
mod session;
pub mod shape;
pub mod site;
pub mod times;
pub mod tokens;

pub use session::{Outbox, Play, Session};

/// For ratios; no count of a run is too large for it.
fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
