//! Traces at a collector that the test plays.

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prost::Message as _;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinSet, block_in_place},
};

use crate::{
    common::TestServer,
    world::{World, succeed},
};

const CONTENT: &str = "content-canary";
const GROUP: u64 = 918_273_645;
const USER: u64 = 564_738_291;

/// Takes batches of spans, and keeps their bytes.
struct Collector {
    addr: SocketAddr,
    batches: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Aborted when it is dropped.
    _serving: JoinSet<()>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let batches: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let taken = batches.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                // The exporter has one batch under way at a time, and may use the connection again.
                while let Some((head, body)) = request(&mut stream).await {
                    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
                    assert!(
                        head.to_lowercase()
                            .contains("content-type: application/x-protobuf\r\n"),
                        "{head}"
                    );
                    taken.lock().unwrap().push(body);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            }
        });
        Self {
            addr,
            batches,
            _serving: serving,
        }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// Head and body of the next request; `None` at the end of the connection.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end + 2].to_vec()).unwrap();
            let lower = head.to_lowercase();
            let length = lower
                .split("content-length: ")
                .nth(1)
                .unwrap()
                .split('\r')
                .next()
                .unwrap();
            let length: usize = length.parse().unwrap();
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..end + 4 + length].to_vec()));
            }
        }
        let mut chunk = vec![0; 16 * 1024];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// The spans with the name of each one's parent; checks who sent them.
fn spans(batches: &[Vec<u8>]) -> Vec<Span> {
    let mut spans = Vec::new();
    for batch in batches {
        let batch = ExportTraceServiceRequest::decode(batch.as_slice()).unwrap();
        for resource in batch.resource_spans {
            let attributes = format!("{:?}", resource.resource.unwrap().attributes);
            assert!(
                attributes.contains("service.name") && attributes.contains("sealroom"),
                "{attributes}"
            );
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_is_one_trace_down_to_the_store_and_tells_no_secrets() {
    let collector = Collector::start().await;
    let mut world = World::of(TestServer::start_with(&[(
        "SEALROOM_OTLP_ENDPOINT",
        &collector.endpoint(),
    )]));
    world.group(GROUP, [USER]).await;
    let token = world.token(USER);
    let client = world.joined(USER, GROUP).await;
    for _ in 0..3 {
        succeed(
            &client,
            "send_message",
            json!({"group_id": GROUP, "encrypted_content": CONTENT}),
        )
        .await;
    }
    client.emit_with_ack("event-canary", json!({})).await.unwrap();
    // Batches go every few seconds: what is left goes at the end.
    let status = block_in_place(|| world.server.terminate());
    assert_eq!(status.code(), Some(0), "{}", world.server.log());

    let batches = collector.batches.lock().unwrap().clone();
    let spans = spans(&batches);
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let parent = |span: &Span| spans.iter().find(|other| other.span_id == span.parent_span_id);
    let sends = named("send_message");
    assert_eq!(sends.len(), 3);
    for send in &sends {
        assert!(send.parent_span_id.is_empty());
        let in_trace: Vec<_> = spans
            .iter()
            .filter(|span| span.trace_id == send.trace_id)
            .collect();
        for (child, of) in [
            ("write", "send_message"),
            ("append", "write"),
            ("store", "append"),
        ] {
            let child = in_trace.iter().find(|span| span.name == child).unwrap();
            assert_eq!(parent(child).unwrap().name, of);
            assert!(child.start_time_unix_nano >= send.start_time_unix_nano);
            assert!(child.end_time_unix_nano >= child.start_time_unix_nano);
        }
    }
    let join = named("join_group")[0];
    let of_join = spans.iter().filter(|span| span.parent_span_id == join.span_id);
    assert!(of_join.filter(|span| span.name == "store").count() > 0);
    assert_eq!(named("unknown").len(), 1);

    let token = token.as_bytes();
    let signature = &token[token.len() - 20..];
    for secret in [
        token,
        signature,
        CONTENT.as_bytes(),
        b"event-canary",
        b"canary",
        USER.to_string().as_bytes(),
        GROUP.to_string().as_bytes(),
        world.server.secret.as_bytes(),
    ] {
        let told = batches
            .iter()
            .any(|batch| batch.windows(secret.len()).any(|bytes| bytes == secret));
        assert!(!told, "{}", String::from_utf8_lossy(secret));
    }
}

/// Nobody waits for a collector: one that is not there, one that takes everything and says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_gone_changes_nothing() {
    let silent = StdListener::bind("127.0.0.1:0").unwrap();
    let gone = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for addr in [gone, silent.local_addr().unwrap()] {
        let endpoint = format!("http://{addr}");
        let mut world = World::of(TestServer::start_with(&[("SEALROOM_OTLP_ENDPOINT", &endpoint)]));
        world.group(GROUP, [USER]).await;
        let client = world.joined(USER, GROUP).await;
        let begin = Instant::now();
        succeed(
            &client,
            "send_message",
            json!({"group_id": GROUP, "encrypted_content": CONTENT}),
        )
        .await;
        assert!(begin.elapsed() < Duration::from_secs(2));
        let signalled = Instant::now();
        let status = block_in_place(|| world.server.terminate());
        assert_eq!(status.code(), Some(0), "{}", world.server.log());
        assert!(
            signalled.elapsed() < Duration::from_secs(10),
            "{:?}",
            signalled.elapsed()
        );
    }
}
