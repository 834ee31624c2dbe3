//! The server as a whole, from its settings to its end.

use std::{io::Write, time::Duration};

use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    data_dir::{DataDir, DataDirError},
    listen::serve_connections,
    secret::{SecretFileError, secret},
    settings::Settings,
};

/// Why a server could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Its data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// There is no secret for its tokens.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The listener has no address.
    #[error("the listener cannot be used")]
    Listener(#[from] std::io::Error),
}

/// How long clients have to go at shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs a server on `listener` until `shutdown` is cancelled.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let _held = DataDir::open(&settings.data_dir)?;
    let _secret = secret(&settings)?;
    let address = listener.local_addr()?;
    let router = axum::Router::new().route("/healthz", axum::routing::get(|| async {}));
    let options = settings.listen_options();
    let connections = options.connections.clone();
    settings.log_notices();
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    serve_connections(listener, router, options, shutdown).await;
    if !connections.wait_idle(Instant::now() + DRAIN).await {
        connections.kill_all();
    }
    Ok(())
}
