//! The accept loop.
//!
//! `axum::serve` has no header timeout, no bound on connections, and its graceful shutdown forgets connections that
//! were upgraded to WebSocket. This loop has all three, and it gives every request a handle to its connection
//! ([`ConnectionRef`]), with which a peer that stopped reading is found and ended. It ends TLS where it is told to.

mod connections;
mod hold;
mod lane;
mod progress;
mod socket;
mod tls;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::HeaderValue, routing::future::RouteFuture};
use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::{TokioIo, TokioTimer};
use sealroom_realtime::ConnectionRef;
use sealroom_wire::TrustedProxies;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

pub use connections::Connections;
use socket::Counted;
pub use tls::{ServerTls, TlsError, TlsFiles};

/// How long the loop waits after the system refused to accept: no descriptors, no memory.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// The least read buffer that hyper takes.
const LEAST_READ_BUFFER: usize = 8192;

/// How the loop treats its connections.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// In this time a connection must send a complete request header, the first as well as each further one; an
    /// idle connection is closed after it. 10 s.
    pub header_timeout: Duration,
    /// The read buffer; at least 8 192. A request header that fills it without an end is refused (431); one read may
    /// fill it to twice the size. 64 KiB.
    pub read_buffer_bytes: usize,
    /// The send buffer in the kernel. Small, so that a peer that does not read shows soon. 128 KiB.
    pub send_buffer_bytes: usize,
    /// A connection whose peer acknowledges nothing for this long, or takes nothing, is ended by the kernel
    /// (`TCP_USER_TIMEOUT`, RFC 5482). 30 s.
    pub user_timeout: Duration,
    /// The most connections at a time; more are closed as soon as they are accepted. `None`: no limit. 50 000.
    pub max_connections: Option<usize>,
    /// The same for one address; a /64 network counts as one address with IPv6. 500.
    pub max_connections_per_address: Option<usize>,
    /// Networks of proxies: what they say in `X-Forwarded-For` is believed, and their own connections are not limited by
    /// address. None.
    pub trusted_proxies: TrustedProxies,
    /// Ends TLS on every connection; `None`: plain HTTP. None.
    pub tls: Option<ServerTls>,
    /// How long the handshake of TLS may take. 5 s.
    pub tls_handshake_timeout: Duration,
    /// Where the connections are counted. Loops that share it share the limits.
    pub connections: Connections,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            read_buffer_bytes: 64 * 1024,
            send_buffer_bytes: 128 * 1024,
            user_timeout: Duration::from_secs(30),
            max_connections: Some(50_000),
            max_connections_per_address: Some(500),
            trusted_proxies: TrustedProxies::default(),
            tls: None,
            tls_handshake_timeout: Duration::from_secs(5),
            connections: Connections::default(),
        }
    }
}

/// Serves HTTP/1.1 and its upgrades on `listener` until `shutdown` is cancelled, and gives every request the
/// extensions [`ConnectionRef`], [`ConnectInfo<SocketAddr>`] and [`sealroom_wire::ClientAddress`].
///
/// At shutdown it closes the listener at once and returns. Connections that are idle are closed then, those that are
/// in the middle of a request are closed after its response, and those that were upgraded stay until their owner
/// ends them: wait for all of them with [`Connections::wait_idle`], and end what is left with
/// [`Connections::kill_all`]. The same happens where this future is dropped.
///
/// Nothing that a peer or the system does ends the loop: where it cannot accept, it tries again.
///
/// ```no_run
/// use std::time::Duration;
///
/// use sealroom_server::listen::{Connections, ListenOptions, serve_connections};
/// use tokio::{net::TcpListener, time::Instant};
/// use tokio_util::sync::CancellationToken;
///
/// # async fn example(app: axum::Router, shutdown: CancellationToken) -> std::io::Result<()> {
/// let connections = Connections::default();
/// let options = ListenOptions { connections: connections.clone(), ..ListenOptions::default() };
/// let listener = TcpListener::bind("127.0.0.1:8000").await?;
///
/// serve_connections(listener, app, options, shutdown).await;
/// // The place to tell the clients to reconnect elsewhere.
/// if !connections.wait_idle(Instant::now() + Duration::from_secs(10)).await {
///     connections.kill_all();
/// }
/// # Ok(())
/// # }
/// ```
pub async fn serve_connections(
    listener: TcpListener,
    router: Router,
    options: ListenOptions,
    shutdown: CancellationToken,
) {
    if let Err(error) = set_socket_options(&listener, &options) {
        tracing::warn!(%error, "cannot set all TCP options");
    }
    let closing = CancellationToken::new();
    // Also where this future is dropped.
    let _close_idle = closing.clone().drop_guard();
    let acceptor = Acceptor {
        http: http(&options),
        // Once here instead of at each request.
        router: router.with_state(()),
        closing,
        options,
    };

    let stop = shutdown.cancelled();
    tokio::pin!(stop);
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                acceptor.start(stream, peer);
                // The others' turn: without it, a flood of connections has this task accept more than a hundred in one.
                yield_now().await;
            }
            Err(error) if concerns_one_peer(&error) => {}
            Err(error) => {
                // Once for each row of failures: the log must not fill up ten times a second.
                if !failing {
                    tracing::warn!(%error, "cannot accept connections, trying again");
                }
                failing = true;
                tokio::select! {
                    () = &mut stop => return,
                    () = sleep(ACCEPT_BACK_OFF) => {}
                }
            }
        }
    }
}

