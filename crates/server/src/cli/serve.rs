//! `serve`: runs the server until it is told to stop.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context, anyhow};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use super::{FAILED, Failure};
use crate::{descriptors, run::Server, settings::Settings};

/// How long blocking work of the runtime may go on after the server has ended.
const LAST_WORK: Duration = Duration::from_secs(1);

/// A runtime as every subcommand uses it.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")
}

/// Runs the server.
pub(super) fn serve(settings: Settings) -> Result<(), Failure> {
    descriptors::raise(settings.limit_connections);
    let runtime = runtime()?;
    let result = runtime.block_on(serve_until_stopped(settings));
    runtime.shutdown_timeout(LAST_WORK);
    result
}

async fn serve_until_stopped(settings: Settings) -> Result<(), Failure> {
    let listener = TcpListener::bind(&settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let mut stops = Stops::new().context("signals cannot be received")?;
    let shutdown = CancellationToken::new();
    let address = listener.local_addr().context("the listener has no address")?;
    let server = Server::open(settings).await?;
    writeln!(io::stdout(), "listening on http://{address}").context("stdout cannot be written")?;
    let running = server.serve(listener, shutdown.clone());
    tokio::pin!(running);
    tokio::select! {
        () = &mut running => return Ok(()),
        () = stops.next() => {
            tracing::info!("stopping; a second signal ends the process at once");
            shutdown.cancel();
        }
    }
    tokio::select! {
        () = running => Ok(()),
        () = stops.next() => Err(Failure {
            code: FAILED,
            error: anyhow!("ended by a second signal"),
        }),
    }
}

/// SIGTERM and SIGINT.
struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
