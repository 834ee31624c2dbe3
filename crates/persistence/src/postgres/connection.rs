//! Opening connections.

use std::time::Duration;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use sealroom_domain::ports::BoxError;
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{append, options::PostgresOptions};

/// Which part a connection plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// One of those that write.
    Writer,
    /// One of those that read.
    Reader,
}

/// The process that serves a connection, as PostgreSQL numbers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerProcess(pub(super) i32);

/// A connection, and the task that moves its bytes.
pub(super) struct Connection {
    pub(super) pg: AsyncPgConnection,
    pub(super) process: ServerProcess,
    pub(super) driver: Driver,
    /// A call is under way on it, or was and did not end well: it may hold a transaction, or answers that nobody waits
    /// for. Nobody uses it again.
    pub(super) in_call: bool,
}

impl Connection {
    /// Whether it cannot be used again.
    pub(super) fn is_spent(&self) -> bool {
        self.in_call || self.driver.0.is_finished()
    }
}

/// The task that moves a connection's bytes. It ends with this: it would wait for the answers to all that was asked
/// otherwise, of a silent server for ever.
pub(super) struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens a connection as the URL says, and nothing more.
pub(super) async fn connect(options: &PostgresOptions) -> Result<Connection, BoxError> {
    let config = options.config();
    let (client, driver) = if options.url.is_encrypted() {
        let (client, connection) = config.connect(tls()?).await?;
        (client, spawn(connection))
    } else {
        let (client, connection) = config.connect(NoTls).await?;
        (client, spawn(connection))
    };
    let process = client
        .query_one("SELECT pg_backend_pid()", &[])
        .await?
        .try_get(0)?;
    Ok(Connection {
        pg: AsyncPgConnection::try_from(client).await?,
        process: ServerProcess(process),
        driver,
        in_call: false,
    })
}

/// Opens a connection that plays a part.
pub(super) async fn open(part: Part, options: &PostgresOptions) -> Result<Connection, BoxError> {
    let mut connection = connect(options).await?;
    connection.pg.batch_execute(&session(options)).await?;
    if part == Part::Writer {
        append::rehearse(&connection.pg).await?;
    }
    Ok(connection)
}

/// What holds for all statements of a connection.
fn session(options: &PostgresOptions) -> String {
    let millis = |time: Duration| time.as_millis();
    // Every statement is by key. The planner is told so, because a plan that it made for a table of three rows would
    // stay with the connection. A database whose default is to acknowledge before it is durable is overruled; one that
    // waits for more than its own disk is not.
    format!(
        "SET statement_timeout = {};
         SET idle_in_transaction_session_timeout = {};
         SET plan_cache_mode = force_generic_plan;
         SET enable_seqscan = off;
         SET enable_hashjoin = off;
         SET enable_mergejoin = off;
         SET default_transaction_isolation = 'read committed';
         SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') = 'off';",
        millis(options.statement_timeout),
        millis(options.idle_in_transaction_timeout),
    )
}

fn spawn(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) -> Driver {
    let driver = async move {
        // Whoever waits for an answer hears of it too; here it would be a second line about the same.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the connection owns the task and aborts it when it is dropped"
    )]
    Driver(tokio::spawn(driver))
}

/// TLS that trusts what the system trusts.
fn tls() -> Result<MakeRustlsConnect, BoxError> {
    let roots = sealroom_outbound::system_roots();
    if roots.is_empty() {
        return Err("the system has no trusted certificates".into());
    }
    Ok(MakeRustlsConnect::new(sealroom_outbound::tls(roots)?))
}
