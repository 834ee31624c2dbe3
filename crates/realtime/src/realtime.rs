//! The transport as a whole.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use sealroom_domain::ports::TokenVerifier;
use sealroom_engine::{Chat, KeyedRate};
use serde_json::json;
use socketioxide::{ParserConfig, SocketIo, extract::SocketRef, handler::ConnectHandler};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    RealtimeLayer, RealtimeOptions,
    closer::SessionCloser,
    flusher::Flusher,
    handshake::{Handshake, HandshakeMiddleware},
    janitor,
    metrics::{METRICS, cause},
    registry::Registry,
};

/// Socket.IO over the use cases.
#[derive(Debug)]
pub struct Realtime {
    layer: RealtimeLayer,
    registry: Arc<Registry>,
    tasks: TaskTracker,
    stop: CancellationToken,
    janitor: JoinHandle<()>,
    flusher: Arc<Flusher>,
}

/// Packets that wait for one socket at most. Far more than the bytes that may wait: a reader is slow by bytes.
const QUEUE_PACKETS: usize = 32 * 1024;
/// What one read of a WebSocket takes at once; small, because every idle socket holds it.
const READ_BUFFER: usize = 2 * 1024;
/// How often the next transports are closed at the end.
const CLOSE_EVERY: Duration = Duration::from_millis(20);

impl Realtime {
    /// How long [`Realtime::close`] takes at most, and [`Realtime::announce_drain`] spreads what clients shall do: they
    /// come back within 2 s, each at a moment of its own.
    pub const RECONNECT_WITHIN: Duration = Duration::from_secs(2);

    /// Starts the transport. Must be called within a tokio runtime.
    pub fn start(chat: Arc<Chat>, verifier: Arc<dyn TokenVerifier>, options: RealtimeOptions) -> Self {
        // All of them are there from the beginning, so that a scrape sees a zero and not nothing.
        LazyLock::force(&METRICS);
        let options = Arc::new(options);
        let registry = Arc::new(Registry::default());
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let handshakes = Arc::new(KeyedRate::new(options.handshakes_per_address));
        let flusher = Arc::new(Flusher::start(&tasks, &stop));
        let (service, io) = builder(&options).build_svc();
        let handshake = Handshake {
            chat,
            verifier,
            options: options.clone(),
            registry: registry.clone(),
            handshakes: handshakes.clone(),
            flusher: flusher.clone(),
            closer: SessionCloser::new(service.clone(), registry.clone(), tasks.clone()),
            tasks: tasks.clone(),
        };
        let opening = registry.clone();
        let on_connected = async move |socket: SocketRef| opening.open(socket.id);
        io.ns("/", on_connected.with(HandshakeMiddleware(Arc::new(handshake))));
        let janitor = tasks.spawn(janitor::watch(registry.clone(), options.clone(), stop.clone()));
        Self {
            layer: RealtimeLayer::new(service, registry.clone(), handshakes, options),
            registry,
            tasks,
            stop,
            janitor,
            flusher,
        }
    }

    /// Adds Socket.IO under `/socket.io` to an HTTP service. The accept loop must put a
    /// [`ConnectionRef`](crate::ConnectionRef) into the extensions of every request, as
    /// `sealroom_server::listen::serve_connections` does and `axum::serve` does not; without it requests under
    /// `/socket.io` are refused with 500.
    pub fn layer(&self) -> RealtimeLayer {
        self.layer.clone()
    }

    /// The number of sockets that passed the handshake.
    pub fn sockets(&self) -> usize {
        self.registry.count()
    }

    /// Whether the tasks that write to all sockets, and that which looks at them, still run; without it nobody closes
    /// those that are stuck.
    pub fn is_whole(&self) -> bool {
        (self.flusher.is_whole() && !self.janitor.is_finished()) || self.stop.is_cancelled()
    }

    /// Sets the metrics that tell a level and not a count: for whoever reads the metrics, right before it does. All
    /// metrics need a recorder that was installed before [`Realtime::start`].
    pub fn observe_metrics(&self) {
        METRICS.observe(self.registry.counts());
    }

    /// Tells every socket that the server goes away and when to come back. From now on new sessions are refused with
    /// 503, while those that are open go on.
    pub fn announce_drain(&self) {
        self.registry.drain();
        let sockets = self.registry.all_shuffled();
        let step = spread(sockets.len());
        for (number, (_, socket)) in (0_u32..).zip(sockets) {
            let after = u64::try_from((step * number).as_millis()).unwrap_or(u64::MAX);
            socket.emit("server_draining", &json!({"reconnect_after_ms": after}));
        }
    }

    /// Closes every transport and stops the transport's own tasks. The transports go one after the other within
    /// [`Realtime::RECONNECT_WITHIN`], so that their clients do not come back all at once.
    pub async fn close(&self) {
        self.registry.drain();
        let sockets = self.registry.all_shuffled();
        let (step, begin) = (spread(sockets.len()), Instant::now());
        let mut slept_until = Duration::ZERO;
        for (number, (_, socket)) in (0_u32..).zip(sockets) {
            let due = step * number;
            if due >= slept_until + CLOSE_EVERY {
                tokio::time::sleep_until(begin + due).await;
                slept_until = due;
            }
            socket.close_transport(cause::DRAIN);
        }
        // Those whose handshake was under way.
        for (_, socket) in self.registry.all() {
            socket.close_transport(cause::DRAIN);
        }
        self.stop.cancel();
    }
}

/// The time from one of so many sockets to the next.
fn spread(sockets: usize) -> Duration {
    Realtime::RECONNECT_WITHIN / u32::try_from(sockets.max(1)).unwrap_or(u32::MAX)
}

impl Drop for Realtime {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.close();
    }
}

fn builder(options: &RealtimeOptions) -> socketioxide::SocketIoBuilder {
    // An event with attachments is refused like any other, which takes its attachments in first. Many of them are no
    // mistake of a client.
    let parser = ParserConfig::common()
        .max_incoming_binaries(16)
        .max_incoming_binary_buf_size(options.frame_bytes)
        .packet_completion_timeout(Duration::from_secs(5));
    SocketIo::builder()
        .req_path("/socket.io")
        .with_parser(parser)
        .ping_interval(options.ping_interval)
        .ping_timeout(options.ping_timeout)
        .connect_timeout(options.connect_timeout)
        .max_buffer_size(QUEUE_PACKETS)
        .max_payload(u64::try_from(options.frame_bytes).unwrap_or(u64::MAX))
        .ws_read_buffer_size(READ_BUFFER)
        .ws_max_message_size(options.frame_bytes)
        .ws_max_frame_size(options.frame_bytes)
}
