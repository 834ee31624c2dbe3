//! In front of Socket.IO: which requests reach it, and in what shape.

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Once},
    task::{Context, Poll},
};

use bytes::Bytes;
use engineioxide::service::NotFoundService;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use sealroom_domain::{Extra, Refusal};
use sealroom_engine::KeyedRate;
use sealroom_wire::ClientAddress;
use socketioxide::{service::SocketIoService, socket::Sid};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    ConnectionRef, RealtimeOptions,
    attempts::Attempts,
    frame::is_event_or_ack,
    kept::slim,
    metrics::{DRAINING, LIMITED, METRICS, ORIGIN},
    origin::Permission,
    registry::{AlreadyAttached, Registry},
    upgrade::{self, NoHandshake},
};

/// What every answer but an upgrade says, like those of the API: it stands in no cache, is taken for no other type, and
/// loads nothing into a browser.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Between the packets of a polling response: the record separator of Engine.IO 4.
const PACKET_END: u8 = 0x1e;

/// The path of Socket.IO, with and without a slash at its end.
pub(crate) const PATH: &str = "/socket.io";

pub(crate) type SocketIo = SocketIoService<NotFoundService>;
type Body = UnsyncBoxBody<Bytes, BoxError>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

/// Adds Socket.IO to any HTTP service: requests for its path go there, all others go on.
#[derive(Clone)]
pub struct RealtimeLayer {
    gate: Arc<Gate>,
}

/// The service that [`RealtimeLayer`] makes.
#[derive(Clone)]
pub struct RealtimeService<S> {
    gate: Arc<Gate>,
    inner: S,
}

struct Gate {
    socket_io: SocketIo,
    registry: Arc<Registry>,
    options: Arc<RealtimeOptions>,
    /// A host that serves without connections hears it once, not with each request.
    tell_once: Once,
    handshakes: Arc<KeyedRate<IpAddr>>,
}

impl RealtimeLayer {
    pub(crate) fn new(
        socket_io: SocketIo,
        registry: Arc<Registry>,
        handshakes: Arc<KeyedRate<IpAddr>>,
        options: Arc<RealtimeOptions>,
    ) -> Self {
        Self {
            gate: Arc::new(Gate {
                socket_io,
                registry,
                handshakes,
                options,
                tell_once: Once::new(),
            }),
        }
    }
}

impl<S> Layer<S> for RealtimeLayer {
    type Service = RealtimeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RealtimeService {
            gate: self.gate.clone(),
            inner,
        }
    }
}

impl<S, B, ResBody> Service<Request<B>> for RealtimeService<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: http_body::Body<Error: std::fmt::Debug, Data: Send> + Send + Unpin + std::fmt::Debug + 'static,
    ResBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        if path == PATH || path.strip_suffix('/') == Some(PATH) {
            let gate = self.gate.clone();
            return Box::pin(async move {
                let mut response = gate.pass(request).await;
                if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                    response.headers_mut().extend(HEADERS);
                }
                Ok(response)
            });
        }
        let answer = self.inner.call(request);
        Box::pin(async move { answer.await.map(|response| response.map(boxed)) })
    }
}

impl Gate {
    async fn pass<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Error: std::fmt::Debug, Data: Send> + Send + Unpin + std::fmt::Debug + 'static,
    {
        let Ok(permission) = Permission::of(&self.options.allowed_origins, request.headers()) else {
            METRICS.handshake(ORIGIN);
            return refusal(StatusCode::FORBIDDEN, "Origin not allowed");
        };
        let mut response = if permission.is_asked_for(&request) {
            let mut response = refusal(StatusCode::NO_CONTENT, "");
            Permission::preflight(response.headers_mut());
            response
        } else {
            self.serve(request).await
        };
        permission.tell(response.headers_mut());
        response
    }

