//! Many Socket.IO clients in few threads.
//!
//! A client library parses what it gets, keeps it, and starts a task for what it waits for: with it, a load generator
//! needs more of the machine than the server that it is to load. A [`Session`] speaks just enough of WebSocket
//! ([`frame`]) and Socket.IO ([`packet`]), in one task, and looks at what it gets where it lies. What it says and hears
//! is up to a [`Play`].

pub mod frame;
pub mod packet;
mod session;

pub use session::{Outbox, Play, Session};
