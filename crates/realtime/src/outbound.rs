//! How much waits for a socket, and whether the library has any of it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::RwLock;
use tokio::sync::Notify;

use crate::{ConnectionRef, frame::header_bytes};

/// Counts the bytes handed to a socket's queue against those that left it. A reader is slow by bytes that wait, never
/// by a number of packets.
#[derive(Debug)]
pub(crate) struct Outbound {
    limit: u64,
    /// Everything that was sent, whether or not the library has it yet.
    handed: AtomicU64,
    /// What the library was given.
    passed: AtomicU64,
    /// Bytes that polling responses took away.
    polled: AtomicU64,
    /// Events and answers that polling responses took away.
    polled_packets: AtomicU64,
    /// Whether the socket is the first of its session: what the library wrote of events and answers was this one's.
    is_first: bool,
    /// The WebSocket's connection, and what it had written before it became this socket's.
    connection: RwLock<Option<(ConnectionRef, u64)>>,
    /// Told whenever something left.
    left_more: Arc<Notify>,
}

/// A healthy client takes as much within a moment.
const BUSY_BYTES: u64 = 64 * 1024;

/// What the library may hold for a socket, which a healthy client takes within a moment as well. One packet more is let
/// through, however large it is.
const WINDOW_BYTES: u64 = 64 * 1024;

/// The socket has more waiting than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl Outbound {
    pub(crate) fn new(limit: usize, is_first: bool) -> Self {
        Self {
            is_first,
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
            handed: AtomicU64::new(0),
            passed: AtomicU64::new(0),
            polled: AtomicU64::new(0),
            polled_packets: AtomicU64::new(0),
            connection: RwLock::new(None),
            left_more: Arc::default(),
        }
    }

    /// The session runs over this WebSocket, or goes on over it. What was handed before leaves either way: nothing
    /// starts anew.
    pub(crate) fn attach(&self, connection: ConnectionRef) {
        let written = connection.0.bytes_written();
        connection.0.tell_written(self.left_more.clone());
        *self.connection.write() = Some((connection, written));
        self.tell();
    }

    pub(crate) fn connection(&self) -> Option<ConnectionRef> {
        self.connection
            .read()
            .as_ref()
            .map(|(connection, _)| connection.clone())
    }

    /// A packet of that many bytes is about to be sent; gives what it is counted as.
    pub(crate) fn hand(&self, packet_bytes: usize) -> Result<u64, TooSlow> {
        let connection = self.connection.read();
        let bytes = framed(packet_bytes, connection.is_some());
        let left = self.left_of(connection.as_ref());
        drop(connection);
        let handed = self.handed.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if left > handed {
            // Pings and the like leave as well: they must not make room for what was never taken away.
            self.handed.fetch_max(left, Ordering::Relaxed);
        }
        if handed.saturating_sub(left) > self.limit {
            Err(TooSlow)
        } else {
            Ok(bytes)
        }
    }

    /// The library is about to be given what was counted as these bytes.
    pub(crate) fn passed(&self, bytes: u64) {
        self.passed.fetch_add(bytes, Ordering::Relaxed);
        self.passed.fetch_max(self.left(), Ordering::Relaxed);
    }

    /// Whether the library may be given more.
    pub(crate) fn has_window(&self) -> bool {
        self.passed.load(Ordering::Relaxed).saturating_sub(self.left()) < WINDOW_BYTES
    }

    /// Waits until this holds, and asks whenever something left.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        // What is told between the question and the wait is not missed: one telling is kept.
        while !holds(self) {
            self.left_more.notified().await;
        }
    }

    /// Waits until something left, or whoever waits is to look around.
    pub(crate) async fn left_more(&self) {
        self.left_more.notified().await;
    }

    /// The connection with a way beside the library, once that has nothing of the socket any more: all that it was given
    /// has left, the last of it over this WebSocket. Before that, CONNECT may still wait in its queue, or a poll take
    /// something away.
    pub(crate) fn beside_library(&self, given: u64) -> Option<ConnectionRef> {
        let connection = self.connection.read();
        let (connection, _) = connection.as_ref().filter(|_| self.is_first)?;
        let written = connection.0.frames()?.written_by_library();
        let polled = self.polled_packets.load(Ordering::Relaxed);
        (written > 0 && written.saturating_add(polled) == given).then(|| connection.clone())
    }

    /// Makes whoever waits ask again.
    pub(crate) fn tell(&self) {
        self.left_more.notify_one();
    }

    /// Whether so much waits already that what can be left out should be.
    pub(crate) fn is_busy(&self) -> bool {
        let waiting = self.handed.load(Ordering::Relaxed).saturating_sub(self.left());
        waiting > BUSY_BYTES.min(self.limit / 4)
    }

    /// A polling response took these bytes away, with so many events and answers.
    pub(crate) fn polled(&self, bytes: u64, packets: u64) {
        self.polled.fetch_add(bytes, Ordering::Relaxed);
        self.polled_packets.fetch_add(packets, Ordering::Relaxed);
        self.tell();
    }

    fn left(&self) -> u64 {
        self.left_of(self.connection.read().as_ref())
    }

    fn left_of(&self, connection: Option<&(ConnectionRef, u64)>) -> u64 {
        let written = connection.map_or(0, |(connection, before)| {
            connection.0.bytes_written().saturating_sub(*before)
        });
        self.polled.load(Ordering::Relaxed).saturating_add(written)
    }
}

