//! The proxy of a bad network does what it is told.
#![expect(clippy::unwrap_used, reason = "a failed check ends the test")]

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use sealroom_testkit::network::{FaultProxy, Link};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};

const SHORT: Duration = Duration::from_millis(300);

/// A server that echoes, and tells how each of its connections ended.
struct Echo {
    addr: SocketAddr,
    ends: mpsc::UnboundedReceiver<Result<(), ErrorKind>>,
    _tasks: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (tell, ends) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let tell = tell.clone();
                connections.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let end = tokio::io::copy(&mut from, &mut to).await;
                    let _ = to.shutdown().await;
                    tell.send(end.map(drop).map_err(|error| error.kind())).unwrap();
                });
            }
        });
        Self {
            addr,
            ends,
            _tasks: tasks,
        }
    }
}

async fn pair() -> (Echo, FaultProxy, TcpStream) {
    let echo = Echo::start().await;
    let proxy = FaultProxy::start(echo.addr).await.unwrap();
    let stream = TcpStream::connect(proxy.addr()).await.unwrap();
    (echo, proxy, stream)
}

/// Sends bytes, and gives how long it took until they were back.
async fn round(stream: &mut TcpStream, bytes: usize) -> Duration {
    let begin = Instant::now();
    stream.write_all(&vec![7; bytes]).await.unwrap();
    stream.read_exact(&mut vec![0; bytes]).await.unwrap();
    begin.elapsed()
}

#[tokio::test]
async fn by_default_everything_passes_and_so_does_the_end() {
    let (mut echo, _proxy, mut stream) = pair().await;
    round(&mut stream, 1_000_000).await;
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(echo.ends.recv().await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_link_is_slow_in_both_directions() {
    let (_echo, proxy, mut stream) = pair().await;
    proxy.set(Link {
        latency: Duration::from_millis(100),
        bytes_per_second: None,
    });
    let took = round(&mut stream, 10).await;
    assert!((200..400).contains(&took.as_millis()), "{took:?}");
    // Both directions take half a second, of which most is at the same time.
    proxy.set(Link {
        latency: Duration::ZERO,
        bytes_per_second: Some(10_000),
    });
    let took = round(&mut stream, 5_000).await;
    assert!((400..1300).contains(&took.as_millis()), "{took:?}");
    proxy.set(Link::default());
    assert!(round(&mut stream, 5_000).await < SHORT);
}

#[tokio::test]
async fn what_a_black_hole_swallowed_comes_when_it_is_gone() {
    let (_echo, proxy, mut stream) = pair().await;
    round(&mut stream, 10).await;
    proxy.black_hole(true);
    stream.write_all(b"hello").await.unwrap();
    let mut other = TcpStream::connect(proxy.addr()).await.unwrap();
    other.write_all(b"other").await.unwrap();
    for stream in [&mut stream, &mut other] {
        assert!(
            timeout(SHORT, stream.read(&mut [0])).await.is_err(),
            "neither bytes nor an end"
        );
    }
    proxy.black_hole(false);
    for (stream, text) in [(&mut stream, b"hello"), (&mut other, b"other")] {
        let mut read = [0; 5];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, text);
    }
}

#[tokio::test]
async fn a_cut_is_at_its_byte_and_a_reset_on_both_sides() {
    let (mut echo, proxy, mut stream) = pair().await;
    round(&mut stream, 10).await;
    proxy.cut_after(1_234);
    stream.write_all(&[7; 5_000]).await.unwrap();
    let mut read = Vec::new();
    let end = stream.read_to_end(&mut read).await;
    // A reset may overtake what lies before it.
    assert!(end.is_err() && read.len() <= 1_234, "{end:?} {}", read.len());
    assert!(!proxy.will_cut());
    assert!(echo.ends.recv().await.unwrap().is_err());
    // The next one is well.
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    round(&mut stream, 5_000).await;
    proxy.reset_all();
    assert!(stream.read(&mut [0]).await.is_err());
    assert!(echo.ends.recv().await.unwrap().is_err());
}

#[tokio::test]
async fn a_half_open_connection_is_heard_of_by_its_client_alone() {
    let (mut echo, proxy, mut stream) = pair().await;
    round(&mut stream, 10).await;
    proxy.abandon_all();
    // Its end, in whichever way.
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(
        timeout(SHORT, echo.ends.recv()).await.is_err(),
        "the server was told"
    );
    drop(proxy);
    timeout(SHORT, echo.ends.recv()).await.unwrap().unwrap().ok();
}
