//! How the transport behaves.

use std::time::Duration;

use sealroom_domain::Rate;

use sealroom_wire::AllowedOrigins;

/// Bounds and times of the transport. The defaults are those of the documentation.
#[derive(Debug, Clone)]
pub struct RealtimeOptions {
    /// Bytes of a WebSocket message, a frame or a polling body at most. 128 KiB.
    pub frame_bytes: usize,
    /// Bytes that wait for one socket at most; past it the socket is closed. 4 MiB.
    pub outbound_bytes: usize,
    /// How long a write may wait for the peer; past it the socket is closed. 10 s.
    pub write_stall: Duration,
    /// From the opening of a session to its CONNECT at most. 10 s.
    pub connect_timeout: Duration,
    /// How long a client may take to send a request, such as the body of a POST, at most; past it, 408. 15 s.
    pub receive_timeout: Duration,
    /// New sessions of one address at most; past it, 429. 100 a second, 500 at once.
    pub handshakes_per_address: Option<Rate>,
    /// Between two pings. 25 s.
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping. 20 s.
    pub ping_timeout: Duration,
    /// How long before the end of its token a socket is told. 1 min.
    pub expiring_ahead: Duration,
    /// How long after the end of its token a socket may still refresh it. 10 s.
    pub lease_grace: Duration,
    /// Web pages that may connect.
    pub allowed_origins: AllowedOrigins,
}

impl Default for RealtimeOptions {
    fn default() -> Self {
        Self {
            frame_bytes: 128 * 1024,
            outbound_bytes: 4 * 1024 * 1024,
            write_stall: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            receive_timeout: Duration::from_secs(15),
            handshakes_per_address: Rate::new(100, 500),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            expiring_ahead: Duration::from_mins(1),
            lease_grace: Duration::from_secs(10),
            allowed_origins: AllowedOrigins::default(),
        }
    }
}
