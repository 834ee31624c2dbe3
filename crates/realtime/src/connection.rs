//! What this crate asks of the accept loop.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::Notify;

/// One TCP connection, as the accept loop sees it. The loop puts a [`ConnectionRef`] into the extensions of every
/// request, as `sealroom_server::listen::serve_connections` does. It is required: a reader that is too slow, and a
/// socket whose token is over, can only be closed through it. Requests without it are refused with 500.
pub trait Connection: fmt::Debug + Send + Sync {
    /// Bytes that the kernel took for the peer so far; above the encryption, where there is one.
    fn bytes_written(&self) -> u64;

    /// From now on, tells one waiter whenever [`Connection::bytes_written`] has grown. Asked once at most.
    fn tell_written(&self, told: Arc<Notify>);

    /// How long the oldest unfinished write has been waiting for the peer; `None` where none is.
    fn stalled_for(&self) -> Option<Duration>;

    /// Whether its descriptor is still open; once it is not, it never is again.
    fn is_open(&self) -> bool;

    /// Reads nothing more of the peer for so long, or until [`Connection::resume_reading`]; what was read already still
    /// comes. Its bytes wait in the kernel, and soon the peer itself waits.
    fn hold_reading(&self, at_most: Duration);

    /// Reads again, if it does not.
    fn resume_reading(&self);

    /// Ends the connection at once, whatever state its writer is in. Harmless where it is gone.
    fn kill(&self);
}

/// A shared [`Connection`].
#[derive(Debug, Clone)]
pub struct ConnectionRef(pub Arc<dyn Connection>);
