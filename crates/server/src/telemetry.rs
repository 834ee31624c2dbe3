//! Traces to an OpenTelemetry collector, over HTTP with protobuf.
//!
//! What is sent are the spans of Sealroom's own crates and nothing else: no log lines, and of the libraries nothing. Their
//! fields are names of events and operations, numbers of entries and numbers of connections.

use std::{fmt, io, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tokio::runtime::{Builder, Runtime};
use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{Layer, Registry, filter::filter_fn};

/// How long the collector may take for one batch.
const SEND: Duration = Duration::from_secs(5);
/// The most that is read of its answer.
const ANSWER_BYTES: usize = 64 * 1024;
/// The sends that one batch may be linked with.
const LINKS: u32 = 64;

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The exporter cannot be made.
    #[error("traces cannot be exported")]
    Exporter(#[from] ExporterBuildError),
    /// Its runtime cannot be started.
    #[error("traces cannot be exported")]
    Runtime(#[from] io::Error),
}

/// The way to the collector. Spans go in batches, from a thread of their own; where it takes nothing they are dropped.
pub struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Spans go to `<endpoint>/v1/traces`.
    pub fn new(endpoint: &str) -> Result<Self, TelemetryError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new()?)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(SEND)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()?;
        let resource = Resource::builder_empty()
            .with_service_name("sealroom")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .with_max_links_per_span(LINKS)
            .build();
        Ok(Self { provider })
    }

    /// What takes the spans.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("sealroom"))
            // Files and threads of this program help nobody who reads a trace.
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_ours))
            .boxed()
    }

    /// Sends what is left; waits for at most `patience`. Blocks.
    pub fn end(&self, patience: Duration) {
        if let Err(error) = self.provider.shutdown_with_timeout(patience) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && metadata.target().starts_with("sealroom_")
        && *metadata.level() <= LevelFilter::DEBUG
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

/// hyper on a runtime of its own: batches come from a thread of the exporter's, also after the server's runtime ended.
#[derive(Debug)]
struct CollectorClient {
    runtime: Runtime,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl CollectorClient {
    fn new() -> io::Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            client: Client::builder(TokioExecutor::new()).build_http(),
        })
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = async {
            let response = self.client.request(request.map(Full::new)).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        self.runtime
            .block_on(async { tokio::time::timeout(SEND, exchange).await? })
    }
}
