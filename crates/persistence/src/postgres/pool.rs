//! Connections that play the same part.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bb8::{ErrorSink, ManageConnection, PooledConnection, QueueStrategy, RunError};
use diesel_async::AsyncPgConnection;
use sealroom_domain::ports::BoxError;

use super::{
    connection::{self, Connection, Part, ServerProcess},
    options::PostgresOptions,
};
use crate::{
    error::Failure,
    metrics::{METRICS, Waited},
};

/// Opens connections and looks whether they can be used again, without asking the server.
struct Manager {
    part: Part,
    options: PostgresOptions,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = BoxError;

    async fn connect(&self) -> Result<Connection, BoxError> {
        connection::open(self.part, &self.options).await
    }

    /// A server that restarted has ended its connections, which is known here. One that stays silent is known by the
    /// call itself, and a question to it before each call would cost a round trip.
    async fn is_valid(&self, connection: &mut Connection) -> Result<(), BoxError> {
        if connection.is_spent() {
            return Err("the connection ended".into());
        }
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_spent()
    }
}

/// Why the last connection could not be opened, for whoever waits for one in vain.
#[derive(Debug, Clone, Default)]
struct LastError(Arc<Mutex<Option<BoxError>>>);

impl LastError {
    fn take(&self) -> Option<BoxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ErrorSink<BoxError> for LastError {
    fn sink(&self, error: BoxError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<BoxError>> {
        Box::new(self.clone())
    }
}

/// A bounded number of connections, opened when they are needed. First come, first served. Cloning shares them.
#[derive(Clone)]
pub(super) struct Pool {
    connections: bb8::Pool<Manager>,
    last_error: LastError,
    waited: Waited,
}

impl Pool {
    pub(super) fn new(part: Part, options: &PostgresOptions) -> Self {
        let size = match part {
            Part::Writer => options.writers,
            Part::Reader => options.readers,
        };
        let last_error = LastError::default();
        let manager = Manager {
            part,
            options: options.clone(),
        };
        let connections = bb8::Pool::builder()
            .max_size(size.max(1))
            .connection_timeout(options.acquire_timeout)
            .test_on_check_out(true)
            // Those that are used are few and warm, and the others end after a while.
            .queue_strategy(QueueStrategy::Lifo)
            .error_sink(Box::new(last_error.clone()))
            .build_unchecked(manager);
        Self {
            connections,
            last_error,
            waited: match part {
                Part::Writer => Waited::Writer,
                Part::Reader => Waited::Reader,
            },
        }
    }

    /// Takes a connection for one call.
    pub(super) async fn lease(&self) -> Result<Lease, Failure> {
        let begin = Instant::now();
        let connection = self.connections.get_owned().await;
        METRICS.waited(self.waited, begin.elapsed());
        match connection {
            Ok(mut connection) => {
                connection.in_call = true;
                Ok(Lease(connection))
            }
            Err(RunError::User(error)) => Err(Failure::Lost(error)),
            Err(RunError::TimedOut) => Err(self.last_error.take().map_or(Failure::TimedOut, Failure::Lost)),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.connections.state();
        f.debug_struct("Pool")
            .field("connections", &state.connections)
            .field("idle", &state.idle_connections)
            .finish_non_exhaustive()
    }
}

/// A connection for one call. Unless the call says that it is done, the connection is closed after it: nothing that
/// an error or an abandoned call left on it reaches the next one.
pub(super) struct Lease(PooledConnection<'static, Manager>);

impl Lease {
    /// Who serves it.
    pub(super) fn process(&self) -> ServerProcess {
        self.0.process
    }

    /// The call ended well.
    pub(super) fn done(mut self) {
        self.0.in_call = false;
    }
}

impl Deref for Lease {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &AsyncPgConnection {
        &self.0.pg
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        &mut self.0.pg
    }
}
