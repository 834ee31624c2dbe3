//! A bad network: a TCP proxy that delays, throttles, cuts and swallows.
//!
//! ```no_run
//! # async fn example(server: std::net::SocketAddr) -> std::io::Result<()> {
//! use std::time::Duration;
//!
//! use sealroom_testkit::network::{FaultProxy, Link};
//!
//! let proxy = FaultProxy::start(server).await?;
//! // Clients connect to `proxy.addr()`.
//! proxy.set(Link { latency: Duration::from_millis(500), bytes_per_second: Some(1024), ..Link::default() });
//! proxy.black_hole(true);
//! proxy.black_hole(false);
//! proxy.reset_all();
//! # Ok(())
//! # }
//! ```

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// One read at most.
const CHUNK: usize = 4 * 1024;
/// Chunks under way in one direction at most. A slow link takes as much, and then holds its sender back.
const UNDER_WAY: usize = 64;

/// How both directions of every connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// How long each byte is under way at least. None.
    pub latency: Duration,
    /// How many bytes pass a second, in each direction of each connection. `None`: as many as come.
    pub bytes_per_second: Option<u64>,
}

/// What all connections obey.
#[derive(Debug, Clone, Copy, Default)]
struct Orders {
    link: Link,
    /// Nothing passes, and nobody is told.
    is_black_hole: bool,
    /// Every connection that was made before the last of these ends with a reset.
    resets: u64,
    /// Every connection that was made before the last of these loses its client, and its server is not told.
    abandoned: u64,
}

/// Bytes towards clients until the connection that carries the last of them is cut.
type Fuse = Mutex<Option<u64>>;

/// A TCP proxy in front of a server. Everything ends when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    orders: watch::Sender<Orders>,
    fuse: Arc<Fuse>,
    _tasks: JoinSet<()>,
}

