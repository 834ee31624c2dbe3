//! The sockets of this server, and the connections that their sessions run on.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::RwLock;
use socketioxide::socket::Sid;

use crate::{ConnectionRef, socket::ClientSocket};

/// Every socket that passed the handshake, by its session id. The id is a secret of its client while it polls.
///
/// The connection of a session's WebSocket is known here from the moment on at which the upgrade was accepted, which
/// may be before, during or after the handshake. All of it is under one lock, so that neither misses the other.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    tables: RwLock<Tables>,
    draining: AtomicBool,
}

#[derive(Default)]
struct Tables {
    sockets: HashMap<Sid, Arc<ClientSocket>>,
    /// At most as many as connections are open: [`Registry::forget_closed`].
    connections: HashMap<Sid, ConnectionRef>,
}

// Without the session ids.
impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables")
            .field("sockets", &self.sockets.len())
            .field("connections", &self.connections.len())
            .finish()
    }
}

/// How many of what is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Sockets whose session runs over a WebSocket.
    pub(crate) on_websocket: usize,
    /// Sockets whose session polls.
    pub(crate) polling: usize,
    /// WebSocket connections.
    pub(crate) websockets: usize,
}

/// The session runs over a WebSocket already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AlreadyAttached;

impl Registry {
    pub(crate) fn insert(&self, sid: Sid, socket: Arc<ClientSocket>) {
        let mut tables = self.tables.write();
        if let Some(connection) = tables.connections.get(&sid) {
            socket.attach(connection.clone());
        }
        tables.sockets.insert(sid, socket);
    }

    /// The client of this session is connected.
    pub(crate) fn open(&self, sid: Sid) {
        let socket = self.tables.read().sockets.get(&sid).cloned();
        if let Some(socket) = socket {
            socket.open();
        }
    }

    /// Removes a socket, unless another took its session in the meantime. The connection stays: its session may
    /// connect once more.
    pub(crate) fn remove(&self, sid: Sid, socket: &Arc<ClientSocket>) {
        let mut tables = self.tables.write();
        if tables
            .sockets
            .get(&sid)
            .is_some_and(|present| Arc::ptr_eq(present, socket))
        {
            tables.sockets.remove(&sid);
        }
    }

    pub(crate) fn all(&self) -> Vec<(Sid, Arc<ClientSocket>)> {
        self.tables
            .read()
            .sockets
            .iter()
            .map(|(sid, socket)| (*sid, socket.clone()))
            .collect()
    }

    /// The same in an order that nobody can tell before, for what is spread over some time.
    pub(crate) fn all_shuffled(&self) -> Vec<(Sid, Arc<ClientSocket>)> {
        let random = RandomState::new();
        let mut sockets = self.all();
        sockets.sort_by_cached_key(|(sid, _)| random.hash_one(sid));
        sockets
    }

    /// From now on no session may be opened.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn has_socket(&self, sid: Sid) -> bool {
        self.tables.read().sockets.contains_key(&sid)
    }

    pub(crate) fn count(&self) -> usize {
        self.tables.read().sockets.len()
    }

    /// What is open.
    pub(crate) fn counts(&self) -> Counts {
        let tables = self.tables.read();
        let is_on_websocket = |sid| tables.connections.contains_key(sid);
        let on_websocket = tables.sockets.keys().filter(|sid| is_on_websocket(sid)).count();
        Counts {
            on_websocket,
            polling: tables.sockets.len() - on_websocket,
            websockets: tables.connections.len(),
        }
    }

    /// The upgrade of a session to this WebSocket was accepted. It happens once: a session that two WebSockets read
    /// from could not be closed.
    pub(crate) fn attach(&self, sid: Sid, connection: ConnectionRef) -> Result<(), AlreadyAttached> {
        let mut tables = self.tables.write();
        if tables.connections.contains_key(&sid) {
            return Err(AlreadyAttached);
        }
        if let Some(socket) = tables.sockets.get(&sid) {
            socket.attach(connection.clone());
        }
        tables.connections.insert(sid, connection);
        Ok(())
    }

    /// The session was opened over this WebSocket. It counts more than what asked for an upgrade since.
    pub(crate) fn attach_opened(&self, sid: Sid, connection: ConnectionRef) {
        self.tables.write().connections.insert(sid, connection);
    }

    /// The connection of a session's WebSocket.
    pub(crate) fn connection(&self, sid: Sid) -> Option<ConnectionRef> {
        self.tables.read().connections.get(&sid).cloned()
    }

    /// Forgets connections that are closed: their sessions are gone, or go.
    pub(crate) fn forget_closed(&self) {
        let mut tables = self.tables.write();
        tables.connections.retain(|_, connection| connection.0.is_open());
    }

    /// A polling response took these bytes to a session's client, with so many events and answers.
    pub(crate) fn polled(&self, sid: Sid, bytes: u64, packets: u64) {
        if let Some(socket) = self.tables.read().sockets.get(&sid) {
            socket.polled(bytes, packets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Wire;

    #[test]
    fn session_ids_are_not_printed() {
        let (registry, sid, wire) = (Registry::default(), Sid::new(), Wire::open());
        assert_eq!(registry.attach(sid, wire.connection()), Ok(()));
        let printed = format!("{registry:?}");
        assert!(
            printed.contains("connections: 1") && !printed.contains(&sid.to_string()),
            "{printed}"
        );
    }

    #[test]
    fn a_session_is_upgraded_once() {
        let (registry, sid) = (Registry::default(), Sid::new());
        let (first, second) = (Wire::open(), Wire::open());
        assert_eq!(registry.attach(sid, first.connection()), Ok(()));
        assert_eq!(registry.attach(sid, second.connection()), Err(AlreadyAttached));
        registry.connection(sid).unwrap().0.kill();
        assert!(!first.is_open() && second.is_open());
    }

    #[test]
    fn the_connection_that_opened_a_session_counts() {
        let (registry, sid) = (Registry::default(), Sid::new());
        let (opened, other) = (Wire::open(), Wire::open());
        assert_eq!(registry.attach(sid, other.connection()), Ok(()));
        registry.attach_opened(sid, opened.connection());
        registry.connection(sid).unwrap().0.kill();
        assert!(!opened.is_open() && other.is_open());
    }

    #[test]
    fn a_connection_is_known_while_it_is_open() {
        let (registry, sid) = (Registry::default(), Sid::new());
        let wire = Wire::open();
        assert_eq!(registry.attach(sid, wire.connection()), Ok(()));
        registry.forget_closed();
        assert!(registry.connection(sid).is_some());
        wire.kill();
        registry.forget_closed();
        assert!(registry.connection(sid).is_none());
    }
}