/// Options that Linux hands on from a listener to what it accepts; set once, they cost nothing for each connection.
fn set_socket_options(listener: &TcpListener, options: &ListenOptions) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(options.send_buffer_bytes)?;
    socket.set_tcp_user_timeout(Some(options.user_timeout))?;
    // For connections on which nothing waits to be sent: there the user timeout starts with the first probe.
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10));
    socket.set_tcp_keepalive(&keepalive)
}

fn http(options: &ListenOptions) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(options.read_buffer_bytes.max(LEAST_READ_BUFFER));
    http
}

/// Whether `accept` reported what befell one connection before it was accepted: the next one may be well.
fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::Interrupted
    )
}

/// What all connections of a loop have in common.
struct Acceptor {
    http: http1::Builder,
    router: Router,
    /// Cancelled when connections shall close after the response that they are at.
    closing: CancellationToken,
    options: ListenOptions,
}

impl Acceptor {
    /// Serves one connection in a task of its own, or drops it where there are too many.
    fn start(&self, stream: TcpStream, peer: SocketAddr) {
        let connections = &self.options.connections;
        let Some((stream, handle)) = connections.admit(stream, peer.ip(), &self.options) else {
            tracing::debug!(%peer, "too many connections");
            return;
        };
        let handle = Arc::new(handle);
        let service = PerConnection {
            router: self.router.clone(),
            connection: ConnectionRef(handle.clone()),
            peer,
            trusted_proxies: self.options.trusted_proxies.clone(),
        };
        let (http, closing) = (self.http.clone(), self.closing.clone());
        let Some(tls) = &self.options.tls else {
            connections.spawn(serve(http, handle.counting(stream), service, closing));
            return;
        };
        let (tls, patience) = (tls.acceptor(), self.options.tls_handshake_timeout);
        connections.spawn(async move {
            let shaking = timeout(patience, tls.accept(stream));
            match closing.run_until_cancelled(shaking).await {
                Some(Ok(Ok(stream))) => serve(http, handle.counting(stream), service, closing.clone()).await,
                Some(Ok(Err(error))) => tracing::debug!(%error, "no TLS"),
                Some(Err(_elapsed)) => tracing::debug!("no TLS in time"),
                None => {}
            }
        });
    }
}

/// Drives a connection until it is closed or was upgraded.
async fn serve<S>(
    http: http1::Builder,
    stream: Counted<S>,
    service: PerConnection,
    closing: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let serving = http
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(serving);
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = closing.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        // What peers do wrong, all day long.
        tracing::debug!(%error, "connection ended");
    }
}

/// The router, with what it shall know of the connection.
struct PerConnection {
    router: Router,
    connection: ConnectionRef,
    peer: SocketAddr,
    trusted_proxies: TrustedProxies,
}

impl Service<Request<Incoming>> for PerConnection {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        let forwarded = request.headers().get_all("x-forwarded-for").iter();
        let chain = forwarded.map(HeaderValue::as_bytes);
        let client = self.trusted_proxies.client(self.peer.ip(), chain);
        let extensions = request.extensions_mut();
        extensions.insert(client);
        extensions.insert(ConnectInfo(self.peer));
        extensions.insert(self.connection.clone());
        // A router is always ready.
        self.router.clone().call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_connections_have_the_options_of_the_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = ListenOptions::default();
        set_socket_options(&listener, &options).unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(options.user_timeout));
        // Linux doubles what it is asked for, for its own bookkeeping: socket(7).
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * options.send_buffer_bytes);
    }
}
