//! Connections and frames of those who mean no good.

use std::{
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rustix::thread::gettid;
use tokio::{io::AsyncReadExt as _, task::JoinSet, time::sleep};

use crate::{
    peer::{Peer, frame},
    probe::Probe,
    readers::watch,
    target::Target,
    verdict::{Verdict, mib},
};

const GROUP: u64 = 1;
/// Each of slow and of idle connections; an address may have 500.
const CONNECTIONS: usize = 2_000;
const PER_ADDRESS: usize = 400;
/// They come one after the other in the time in which the server sends them away again: attackers do not march in step.
const SPREAD: Duration = Duration::from_secs(10);

/// Attackers of one run.
#[derive(Default)]
struct Attack {
    is_over: AtomicBool,
    opened: AtomicU64,
}

pub(crate) async fn connections(
    target: &Target,
    duration: Duration,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let probe = Probe::start(target, GROUP, [1, 2]).await?;
    probe.feel(Duration::from_secs(5)).await?;
    let clean = probe.feel(Duration::from_secs(30)).await?;
    target.warm(GROUP).await?;
    let before = target.usage().await?;
    let attack = Arc::new(Attack::default());
    let attackers = thread::spawn({
        let (addr, attack) = (target.addr, attack.clone());
        move || attackers(addr, &attack)
    });
    sleep(SPREAD + Duration::from_secs(2)).await;
    let (times, most) = tokio::join!(probe.feel(duration), watch(target, duration));
    let (times, most) = (times?, most?);
    attack.is_over.store(true, Ordering::Relaxed);
    let ended = tokio::task::spawn_blocking(|| attackers.join()).await?;
    ended.map_err(|_panic| anyhow::anyhow!("the attackers panicked"))??;
    let (is_back, after) = target.back_to(before, Duration::from_secs(30)).await?;
    let again = probe.feel(Duration::from_secs(15)).await?;

    verdict.tell(format!("clean run:     {clean}"));
    verdict.tell(format!("under attack:  {times}"));
    verdict.tell(format!("afterwards:    {again}"));
    verdict.tell(format!(
        "{} connections were opened; memory in MiB: {} before, {} at most, {} after",
        attack.opened.load(Ordering::Relaxed),
        mib(before.memory),
        mib(most),
        mib(after.memory)
    ));
    verdict.at_most(
        "a client's p99 in ms",
        times.percentile(99),
        2.0 * clean.percentile(99),
    );
    verdict.at_most(
        "its p99 afterwards in ms",
        again.percentile(99),
        2.0 * clean.percentile(99),
    );
    verdict.holds("descriptors, tasks, sockets and rooms are back", is_back);
    Ok(())
}

/// All of them, in a thread that runs whenever no other one wants to: they share a processor with the client that is
/// measured, which in real life has its own.
fn attackers(server: SocketAddr, attack: &Arc<Attack>) -> anyhow::Result<()> {
    let thread = gettid().as_raw_nonzero().to_string();
    let idle = Command::new("chrt")
        .args(["--idle", "--pid", "0", &thread])
        .status();
    ensure!(
        idle.context("this needs chrt, of Debian's util-linux")?.success(),
        "the attackers have no class of their own"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for number in 0..2 * CONNECTIONS {
            let from = 10 + u8::try_from(number / PER_ADDRESS)?;
            let attack = attack.clone();
            tasks.spawn(async move {
                sleep(SPREAD * u32::try_from(number)? / u32::try_from(2 * CONNECTIONS)?).await;
                hold_on(server, from, number % 2 == 0, attack).await;
                anyhow::Ok(())
            });
        }
        for number in 0..4 {
            let attack = attack.clone();
            tasks.spawn(async move {
                flood(server, 100 + number, attack).await;
                Ok(())
            });
        }
        while !attack.is_over.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(50)).await;
        }
        tasks.shutdown().await;
        Ok(())
    })
}

