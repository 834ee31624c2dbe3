//! The sockets of this server.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use socketioxide::socket::Sid;

use crate::{ConnectionRef, socket::ClientSocket};

/// Every socket that passed the handshake, by its session id. The id is a secret of its client while it polls.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    sockets: RwLock<HashMap<Sid, Arc<ClientSocket>>>,
}

impl Registry {
    pub(crate) fn insert(&self, sid: Sid, socket: Arc<ClientSocket>) {
        self.sockets.write().insert(sid, socket);
    }

    /// Removes a socket, unless another took its session in the meantime.
    pub(crate) fn remove(&self, sid: Sid, socket: &Arc<ClientSocket>) {
        let mut sockets = self.sockets.write();
        if sockets
            .get(&sid)
            .is_some_and(|present| Arc::ptr_eq(present, socket))
        {
            sockets.remove(&sid);
        }
    }

    pub(crate) fn all(&self) -> Vec<(Sid, Arc<ClientSocket>)> {
        self.sockets
            .read()
            .iter()
            .map(|(sid, socket)| (*sid, socket.clone()))
            .collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.sockets.read().len()
    }

    /// A session that polled goes on over this WebSocket.
    pub(crate) fn upgraded(&self, sid: Sid, connection: ConnectionRef) {
        if let Some(socket) = self.sockets.read().get(&sid) {
            socket.upgraded(connection);
        }
    }

    /// A polling response took these bytes to a session's client.
    pub(crate) fn polled(&self, sid: Sid, bytes: u64) {
        if let Some(socket) = self.sockets.read().get(&sid) {
            socket.polled(bytes);
        }
    }
}
