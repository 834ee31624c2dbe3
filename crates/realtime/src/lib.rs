//! The Socket.IO transport of Sealroom: handshake, events, delivery to sockets.
//!
//! [`Realtime::start`] gives a tower layer for any HTTP service. Everything that arrives on a socket is read in the
//! order in which it came and is answered exactly once; everything that is delivered is handed over without waiting,
//! and a socket that cannot take it is closed, never skipped.
//!
//! This crate must never know SQL, the parts of a token, the configuration's files or the environment.

mod attempts;
mod closer;
mod connection;
mod events;
mod flusher;
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod handshake;
mod janitor;
mod jobs;
mod kept;
mod metrics;
mod notices;
mod options;
mod origin;
mod outbound;
mod outbox;
mod outgoing;
mod realtime;
mod registry;
mod socket;
#[cfg(test)]
mod testing;
mod upgrade;

pub use connection::{Connection, ConnectionRef, FrameWriter, FramesWritten};
pub use frame::WrittenFrames;
pub use gate::{RealtimeLayer, RealtimeService};
pub use options::RealtimeOptions;
pub use realtime::Realtime;
pub use sealroom_wire::AllowedOrigins;