    /// Answers a request that may pass.
    async fn serve<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Error: std::fmt::Debug, Data: Send> + Send + Unpin + std::fmt::Debug + 'static,
    {
        let Some(connection) = request.extensions().get::<ConnectionRef>().cloned() else {
            self.tell_once.call_once(|| {
                tracing::error!(
                    "a request came without its connection: serve with sealroom_server::listen::serve_connections"
                );
            });
            return refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "This server is not set up for Socket.IO",
            );
        };
        let address = request.extensions().get::<ClientAddress>().copied();
        let address = address.map(ClientAddress::subscriber);
        let is_get = request.method() == Method::GET;
        let is_poll = is_get && !is_websocket(request.uri());
        if is_get
            && !is_poll
            && let Err(none) = upgrade::check(request.headers())
        {
            return no_handshake(none);
        }
        let mut request = slim(request);
        let sid = session_id(request.uri());
        if sid.is_none() {
            request.extensions_mut().insert(Attempts::default());
            if self.registry.is_draining() {
                METRICS.handshake(DRAINING);
                return refusal(StatusCode::SERVICE_UNAVAILABLE, "The server is shutting down");
            }
            let counted = address.map(|address| self.handshakes.count(&address));
            if let Some(Err(limited)) = counted {
                METRICS.handshake(LIMITED);
                return too_many(&limited);
            }
        }
        let mut socket_io = self.socket_io.clone();
        let answered = Service::call(&mut socket_io, request);
        let answered = if is_get {
            answered.await
        } else {
            // Answered as soon as it was received, so what takes long is the client.
            match tokio::time::timeout(self.options.receive_timeout, answered).await {
                Ok(answered) => answered,
                Err(_elapsed) => return too_late(),
            }
        };
        let response = match answered {
            Ok(response) => response.map(boxed),
            Err(never) => match never {},
        };
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_upgrade && let Some(frames) = connection.0.frames() {
            frames.begin();
        }
        let Some(sid) = sid else { return response };
        if is_upgrade && let Err(AlreadyAttached) = self.registry.attach(sid, connection) {
            // The upgrade that waits for this response ends with it.
            return refusal(StatusCode::BAD_REQUEST, "The session was upgraded already");
        }
        if is_poll && response.status() == StatusCode::OK {
            return self.count_polled(sid, response).await;
        }
        response
    }

    /// Counts what a polling response takes away.
    async fn count_polled(&self, sid: Sid, response: Response<Body>) -> Response<Body> {
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await else {
            return refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The response could not be made",
            );
        };
        // It is in memory already: nothing is copied.
        let body = body.to_bytes();
        let packets = body.split(|byte| *byte == PACKET_END);
        let packets = packets.filter(|packet| is_event_or_ack(packet)).count();
        let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
        self.registry.polled(sid, count(body.len()), count(packets));
        Response::from_parts(head, boxed(Full::from(body)))
    }
}

/// Whether a request is for a WebSocket: read as Socket.IO reads it, because it decides, not the headers.
pub(crate) fn is_websocket(uri: &Uri) -> bool {
    uri.query()
        .and_then(|query| query.split('&').find(|pair| pair.starts_with("transport=")))
        .and_then(|pair| pair.split('=').nth(1))
        .is_some_and(|transport| transport == "websocket")
}

fn session_id(uri: &Uri) -> Option<Sid> {
    uri.query()?
        .split('&')
        .find_map(|pair| pair.strip_prefix("sid="))?
        .parse()
        .ok()
}

fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

fn refusal(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(boxed(Full::from(text)));
    *response.status_mut() = status;
    response
}

/// RFC 6585, section 4.
fn too_many(limited: &Refusal) -> Response<Body> {
    let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
    if let Some(Extra::RetryAfter(after)) = limited.extra {
        let seconds = HeaderValue::from(after.as_secs().saturating_add(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// RFC 6455, section 4.2.2: of another version it is told which one there is.
fn no_handshake(none: NoHandshake) -> Response<Body> {
    match none {
        NoHandshake::Form => refusal(StatusCode::BAD_REQUEST, "Not a WebSocket handshake"),
        NoHandshake::Version => {
            let mut response = refusal(StatusCode::UPGRADE_REQUIRED, "Another WebSocket version");
            let headers = response.headers_mut();
            headers.insert(header::SEC_WEBSOCKET_VERSION, upgrade::VERSION);
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            response
        }
    }
}

/// RFC 9110, 15.5.9: the connection is not used any more, since the rest of the request may still come.
fn too_late() -> Response<Body> {
    let mut response = refusal(StatusCode::REQUEST_TIMEOUT, "The request took too long");
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

impl std::fmt::Debug for RealtimeLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealtimeLayer")
            .field("options", &self.gate.options)
            .finish_non_exhaustive()
    }
}

impl<S> std::fmt::Debug for RealtimeService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealtimeService")
            .field("options", &self.gate.options)
            .finish_non_exhaustive()
    }
}
