//! Ending transports.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use socketioxide::socket::Sid;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::{
    gate::{PATH, SocketIo},
    registry::Registry,
};

/// How long the last packet of a session may take to leave before its transport goes.
const LAST_PACKET_GRACE: Duration = Duration::from_millis(500);

/// Ends the transports of sessions, in whatever state their writers and their upgrades are.
#[derive(Clone)]
pub(crate) struct SessionCloser {
    socket_io: SocketIo,
    registry: Arc<Registry>,
    tasks: TaskTracker,
}

impl SessionCloser {
    pub(crate) fn new(socket_io: SocketIo, registry: Arc<Registry>, tasks: TaskTracker) -> Self {
        Self {
            socket_io,
            registry,
            tasks,
        }
    }

    /// Closes a session, without waiting. Harmless where it is gone.
    pub(crate) fn close(&self, sid: Sid) {
        self.kill(sid);
        self.spawn(self.clone().close_polling(sid));
    }

    /// Closes a session, and waits until nothing more reaches its client.
    pub(crate) async fn close_and_wait(&self, sid: Sid) {
        self.kill(sid);
        self.clone().close_polling(sid).await;
        // A poll that was waiting is answered now, and takes along what is queued until then. The next one is refused.
        tokio::time::sleep(LAST_PACKET_GRACE).await;
    }

    /// Closes a session once the last packet had time to leave.
    pub(crate) fn close_soon(&self, sid: Sid) {
        let closer = self.clone();
        self.spawn(async move {
            tokio::time::sleep(LAST_PACKET_GRACE).await;
            closer.kill(sid);
            closer.close_polling(sid).await;
        });
    }

    /// Closes a session that was refused once the answer had time to leave, unless it was let in by then.
    pub(crate) fn close_refused(&self, sid: Sid) {
        self.close_unless_back(sid, LAST_PACKET_GRACE);
    }

    /// Closes a session whose client left the namespace, unless it comes back to it in this time. The library waits only
    /// for the first CONNECT of a session.
    pub(crate) fn close_unless_back(&self, sid: Sid, patience: Duration) {
        let closer = self.clone();
        self.spawn(async move {
            tokio::time::sleep(patience).await;
            if !closer.registry.has_socket(sid) {
                closer.close(sid);
            }
        });
    }

    fn kill(&self, sid: Sid) {
        if let Some(connection) = self.registry.connection(sid) {
            connection.0.kill();
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Sockets are also closed by what is dropped at the end of a runtime, where nothing can be spawned.
        if let Ok(runtime) = Handle::try_current() {
            self.tasks.spawn_on(task, &runtime);
        }
    }

    /// A session that polls has no connection of its own: it is closed in its client's name. One that does not is left
    /// alone by this.
    async fn close_polling(mut self, sid: Sid) {
        let close = Request::post(format!("{PATH}/?EIO=4&transport=polling&sid={sid}"))
            .header(header::CONTENT_TYPE, "text/plain;charset=UTF-8")
            .body(Full::<Bytes>::from("1"));
        if let Ok(close) = close {
            let answer: Result<_, Infallible> = Service::call(&mut self.socket_io, close).await;
            drop(answer);
        }
    }
}

impl fmt::Debug for SessionCloser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCloser").finish_non_exhaustive()
    }
}
