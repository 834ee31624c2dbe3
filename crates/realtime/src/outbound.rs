//! How much waits for a socket.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::ConnectionRef;

/// Counts the bytes handed to a socket's queue against those that left it. A reader is slow by bytes that wait, never
/// by a number of packets.
#[derive(Debug)]
pub(crate) struct Outbound {
    limit: u64,
    handed: AtomicU64,
    /// Bytes that polling responses took away.
    polled: AtomicU64,
    /// The WebSocket's connection, and what it had written before it became this socket's.
    connection: RwLock<Option<(ConnectionRef, u64)>>,
}

/// The socket has more waiting than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl Outbound {
    pub(crate) fn new(limit: usize, connection: Option<ConnectionRef>) -> Self {
        let outbound = Self {
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
            handed: AtomicU64::new(0),
            polled: AtomicU64::new(0),
            connection: RwLock::new(None),
        };
        if let Some(connection) = connection {
            outbound.attach(connection);
        }
        outbound
    }

    /// The session goes on over this WebSocket.
    pub(crate) fn attach(&self, connection: ConnectionRef) {
        let written = connection.0.bytes_written();
        *self.connection.write() = Some((connection, written));
        self.handed.store(0, Ordering::Relaxed);
        self.polled.store(0, Ordering::Relaxed);
    }

    pub(crate) fn connection(&self) -> Option<ConnectionRef> {
        self.connection
            .read()
            .as_ref()
            .map(|(connection, _)| connection.clone())
    }

    /// A packet of that many bytes is about to be queued.
    pub(crate) fn hand(&self, packet_bytes: usize) -> Result<(), TooSlow> {
        let bytes = self.framed(packet_bytes);
        let handed = self.handed.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let left = self.left();
        if left > handed {
            // Pings and the like leave as well: they must not make room for what was never taken away.
            self.handed.fetch_max(left, Ordering::Relaxed);
        }
        if handed.saturating_sub(left) > self.limit {
            Err(TooSlow)
        } else {
            Ok(())
        }
    }

    /// A polling response took these bytes away.
    pub(crate) fn polled(&self, bytes: u64) {
        self.polled.fetch_add(bytes, Ordering::Relaxed);
    }

    fn left(&self) -> u64 {
        match &*self.connection.read() {
            Some((connection, before)) => connection.0.bytes_written().saturating_sub(*before),
            None => self.polled.load(Ordering::Relaxed),
        }
    }

    /// With the header of a server's WebSocket frame (RFC 6455, 5.2). Never more than what will leave: a difference
    /// would add up over the life of a socket.
    fn framed(&self, packet_bytes: usize) -> u64 {
        let header = match packet_bytes {
            _ if self.connection.read().is_none() => 0,
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        };
        u64::try_from(packet_bytes)
            .unwrap_or(u64::MAX)
            .saturating_add(header)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::Connection;

    #[derive(Debug, Default)]
    struct Wire(AtomicU64);

    impl Connection for Wire {
        fn bytes_written(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
        fn stalled_for(&self) -> Option<Duration> {
            None
        }
        fn kill(&self) {}
    }

    #[test]
    fn a_socket_is_slow_by_what_waits() {
        let wire = Arc::new(Wire::default());
        wire.0.store(500, Ordering::Relaxed);
        let outbound = Outbound::new(250, Some(ConnectionRef(wire.clone())));
        assert_eq!(outbound.hand(98), Ok(()));
        assert_eq!(outbound.hand(98), Ok(()));
        assert_eq!(outbound.hand(98), Err(TooSlow));
        wire.0.store(500 + 300, Ordering::Relaxed);
        assert_eq!(outbound.hand(98), Ok(()));
    }

    #[test]
    fn what_leaves_unasked_makes_no_room() {
        let wire = Arc::new(Wire::default());
        let outbound = Outbound::new(250, Some(ConnectionRef(wire.clone())));
        wire.0.store(1_000_000, Ordering::Relaxed);
        assert_eq!(outbound.hand(98), Ok(()));
        assert_eq!(outbound.hand(98), Ok(()));
        assert_eq!(outbound.hand(98), Ok(()));
        assert_eq!(outbound.hand(98), Err(TooSlow));
    }

    #[test]
    fn polling_counts_responses() {
        let outbound = Outbound::new(100, None);
        assert_eq!(outbound.hand(60), Ok(()));
        outbound.polled(60);
        assert_eq!(outbound.hand(60), Ok(()));
        assert_eq!(outbound.hand(60), Err(TooSlow));
    }
}
