//! Brings the schema of a PostgreSQL database up to date.

use diesel::connection::SimpleConnection;
use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::{
    connection::{self, Connection},
    options::PostgresOptions,
};
use crate::{
    error::OpenError,
    migrate::{self, MigrationStatus, blocking},
};

/// The migrations, inside the binary.
pub(super) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

type Blocking = AsyncConnectionWrapper<AsyncPgConnection>;

/// The advisory lock of whoever migrates: `sealroom` in ASCII, as a number.
const LOCK: i64 = 0x7365_616c_726f_6f6d;

pub(super) async fn run(options: &PostgresOptions) -> Result<Vec<String>, OpenError> {
    with_lock(options, |conn| migrate::apply(conn, MIGRATIONS)).await
}

pub(super) async fn status(options: &PostgresOptions) -> Result<MigrationStatus, OpenError> {
    with_lock(options, |conn| migrate::status(conn, MIGRATIONS)).await
}

/// Two harnesses at once would both find the same migration pending, and the second would fail. The lock is of the
/// session: it ends with it, also by a kill.
async fn with_lock<R: Send + 'static>(
    options: &PostgresOptions,
    work: impl FnOnce(&mut Blocking) -> Result<R, OpenError> + Send + 'static,
) -> Result<R, OpenError> {
    let Connection { pg, driver, .. } = connection::connect(options).await.map_err(OpenError::server)?;
    blocking(move || {
        let mut conn = Blocking::from(pg);
        conn.batch_execute(&format!(
            "SET lock_timeout = '60s'; SELECT pg_advisory_lock({LOCK})"
        ))
        .map_err(OpenError::busy)?;
        let outcome = work(&mut conn);
        drop(driver);
        outcome
    })
    .await
}
