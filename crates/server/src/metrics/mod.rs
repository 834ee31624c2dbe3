//! What the server tells Prometheus.
//!
//! The crates count through the facade of the crate `metrics`; here is the recorder behind it, and the page that is
//! scraped. What is a level and not a count is asked for when somebody scrapes. docs/OPERATIONS.md names all of them.

mod process;

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use rustix::fs::statvfs;
use tokio::{net::TcpListener, runtime::Handle, task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::listen::{ListenOptions, serve_connections};

/// The upper bounds of all histograms of times, in seconds: from half of a millisecond, which a commit to a good disk
/// takes, to 10 s, which nothing may take.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Those of numbers of entries, up to the largest batch.
const ENTRIES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// How often what the histograms took in is put into its buckets; until then each value is kept, 8 bytes.
const UPKEEP: Duration = Duration::from_secs(5);
/// Scrapers at a time.
const CONNECTIONS: usize = 32;

/// The recorder of this process, behind the facade.
#[derive(Clone)]
pub struct Recorder {
    prometheus: PrometheusHandle,
    started: Instant,
}

/// There is no recorder.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be recorded")]
pub struct RecorderError(#[from] BuildError);

/// What is asked for its levels when somebody scrapes.
pub(crate) type Observe = Arc<dyn Fn() + Send + Sync>;

impl Recorder {
    /// Installs it for this process, once. To be called before a server is opened: what is counted earlier is lost.
    pub fn install() -> Result<Self, RecorderError> {
        let prometheus = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_entries".to_owned()), &ENTRIES)?
            .install_recorder()?;
        describe_gauge!(
            "sealroom_build_info",
            "1; the version of the program is its label"
        );
        describe_gauge!(
            "sealroom_uptime_seconds",
            Unit::Seconds,
            "Since the start of the process"
        );
        gauge!("sealroom_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self {
            prometheus,
            started: Instant::now(),
        })
    }

    /// The page, in Prometheus' text format 0.0.4.
    fn render(&self, observe: &Observe) -> String {
        gauge!("sealroom_uptime_seconds").set(self.started.elapsed().as_secs_f64());
        observe();
        let mut page = self.prometheus.render();
        page.push_str(&process::render());
        page
    }

    /// Serves the page at `/metrics` on a listener of its own, for as long as it is polled.
    pub(crate) async fn serve(self, listener: TcpListener, observe: Observe) {
        let upkeep = async {
            loop {
                sleep(UPKEEP).await;
                self.prometheus.run_upkeep();
            }
        };
        let state = (self.clone(), observe);
        let router = Router::new().route("/metrics", get(page)).with_state(state);
        let options = ListenOptions {
            max_connections: Some(CONNECTIONS),
            max_connections_per_address: None,
            ..ListenOptions::default()
        };
        tokio::select! {
            () = upkeep => {}
            () = serve_connections(listener, router, options, CancellationToken::new()) => {}
        }
    }
}

async fn page(
    State((recorder, observe)): State<(Recorder, Observe)>,
) -> Result<impl IntoResponse, StatusCode> {
    // The system counts descriptors one by one: milliseconds with thousands of them, in which others are to be served.
    let page = spawn_blocking(move || recorder.render(&observe)).await;
    let page = page.map_err(|_panic| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page))
}

/// What the accept loop of the clients knows.
pub(crate) fn observe_connections(open: usize, refused: u64, sent_bytes: u64) {
    gauge!("sealroom_connections").set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
    counter!("sealroom_connections_refused_total").absolute(refused);
    counter!("sealroom_sent_bytes_total").absolute(sent_bytes);
}

/// How much room there is for the database, and for the secret.
pub(crate) fn observe_data_dir(path: &Path) {
    if let Ok(system) = statvfs(path) {
        // Exact up to 2^32 blocks; more than that is not what anybody waits for.
        let blocks = u32::try_from(system.f_bavail).unwrap_or(u32::MAX);
        let block_bytes = u32::try_from(system.f_frsize).unwrap_or(u32::MAX);
        gauge!("sealroom_data_dir_free_bytes").set(f64::from(blocks) * f64::from(block_bytes));
    }
}

/// The tasks of the runtime that this is called in. Exact up to 2^32 of them.
pub(crate) fn observe_tasks() {
    if let Ok(runtime) = Handle::try_current() {
        let tasks = u32::try_from(runtime.metrics().num_alive_tasks()).unwrap_or(u32::MAX);
        gauge!("sealroom_tasks").set(f64::from(tasks));
    }
}

/// Whether the server goes away.
pub(crate) fn observe_draining(draining: bool) {
    gauge!("sealroom_draining").set(f64::from(u8::from(draining)));
}

/// Names what the server itself tells.
pub(crate) fn describe() {
    describe_gauge!("sealroom_connections", "TCP connections of clients");
    describe_counter!(
        "sealroom_connections_refused_total",
        "Connections closed at once, because there were too many in all or of their address"
    );
    describe_counter!(
        "sealroom_sent_bytes_total",
        Unit::Bytes,
        "Bytes that the kernel took for clients"
    );
    describe_gauge!("sealroom_tasks", "Tasks of the runtime");
    describe_gauge!("sealroom_draining", "1 while the server goes away");
    describe_gauge!(
        "sealroom_data_dir_free_bytes",
        Unit::Bytes,
        "Room on the file system of the data directory"
    );
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}
