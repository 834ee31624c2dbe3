//! `serve`: runs the server until it is told to stop.

use std::{
    future::{self, Future},
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use super::{
    FAILED, Failure,
    notify::{READY, STOPPING, notify},
};
#[cfg(feature = "otel")]
use crate::telemetry::Telemetry;
use crate::{
    descriptors, logging,
    metrics::Recorder,
    run::{LAST_WORK, Server},
    settings::Settings,
};

/// How long the last traces may take to be sent, where there is time for it.
const LAST_TRACES: Duration = Duration::from_secs(2);

/// From the signal to the end of the process; a margin of half a second is left.
const GONE_WITHIN: Duration = Duration::from_millis(14_500);

/// The log, and the way of traces to a collector where there is one.
struct Traces {
    #[cfg(feature = "otel")]
    telemetry: Option<Telemetry>,
}

impl Traces {
    #[cfg(feature = "otel")]
    fn start(settings: &Settings) -> Result<Self, Failure> {
        let telemetry = settings
            .otlp_endpoint
            .as_deref()
            .map(Telemetry::new)
            .transpose()?;
        let layer = telemetry.as_ref().map(Telemetry::layer);
        logging::init(&settings.log, settings.log_format, layer)?;
        Ok(Self { telemetry })
    }

    #[cfg(feature = "otel")]
    fn end(self, patience: Duration) {
        if let Some(telemetry) = self.telemetry {
            telemetry.end(patience);
        }
    }

    #[cfg(not(feature = "otel"))]
    fn start(settings: &Settings) -> Result<Self, Failure> {
        logging::init(&settings.log, settings.log_format, None)?;
        Ok(Self {})
    }

    #[cfg(not(feature = "otel"))]
    fn end(self, _patience: Duration) {
        let Self {} = self;
    }
}

/// A runtime as every subcommand uses it.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")
}

/// Runs the server.
pub(super) fn serve(settings: Settings) -> Result<(), Failure> {
    let traces = Traces::start(&settings)?;
    descriptors::raise(settings.limit_connections);
    descriptors::forbid_core_dumps();
    let runtime = runtime()?;
    // A task of the runtime like its connections, not this thread's own: the accept loop would wake another thread for each
    // of them, and compete with them for a processor.
    let serving = runtime.spawn(async {
        let mut stopping = None;
        let result = Box::pin(serve_until_stopped(settings, &mut stopping)).await;
        (result, stopping)
    });
    let (result, stopping) = match runtime.block_on(serving) {
        Ok(ended) => ended,
        Err(panicked) => (Err(anyhow!(panicked).into()), None),
    };
    runtime.shutdown_timeout(LAST_WORK);
    let gone_for = stopping.map_or(Duration::ZERO, |signal: Instant| signal.elapsed());
    traces.end(LAST_TRACES.min(GONE_WITHIN.saturating_sub(gone_for)));
    result
}

/// Notes in `stopping` when it was told to stop.
async fn serve_until_stopped(settings: Settings, stopping: &mut Option<Instant>) -> Result<(), Failure> {
    let listener = TcpListener::bind(&settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let metrics = MetricsListener::bind(settings.metrics_listen.as_deref()).await?;
    let mut stops = Stops::new().context("signals cannot be received")?;
    let shutdown = CancellationToken::new();
    let address = listener.local_addr().context("the listener has no address")?;
    let scheme = if settings.tls_files().is_some() {
        "https"
    } else {
        "http"
    };
    let server = Server::open(settings).await?;
    let measuring = metrics.serve(&server);
    tokio::pin!(measuring);
    writeln!(io::stdout(), "listening on {scheme}://{address}").context("stdout cannot be written")?;
    notify(READY);
    let running = async {
        tokio::select! {
            ended = server.serve(listener, shutdown.clone()) => ended.map_err(|error| Failure {
                code: FAILED,
                error: error.into(),
            }),
            () = &mut measuring => Ok(()),
        }
    };
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        () = stops.next() => {
            *stopping = Some(Instant::now());
            notify(STOPPING);
            tracing::info!("stopping; a second signal ends the process at once");
            shutdown.cancel();
        }
    }
    tokio::select! {
        ended = running => ended,
        () = stops.next() => Err(Failure {
            code: FAILED,
            error: anyhow!("ended by a second signal"),
        }),
    }
}

/// Where metrics are scraped, if anywhere.
struct MetricsListener(Option<(Recorder, TcpListener)>);

impl MetricsListener {
    /// Binds it, and installs the recorder: before anything counts.
    async fn bind(address: Option<&str>) -> Result<Self, Failure> {
        let Some(address) = address else {
            return Ok(Self(None));
        };
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!(
                "cannot listen on {address} for metrics (SEALROOM_METRICS_LISTEN, which may be another one or off)"
            )
        })?;
        Ok(Self(Some((Recorder::install()?, listener))))
    }

    /// Serves for as long as it is polled.
    fn serve(self, server: &Server) -> impl Future<Output = ()> + use<> {
        let serving = self.0.map(|(recorder, listener)| {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "metrics at http://{address}/metrics");
            }
            recorder.serve(listener, Arc::new(server.observe_metrics()))
        });
        async {
            match serving {
                Some(serving) => serving.await,
                None => future::pending().await,
            }
        }
    }
}

/// SIGTERM and SIGINT.
struct Stops {
    terminate: Signal,
    interrupt: Signal,
    /// Held, not heard: a limit of the size of files (`ulimit -f`) ends a process that does not take this signal. Here
    /// the write fails, as on a full disk.
    _file_size: Signal,
}

impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