/// Sends a header a byte a second, or nothing, and comes back when it is sent away.
async fn hold_on(server: SocketAddr, from: u8, is_slow: bool, attack: Arc<Attack>) {
    while !attack.is_over.load(Ordering::Relaxed) {
        let Ok(mut peer) = Peer::connect(server, from, None).await else {
            sleep(Duration::from_millis(500)).await;
            continue;
        };
        attack.opened.fetch_add(1, Ordering::Relaxed);
        let mut byte = [0];
        if !is_slow {
            while peer.stream.read(&mut byte).await.is_ok_and(|read| read > 0) {}
            continue;
        }
        let header = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
            .iter()
            .cycle();
        for byte in header {
            if !peer.write(&[*byte]).await {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Connects and goes away, as often as it can.
async fn flood(server: SocketAddr, from: u8, attack: Arc<Attack>) {
    while !attack.is_over.load(Ordering::Relaxed) {
        if let Ok(peer) = Peer::connect(server, from, None).await {
            attack.opened.fetch_add(1, Ordering::Relaxed);
            // With a reset: the client's own ports are not used up by waiting ends.
            let _ = peer.stream.set_zero_linger();
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn frames(target: &Target, duration: Duration, verdict: &mut Verdict) -> anyhow::Result<()> {
    let probe = Probe::start(target, GROUP, [1, 2]).await?;
    probe.feel(Duration::from_secs(10)).await?;
    target.warm(GROUP).await?;
    let before = target.usage().await?;
    let attack = Arc::new(Attack::default());
    let mut tasks = JoinSet::new();
    let token = target.token(3)?;
    for kind in [huge, fragments, attachments, early] {
        for number in 0..4_u8 {
            let (addr, token, attack) = (target.addr, token.clone(), attack.clone());
            tasks.spawn(async move {
                while !attack.is_over.load(Ordering::Relaxed) {
                    if let Ok(peer) = Peer::websocket(addr, 10 + number, None).await {
                        attack.opened.fetch_add(1, Ordering::Relaxed);
                        kind(peer, &token, &attack).await;
                    }
                    // It is about frames, not about how many sessions an address may open.
                    sleep(Duration::from_millis(250)).await;
                }
            });
        }
    }
    let (times, most) = tokio::join!(probe.feel(duration), watch(target, duration));
    let (times, most) = (times?, most?);
    attack.is_over.store(true, Ordering::Relaxed);
    tasks.shutdown().await;
    let (is_back, after) = target.back_to(before, Duration::from_secs(30)).await?;
    verdict.tell(format!("a client meanwhile: {times}"));
    verdict.tell(format!(
        "{} WebSockets were opened; memory in MiB: {} before, {} at most, {} after",
        attack.opened.load(Ordering::Relaxed),
        mib(before.memory),
        mib(most),
        mib(after.memory)
    ));
    let grown = most.saturating_sub(before.memory);
    verdict.at_most("memory over the base line in MiB", mib(grown), 64.0);
    verdict.holds("descriptors, tasks, sockets and rooms are back", is_back);
    Ok(())
}

type Playing<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A frame of 64 MiB, as far as the server takes it.
fn huge<'a>(mut peer: Peer, token: &'a str, attack: &'a Attack) -> Playing<'a> {
    Box::pin(async move {
        let _ = peer.say(&format!("40{{\"token\":\"{token}\"}}")).await;
        let length: u64 = 64 * 1024 * 1024;
        let mut head = vec![0x81, 0x80 | 127];
        head.extend(length.to_be_bytes());
        head.extend([0; 4]);
        let chunk = vec![b'4'; 64 * 1024];
        let mut is_taken = peer.write(&head).await;
        for _ in 0..1024 {
            is_taken = is_taken && !attack.is_over.load(Ordering::Relaxed) && peer.write(&chunk).await;
        }
    })
}

/// A million fragments of one byte, and then some of none, which never come to an end.
fn fragments<'a>(mut peer: Peer, token: &'a str, attack: &'a Attack) -> Playing<'a> {
    Box::pin(async move {
        let _ = peer.say(&format!("40{{\"token\":\"{token}\"}}")).await;
        let [one, none] = [frame(0, b"x"), frame(0, b"")].map(|frame| frame.repeat(10_000));
        let mut is_taken = peer.write(&frame(0x01, b"4")).await;
        for number in 0..100 {
            let fragments = if number % 2 == 0 { &one } else { &none };
            is_taken = is_taken && !attack.is_over.load(Ordering::Relaxed) && peer.write(fragments).await;
        }
    })
}

/// Events with attachments that never come, too many, too large, or forged.
fn attachments<'a>(mut peer: Peer, token: &'a str, attack: &'a Attack) -> Playing<'a> {
    Box::pin(async move {
        let _ = peer.say(&format!("40{{\"token\":\"{token}\"}}")).await;
        let large = frame(0x82, &vec![7; 100 * 1024]);
        for number in [1, 16, 17, 1_000_000] {
            let event = format!("45{number}-1[\"send_message\",{{\"_placeholder\":true,\"num\":{number}}}]");
            if attack.is_over.load(Ordering::Relaxed) || peer.say(&event).await.is_err() {
                return;
            }
            for _ in 0..20 {
                if !peer.write(&large).await {
                    return;
                }
            }
        }
    })
}

/// Everything before CONNECT, as large as a frame may be.
fn early<'a>(mut peer: Peer, _token: &'a str, attack: &'a Attack) -> Playing<'a> {
    Box::pin(async move {
        let event = frame(
            0x81,
            format!("421[\"send_message\",\"{}\"]", "x".repeat(100 * 1024)).as_bytes(),
        );
        for _ in 0..1_000 {
            if attack.is_over.load(Ordering::Relaxed) || !peer.write(&event).await {
                return;
            }
        }
    })
}