/// With the header of a server's WebSocket frame (RFC 6455, 5.2). Never more than what will leave: a difference would
/// add up over the life of a socket. Only the few packets that a session polls for while its upgrade is under way are
/// taken for a header too long.
fn framed(packet_bytes: usize, is_websocket: bool) -> u64 {
    let header = if is_websocket {
        header_bytes(packet_bytes)
    } else {
        0
    };
    u64::try_from(packet_bytes.saturating_add(header)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Wire;

    fn websocket(limit: usize, wire: &Wire) -> Outbound {
        let outbound = Outbound::new(limit, true);
        outbound.attach(wire.connection());
        outbound
    }

    #[test]
    fn a_socket_is_slow_by_what_waits() {
        let wire = Wire::open();
        wire.write(500);
        let outbound = websocket(250, &wire);
        assert!(outbound.hand(98).is_ok());
        assert!(outbound.hand(98).is_ok());
        assert_eq!(outbound.hand(98), Err(TooSlow));
        wire.write(300);
        assert!(outbound.hand(98).is_ok());
    }

    #[test]
    fn what_leaves_unasked_makes_no_room() {
        let wire = Wire::open();
        let outbound = websocket(250, &wire);
        wire.write(1_000_000);
        assert!(outbound.hand(98).is_ok());
        assert!(outbound.hand(98).is_ok());
        assert!(outbound.hand(98).is_ok());
        assert_eq!(outbound.hand(98), Err(TooSlow));
    }

    #[test]
    fn a_socket_is_busy_long_before_it_is_slow() {
        let wire = Wire::open();
        let outbound = websocket(1000, &wire);
        assert!(outbound.hand(200).is_ok());
        assert!(!outbound.is_busy());
        assert!(outbound.hand(200).is_ok());
        assert!(outbound.is_busy());
        wire.write(300);
        assert!(!outbound.is_busy());
    }

    #[test]
    fn polling_counts_responses() {
        let outbound = Outbound::new(100, true);
        assert!(outbound.hand(60).is_ok());
        outbound.polled(60, 1);
        assert!(outbound.hand(60).is_ok());
        assert_eq!(outbound.hand(60), Err(TooSlow));
    }

    #[test]
    fn an_upgrade_forgets_nothing_that_waits() {
        let (wire, outbound) = (Wire::open(), Outbound::new(250, true));
        assert!(outbound.hand(200).is_ok());
        outbound.attach(wire.connection());
        assert_eq!(outbound.hand(98), Err(TooSlow));
        // Half by a poll that was under way, half over the WebSocket.
        outbound.polled(100, 1);
        wire.write(200);
        assert!(outbound.hand(198).is_ok());
        assert_eq!(outbound.hand(98), Err(TooSlow));
    }

    #[test]
    fn a_healthy_socket_has_its_whole_room_for_ever_after_an_upgrade() {
        let (wire, outbound) = (Wire::open(), Outbound::new(1_000, true));
        for _ in 0..100 {
            assert!(outbound.hand(500).is_ok());
            outbound.polled(500, 1);
        }
        outbound.attach(wire.connection());
        for _ in 0..100 {
            assert!(outbound.hand(500).is_ok());
            wire.write(504);
        }
    }

    #[test]
    fn the_library_is_passed_by_once_it_has_nothing_any_more() {
        let (wire, outbound) = (Wire::open(), Outbound::new(1_000, true));
        assert!(outbound.beside_library(0).is_none(), "no WebSocket");
        outbound.polled(50, 2);
        outbound.attach(wire.connection());
        // All was polled, but CONNECT may still be on its way.
        assert!(outbound.beside_library(2).is_none());
        assert!(outbound.beside_library(4).is_none());
        wire.written_by_library(1);
        assert!(outbound.beside_library(4).is_none(), "one is in its queue");
        // By a poll that was under way when the WebSocket was accepted.
        outbound.polled(50, 1);
        assert!(outbound.beside_library(4).is_some());
        let further = Outbound::new(1_000, false);
        further.attach(wire.connection());
        assert!(
            further.beside_library(1).is_none(),
            "what was written may be another socket's"
        );
    }

    #[tokio::test]
    async fn the_library_is_given_a_window_at_a_time() {
        let wire = Wire::open();
        let outbound = websocket(1_000_000, &wire);
        assert!(outbound.has_window());
        // One packet may be larger than the window.
        let bytes = outbound.hand(100_000).unwrap();
        outbound.passed(bytes);
        assert!(!outbound.has_window());
        let waiting = outbound.until(Outbound::has_window);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        wire.write(20_000);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        wire.write(20_000);
        waiting.await;
    }
}
