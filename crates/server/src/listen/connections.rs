//! The connections that are open.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    net::IpAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use sealroom_wire::ClientAddress;
use tokio::{
    net::TcpStream,
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;

use super::{
    ListenOptions,
    socket::{Handle, Parts, Socket, TrackedStream},
};

/// The open connections of one accept loop, or of several. Cloning shares them.
///
/// A connection is open from its acceptance until its stream is dropped, so one that was upgraded to WebSocket
/// stays open for as long as its new owner keeps it.
#[derive(Clone, Default)]
pub struct Connections(Arc<Shared>);

#[derive(Default)]
struct Shared {
    table: Mutex<Table>,
    /// Told whenever the last connection was closed.
    idle: Notify,
    tasks: TaskTracker,
    refused: AtomicU64,
    sent_bytes: Arc<AtomicU64>,
}

#[derive(Default)]
struct Table {
    last_id: u64,
    open: HashMap<u64, Weak<Socket>>,
    per_address: HashMap<IpAddr, usize>,
}

/// The place of one connection among the open ones; dropping it gives the place back.
pub(super) struct Permit {
    id: u64,
    address: IpAddr,
    shared: Arc<Shared>,
}

impl Connections {
    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.0.table.lock().open.len()
    }

    /// How many were closed as soon as they were accepted, because there were too many.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Bytes that the kernel took for their peers, of all connections that there ever were.
    pub fn sent_bytes(&self) -> u64 {
        self.0.sent_bytes.load(Ordering::Relaxed)
    }

    /// Ends every open connection at once, whatever state it is in, and says how many there were. They are counted
    /// until their owners have noticed: [`Connections::wait_idle`].
    pub fn kill_all(&self) -> usize {
        let open: Vec<_> = self.0.table.lock().open.values().cloned().collect();
        // Outside the lock: where this holds the last reference, dropping it closes the socket.
        open.iter()
            .filter_map(Weak::upgrade)
            .inspect(|socket| socket.kill())
            .count()
    }

    /// Waits until no connection is open and every task of the loop has ended; `false` where some are left at
    /// `deadline`.
    pub async fn wait_idle(&self, deadline: Instant) -> bool {
        // New tasks may still be spawned; closing only lets `wait` end.
        self.0.tasks.close();
        let idle = async {
            loop {
                let notified = self.0.idle.notified();
                tokio::pin!(notified);
                // Before the question, so that a connection that closes right after it is not missed.
                notified.as_mut().enable();
                if self.count() == 0 {
                    break;
                }
                notified.await;
            }
            self.0.tasks.wait().await;
        };
        timeout_at(deadline, idle).await.is_ok()
    }

    /// Counts a connection in; `None` where there are too many, and then it is closed.
    pub(super) fn admit(
        &self,
        stream: TcpStream,
        address: IpAddr,
        options: &ListenOptions,
    ) -> Option<(TrackedStream, Handle)> {
        let parts = Parts::new(stream);
        let permit = self.permit(parts.socket(), address, options)?;
        Some(parts.count(permit, options.tls.is_some()))
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(task);
    }

    fn permit(&self, socket: Weak<Socket>, peer: IpAddr, options: &ListenOptions) -> Option<Permit> {
        let address = ClientAddress::new(peer).subscriber();
        let per_address = options
            .max_connections_per_address
            .filter(|_| !options.trusted_proxies.trust(peer));
        let mut table = self.0.table.lock();
        let of_address = table.per_address.get(&address).copied().unwrap_or(0);
        let is_full = |count: usize, max: Option<usize>| max.is_some_and(|max| count >= max);
        if is_full(table.open.len(), options.max_connections) || is_full(of_address, per_address) {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        table.last_id = table.last_id.wrapping_add(1);
        let id = table.last_id;
        table.open.insert(id, socket);
        table.per_address.insert(address, of_address.saturating_add(1));
        Some(Permit {
            id,
            address,
            shared: self.0.clone(),
        })
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

impl Permit {
    /// Where bytes are counted that the kernel took.
    pub(super) fn sent_bytes(&self) -> Arc<AtomicU64> {
        self.shared.sent_bytes.clone()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({})", self.id)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut table = self.shared.table.lock();
        table.open.remove(&self.id);
        if let Entry::Occupied(mut count) = table.per_address.entry(self.address) {
            *count.get_mut() = count.get().saturating_sub(1);
            // No entry stays behind: addresses are as many as an attacker likes.
            if *count.get() == 0 {
                count.remove();
            }
        }
        let is_idle = table.open.is_empty();
        drop(table);
        if is_idle {
            self.shared.idle.notify_waiters();
        }
    }
}
