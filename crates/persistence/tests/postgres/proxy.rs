//! A TCP proxy between a store and its server that counts flights and cuts connections.
//!
//! It gathers what one side sends until that side falls silent, and only then passes it on: what goes together is one
//! flight, and a sender that waits for an answer in between makes two.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    time::{sleep, timeout},
};
use tokio_postgres::{Config, config::Host};
use tokio_util::task::TaskTracker;

/// After as long without a byte a flight is complete.
const SILENCE: Duration = Duration::from_millis(15);
/// A flight that comes late comes as much later.
const LATE: Duration = Duration::from_secs(2);
/// After as long without a byte the server has nothing more to answer.
const ANSWERED: Duration = Duration::from_millis(400);

/// Where a connection is cut. Flights from the store to the server are counted from 1, since they were counted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never gets this flight.
    Before(usize),
    /// The server gets it and answers, and the answer is lost.
    After(usize),
    /// The store knows at once that its connection is gone, and the server gets it a while later.
    Late(usize),
}

#[derive(Debug, Default)]
struct State {
    flights: usize,
    cut: Option<Cut>,
    /// New connections are closed at once.
    unreachable: bool,
    /// After a cut nobody is let through any more.
    unreachable_after_cut: bool,
}

/// A proxy in front of the server of a database.
#[derive(Debug)]
pub(crate) struct Proxy {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Listens, in front of the server that the URL names.
    pub(crate) async fn start(url: &str) -> Self {
        let config: Config = url.parse().unwrap();
        let Some(Host::Tcp(host)) = config.get_hosts().first() else {
            panic!("no TCP server in the URL");
        };
        let server = (host.clone(), config.get_ports().first().copied().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = behind(&config, listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if lock(&shared).unreachable {
                    continue;
                }
                let server = TcpStream::connect(&server).await.unwrap();
                connections.spawn(relay(client, server, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    /// The URL of the same database through the proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Counts the flights of all connections from 0 again.
    pub(crate) fn count_anew(&self) {
        lock(&self.state).flights = 0;
    }

    /// The flights of all connections from the store to the server.
    pub(crate) fn flights(&self) -> usize {
        lock(&self.state).flights
    }

    /// Cuts the connection at its next such flight, once.
    pub(crate) fn cut(&self, cut: Cut) {
        let mut state = lock(&self.state);
        state.flights = 0;
        state.cut = Some(cut);
    }

    /// As [`Proxy::cut`], and nobody is let through after it.
    pub(crate) fn cut_for_good(&self, cut: Cut) {
        lock(&self.state).unreachable_after_cut = true;
        self.cut(cut);
    }

    /// Lets everybody through again.
    pub(crate) fn mend(&self) {
        *lock(&self.state) = State::default();
    }

    /// Whether the cut was made.
    pub(crate) fn has_cut(&self) -> bool {
        lock(&self.state).cut.is_none()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

fn behind(config: &Config, proxy: SocketAddr) -> String {
    let user = config.get_user().unwrap_or("postgres");
    let password = config
        .get_password()
        .map(|password| format!(":{}", String::from_utf8_lossy(password)))
        .unwrap_or_default();
    let database = config.get_dbname().unwrap();
    format!("postgres://{user}{password}@{proxy}/{database}")
}

/// Which side spoke last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Store,
    Server,
}

async fn relay(client: TcpStream, server: TcpStream, state: Arc<Mutex<State>>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (mut from_store, mut to_store) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut last = Side::Server;
    loop {
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        let side = tokio::select! {
            Ok(read) = from_store.read_buf(&mut asked) => if read > 0 { Side::Store } else { return },
            Ok(read) = from_server.read_buf(&mut answered) => if read > 0 { Side::Server } else { return },
            else => return,
        };
        if side == Side::Server {
            gather(&mut from_server, &mut answered, SILENCE).await;
            if to_store.write_all(&answered).await.is_err() {
                return;
            }
            last = Side::Server;
            continue;
        }
        gather(&mut from_store, &mut asked, SILENCE).await;
        match count(&state, last == Side::Server) {
            Some(Cut::Before(_)) => return,
            Some(Cut::Late(_)) => {
                drop((from_store, to_store));
                sleep(LATE).await;
                if to_server.write_all(&asked).await.is_ok() {
                    gather(&mut from_server, &mut answered, ANSWERED).await;
                }
                return;
            }
            Some(Cut::After(_)) => {
                if to_server.write_all(&asked).await.is_ok() {
                    // The store knows that its connection is gone while the server still works.
                    drop((from_store, to_store));
                    gather(&mut from_server, &mut answered, ANSWERED).await;
                }
                return;
            }
            None if to_server.write_all(&asked).await.is_err() => return,
            None => last = Side::Store,
        }
    }
}

/// Counts a flight, and tells whether the connection is cut at it.
fn count(state: &Mutex<State>, is_new: bool) -> Option<Cut> {
    let mut state = lock(state);
    if is_new {
        state.flights += 1;
    }
    let (Cut::Before(at) | Cut::After(at) | Cut::Late(at)) = state.cut?;
    if at != state.flights {
        return None;
    }
    state.unreachable = state.unreachable_after_cut;
    state.cut.take()
}

/// Reads on until nothing comes for a while.
async fn gather(from: &mut OwnedReadHalf, bytes: &mut Vec<u8>, silence: Duration) {
    while let Ok(Ok(read)) = timeout(silence, from.read_buf(bytes)).await {
        if read == 0 {
            return;
        }
    }
}
