//! Socket.IO transport of Sealroom.

mod connection;

pub use connection::{Connection, ConnectionRef};
