//! Socket.IO over polling, through the service as it is mounted: what an address and a body may hold.

use std::{cell::RefCell, collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use sealroom_realtime::{Connection, ConnectionRef, Realtime, RealtimeOptions, RealtimeService};
use serde_json::Value;
use tokio::sync::Notify;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::{
    Verdict,
    app::{App, BODY_BYTES},
    oracle::first_line,
    request,
};

/// Between the packets of one body.
const SEPARATOR: char = '\u{1e}';
/// Every event is answered within it.
const ANSWERED: Duration = Duration::from_secs(5);
/// Longer than any wait of the transport.
const AGES: Duration = Duration::from_mins(2);
/// The ack id of the event that is sent after the input.
const PROBE: u64 = 987_654_321;
/// A session that goes on tells it in fewer polls.
const MOST_POLLS: usize = 64;

/// Inputs that one transport serves. A transport that has ended leaves some 30 KiB behind, which no process sees that starts
/// one; sessions leave nothing.
const INPUTS_OF_A_SITE: usize = 1000;

thread_local! {
    static SITE: RefCell<Option<(Site, usize)>> = const { RefCell::new(None) };
}

/// A connection that takes everything.
#[derive(Debug)]
struct Pipe;

impl Connection for Pipe {
    fn bytes_written(&self) -> u64 {
        0
    }

    fn tell_written(&self, _told: Arc<Notify>) {
        // A session that polls writes nothing to a connection of its own.
    }

    fn stalled_for(&self) -> Option<Duration> {
        None
    }

    fn hold_reading(&self, _at_most: Duration) {}

    fn resume_reading(&self) {}

    fn is_open(&self) -> bool {
        true
    }

    fn kill(&self) {}
}

/// The transport, and where its clients' requests go.
struct Site {
    realtime: Realtime,
    app: App,
}

impl Site {
    /// The one at hand, or a new one. Whoever uses it waits until all of its sessions are gone.
    fn with<T>(serve: impl FnOnce(&Self) -> T) -> T {
        SITE.with_borrow_mut(|kept| {
            kept.take_if(|(_, served)| *served >= INPUTS_OF_A_SITE);
            let (site, served) = kept.get_or_insert_with(|| (Self::new(), 0));
            *served += 1;
            serve(site)
        })
    }

    fn new() -> Self {
        let app = App::new();
        let options = RealtimeOptions {
            frame_bytes: BODY_BYTES,
            handshakes_per_address: None,
            ..RealtimeOptions::default()
        };
        let realtime = app
            .runtime
            .block_on(async { Realtime::start(app.chat.clone(), Arc::new(app.tokens.clone()), options) });
        Self { realtime, app }
    }

    async fn ask(&self, mut request: Request<Body>) -> (StatusCode, Vec<u8>) {
        request.extensions_mut().insert(ConnectionRef(Arc::new(Pipe)));
        let nothing = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
        let service: RealtimeService<_> = self.realtime.layer().layer(nothing);
        let Ok(response) = service.oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .expect("a body in memory")
            .to_bytes()
            .to_vec();
        assert!(
            !head.status.is_server_error(),
            "{}: {:?}",
            head.status,
            String::from_utf8_lossy(&body)
        );
        (head.status, body)
    }

    /// What the session has for its client, who answers pings.
    async fn poll(&self, sid: &str) -> (StatusCode, String) {
        let (status, body) = self.ask(of_session(Method::GET, sid, Body::empty())).await;
        let packets = String::from_utf8_lossy(&body).into_owned();
        if packets.split(SEPARATOR).any(|packet| packet == "2") {
            self.post(sid, "3").await;
        }
        (status, packets)
    }

    async fn post(&self, sid: &str, body: impl Into<Body>) -> StatusCode {
        self.ask(of_session(Method::POST, sid, body.into())).await.0
    }

    /// A session whose handshake is over.
    async fn connected(&self) -> String {
        let uri = "/socket.io/?EIO=4&transport=polling";
        let (status, open) = self
            .ask(Request::get(uri).body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(status, StatusCode::OK);
        let open = open.strip_prefix(b"0").expect("an open packet");
        let open: Value = serde_json::from_slice(open).expect("JSON");
        let sid = open.get("sid").and_then(Value::as_str).expect("a sid").to_owned();
        assert_eq!(self.post(&sid, r#"40{"token":"owner"}"#).await, StatusCode::OK);
        // A ping may come before it.
        for _ in 0..MOST_POLLS {
            let (status, packets) = self.poll(&sid).await;
            assert_eq!(status, StatusCode::OK);
            if packets.contains(r#"40{"sid":"#) {
                return sid;
            }
        }
        panic!("no CONNECT")
    }
}

fn of_session(method: Method, sid: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("/socket.io/?EIO=4&transport=polling&sid={sid}"))
        .header("content-type", "text/plain;charset=UTF-8")
        .body(body)
        .expect("a good request")
}

/// `METHOD QUERY`, and a header on each line; then, behind an empty line, the body.
pub fn engine_io_query(data: &[u8]) -> Verdict {
    Verdict::of(send_query(data))
}

fn send_query(data: &[u8]) -> Option<()> {
    let (line, rest) = first_line(data);
    let (method, query) = request::method_and_rest(line)?;
    let uri = request::uri("/socket.io/?", query)?;
    let request = request::with_headers(&method, uri, rest)?;
    Site::with(|site| {
        site.app.runtime.block_on(async {
            let (status, _) = site.ask(request).await;
            let sid = site.connected().await;
            assert_eq!(site.realtime.sockets(), 1);
            // Both sessions end by themselves: nobody answers a ping.
            tokio::time::sleep(AGES).await;
            assert_ne!(site.poll(&sid).await.0, StatusCode::OK);
            assert_eq!(site.realtime.sockets(), 0);
            (!status.is_client_error()).then_some(())
        })
    })
}

/// What is posted to a session whose handshake is over.
pub fn engine_io_body(data: &[u8]) -> Verdict {
    Site::with(|site| site.app.runtime.block_on(post_and_ask(site, data)))
}

async fn post_and_ask(site: &Site, data: &[u8]) -> Verdict {
    let sid = site.connected().await;
    let status = site.post(&sid, data.to_vec()).await;
    assert!(status == StatusCode::OK || status.is_client_error(), "{status}");
    assert!(status != StatusCode::OK || data.len() <= BODY_BYTES);
    let probe = format!(r#"42{PROBE}["leave_group",{{"group_id":5}}]"#);
    let probed = site.post(&sid, probe).await;
    let answers = answers(site, &sid).await;
    // A body that is refused says what it is worth: nobody waits for answers to it.
    let is_taken = status == StatusCode::OK && probed == StatusCode::OK && answers.contains_key(&PROBE);
    if is_taken {
        check_answers(data, &answers);
    }
    // Whatever came, the next client is served.
    site.connected().await;
    tokio::time::sleep(AGES).await;
    assert_eq!(site.realtime.sockets(), 0);
    Verdict::of(is_taken.then_some(()))
}

/// How often each ack id was answered, up to the end of the session or of what it has to tell.
async fn answers(site: &Site, sid: &str) -> BTreeMap<u64, usize> {
    tokio::time::sleep(ANSWERED).await;
    let mut answers = BTreeMap::new();
    for _ in 0..MOST_POLLS {
        let (status, packets) = site.poll(sid).await;
        if status != StatusCode::OK {
            break;
        }
        for packet in packets.split(SEPARATOR) {
            let Some((id, ack)) = packet.strip_prefix("43").and_then(number) else {
                continue;
            };
            let ack: Value = serde_json::from_str(ack).expect("an ack is JSON");
            let ack = ack.as_array().filter(|ack| ack.len() == 1).expect("one argument");
            assert!(
                ack.iter()
                    .all(|ack| ack.get("success").is_some_and(Value::is_boolean))
            );
            *answers.entry(id).or_default() += 1;
        }
        // Time passes where there is nothing else to tell.
        if packets == "2" {
            break;
        }
    }
    answers
}

/// A session that goes on has answered every event that asked for it, once.
fn check_answers(data: &[u8], answers: &BTreeMap<u64, usize>) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut asked = BTreeMap::new();
    for packet in text.split(SEPARATOR) {
        // Attachments come as packets of their own, and one that lacks some waits for them.
        if packet.starts_with("45") || packet.starts_with('b') {
            return;
        }
        let Some((id, event)) = packet.strip_prefix("42").and_then(number) else {
            continue;
        };
        // Also what is no list to the end: it has an id, and whoever sent it waits.
        if event.starts_with('[') {
            *asked.entry(id).or_insert(0) += 1;
        }
    }
    for (id, times) in asked.into_iter().filter(|(id, _)| *id != PROBE) {
        let answered = answers.get(&id).copied().unwrap_or_default();
        assert_eq!(
            answered, times,
            "{id} was answered {answered} times, and asked {times} times"
        );
    }
}

/// The ack id at the beginning of a packet, and what follows it. What is over 2^63 - 1 is none to Socket.IO, as no client
/// counts so far.
fn number(packet: &str) -> Option<(u64, &str)> {
    let end = packet.find(|char: char| !char.is_ascii_digit())?;
    let (digits, rest) = packet.split_at_checked(end)?;
    let id = digits.parse().ok().filter(|id| i64::try_from(*id).is_ok());
    Some((id?, rest))
}
