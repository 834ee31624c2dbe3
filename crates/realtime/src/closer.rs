//! Ending transports.

use std::{convert::Infallible, fmt, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use socketioxide::socket::Sid;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::{
    ConnectionRef,
    gate::{PATH, SocketIo},
};

/// How long the last packet of a session may take to leave before its transport goes.
const LAST_PACKET_GRACE: Duration = Duration::from_millis(500);

/// Ends the transports of sessions, in whatever state their writers are.
#[derive(Clone)]
pub(crate) struct SessionCloser {
    socket_io: SocketIo,
}

impl SessionCloser {
    pub(crate) fn new(socket_io: SocketIo) -> Self {
        Self { socket_io }
    }

    /// Closes a session, without waiting. `connection` is that of its WebSocket. Harmless where it is gone.
    pub(crate) fn close(&self, tasks: &TaskTracker, sid: Sid, connection: Option<&ConnectionRef>) {
        match connection {
            Some(connection) => connection.0.kill(),
            None => drop(tasks.spawn(self.clone().close_polling(sid))),
        }
    }

    /// The same, once the last packet had time to leave.
    pub(crate) fn close_soon(&self, tasks: &TaskTracker, sid: Sid, connection: Option<ConnectionRef>) {
        let closer = self.clone();
        tasks.spawn(async move {
            tokio::time::sleep(LAST_PACKET_GRACE).await;
            match connection {
                Some(connection) => connection.0.kill(),
                None => closer.close_polling(sid).await,
            }
        });
    }

    /// A session that polls has no connection of its own: it is closed in its client's name.
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