impl FaultProxy {
    /// Listens on a free port of the loopback interface, in front of this server. At first everything passes.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let orders = watch::Sender::new(Orders::default());
        let fuse = Arc::new(Fuse::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, server, orders.subscribe(), fuse.clone()));
        Ok(Self {
            addr,
            orders,
            fuse,
            _tasks: tasks,
        })
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Makes every connection, those that are open too, like this.
    pub fn set(&self, link: Link) {
        self.orders.send_modify(|orders| orders.link = link);
    }

    /// With `true`, nothing passes any more in either direction, nothing is closed, and whoever connects hears nothing.
    /// With `false` all that was held back goes on.
    pub fn black_hole(&self, is_black_hole: bool) {
        self.orders
            .send_modify(|orders| orders.is_black_hole = is_black_hole);
    }

    /// Ends every open connection with a reset on both sides.
    pub fn reset_all(&self) {
        self.orders.send_modify(|orders| orders.resets += 1);
    }

    /// Makes every open connection half-open: its client is gone, and its server hears neither an end nor anything else.
    pub fn abandon_all(&self) {
        self.orders.send_modify(|orders| orders.abandoned += 1);
    }

    /// After so many bytes more towards clients, of all connections together, the connection that carried the last of
    /// them is reset: in the middle of a frame, where that is where they end.
    pub fn cut_after(&self, bytes: u64) {
        *self.fuse.lock() = Some(bytes);
    }

    /// Whether the cut that was ordered is yet to come.
    pub fn will_cut(&self) -> bool {
        self.fuse.lock().is_some()
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, orders: watch::Receiver<Orders>, fuse: Arc<Fuse>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(relay(client, server, orders.clone(), fuse.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// How a connection ended.
enum End {
    /// Both sides ended it.
    ByItself,
    /// Both sides are told by a reset.
    Reset,
    /// The client is gone, and the server is not told.
    Abandoned,
}

/// A way that was cut or broke.
struct Broken;

/// Carries one connection to its end.
async fn relay(
    mut client: TcpStream,
    server: SocketAddr,
    mut orders: watch::Receiver<Orders>,
    fuse: Arc<Fuse>,
) {
    let begun = *orders.borrow();
    if orders.wait_for(|orders| !orders.is_black_hole).await.is_err() {
        return;
    }
    // Where there is no server, the client finds the end.
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    for stream in [&client, &server] {
        // It is about what passes, not about how fast.
        let _ = stream.set_nodelay(true);
    }
    match carry_both(&mut client, &mut server, &orders, &fuse, begun).await {
        End::ByItself => {}
        End::Reset => {
            for stream in [&client, &server] {
                let _ = stream.set_zero_linger();
            }
        }
        End::Abandoned => {
            drop(client);
            // Held, and not read, until the proxy goes.
            std::future::pending::<()>().await;
        }
    }
}

async fn carry_both(
    client: &mut TcpStream,
    server: &mut TcpStream,
    orders: &watch::Receiver<Orders>,
    fuse: &Fuse,
    begun: Orders,
) -> End {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let both = async {
        tokio::try_join!(
            carry(from_client, to_server, orders.clone(), None),
            carry(from_server, to_client, orders.clone(), Some(fuse)),
        )
    };
    let mut told = orders.clone();
    let told = told.wait_for(|orders| orders.resets > begun.resets || orders.abandoned > begun.abandoned);
    tokio::select! {
        ended = both => if ended.is_ok() { End::ByItself } else { End::Reset },
        told = told => match told {
            Ok(orders) if orders.resets == begun.resets => End::Abandoned,
            _ => End::Reset,
        },
    }
}

/// Carries one way until its sender ends it, which is passed on.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut orders: watch::Receiver<Orders>,
    fuse: Option<&Fuse>,
) -> Result<(), Broken> {
    let (queue, mut under_way) = mpsc::channel(UNDER_WAY);
    let taking = async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            match from.read_buf(&mut chunk).await {
                Ok(0) => return Ok(()),
                Ok(_) => queue
                    .send((Instant::now(), chunk))
                    .await
                    .map_err(|_gone| Broken)?,
                Err(_) => return Err(Broken),
            }
        }
    };
    let giving = async move {
        while let Some((taken, chunk)) = under_way.recv().await {
            let passes = orders.wait_for(|orders| !orders.is_black_hole).await;
            let link = passes.map_err(|_gone| Broken)?.link;
            sleep_until(taken + link.latency).await;
            give(&mut to, &chunk, link.bytes_per_second, fuse).await?;
        }
        to.shutdown().await.map_err(|_gone| Broken)
    };
    tokio::try_join!(taking, giving).map(drop)
}

async fn give(
    to: &mut WriteHalf<'_>,
    chunk: &[u8],
    bytes_per_second: Option<u64>,
    fuse: Option<&Fuse>,
) -> Result<(), Broken> {
    // Twenty times a second, so that a slow link is slow and not one that stops.
    let piece = bytes_per_second.map_or(chunk.len(), |rate| usize::try_from(rate / 20).unwrap_or(CHUNK));
    for piece in chunk.chunks(piece.max(1)) {
        let passing = fuse.map_or(piece.len(), |fuse| burn(fuse, piece.len()));
        to.write_all(&piece[..passing]).await.map_err(|_gone| Broken)?;
        if passing < piece.len() {
            return Err(Broken);
        }
        if let Some(rate) = bytes_per_second {
            let bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            sleep(Duration::from_secs(1) * bytes / u32::try_from(rate.max(1)).unwrap_or(u32::MAX)).await;
        }
    }
    Ok(())
}

/// How many of so many bytes may still pass; a fuse that is burnt through is gone.
fn burn(fuse: &Fuse, bytes: usize) -> usize {
    let mut fuse = fuse.lock();
    let Some(left) = *fuse else { return bytes };
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    *fuse = left.checked_sub(bytes);
    usize::try_from(left.min(bytes)).unwrap_or(usize::MAX)
}
