//! The server's process.

use std::{
    fs::{File, OpenOptions},
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// How long a start may take.
const START: Duration = Duration::from_secs(30);
/// The server promises to be gone 15 s after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);

/// How to start the server.
#[derive(Debug, Clone)]
pub(crate) struct ServerOptions {
    pub(crate) binary: PathBuf,
    pub(crate) data_dir: PathBuf,
    /// Where it logs to.
    pub(crate) log: PathBuf,
    pub(crate) secret: String,
    /// Without one it is SQLite in the data directory.
    pub(crate) database_url: Option<String>,
}

/// A server that runs, or has ended. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    options: ServerOptions,
    /// The same after each restart.
    pub(crate) addr: SocketAddr,
    child: Child,
}

impl Server {
    /// The first start, on a free port.
    pub(crate) async fn start(options: ServerOptions) -> anyhow::Result<Self> {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let (child, addr) = spawn(&options, free).await?;
        Ok(Self { options, addr, child })
    }

    /// Starts it again on the same address; tells how long that took.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let (child, _) = spawn(&self.options, self.addr).await?;
        self.child = child;
        Ok(started.elapsed())
    }

    /// Waits until it ends; may be dropped while it waits.
    pub(crate) async fn exit(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.context("the server cannot be waited for")
    }

    /// Ends it as a crash would. Where it had ended before by itself, tells how.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Some(status));
        }
        self.child.kill().await.context("the server cannot be killed")?;
        Ok(None)
    }

    /// Asks it to drain, and waits until it is gone.
    pub(crate) async fn drain(&mut self) -> anyhow::Result<ExitStatus> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid
            .and_then(Pid::from_raw)
            .context("the server has ended already")?;
        kill_process(pid, Signal::TERM).context("SIGTERM cannot be sent")?;
        match timeout(DRAIN, self.child.wait()).await {
            Ok(status) => status.context("the server cannot be waited for"),
            Err(_elapsed) => {
                self.child.kill().await?;
                bail!("not gone {DRAIN:?} after SIGTERM");
            }
        }
    }
}

async fn spawn(options: &ServerOptions, listen: SocketAddr) -> anyhow::Result<(Child, SocketAddr)> {
    let mut command = Command::new(&options.binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SEALROOM_") {
            command.env_remove(name);
        }
    }
    if let Some(url) = &options.database_url {
        command.env("SEALROOM_DATABASE_URL", url);
    }
    let mut child = command
        .arg("serve")
        .env("SEALROOM_DATA_DIR", &options.data_dir)
        .env("SEALROOM_JWT_SECRET", &options.secret)
        .env("SEALROOM_LISTEN", listen.to_string())
        .env("SEALROOM_METRICS_LISTEN", "off")
        .env("SEALROOM_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log(options)?)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", options.binary.display()))?;
    let stdout = child.stdout.take().context("a pipe was asked for")?;
    let mut line = String::new();
    let read = timeout(START, BufReader::new(stdout).read_line(&mut line)).await;
    if read.is_err() {
        bail!("the server says nothing for {START:?}");
    }
    let addr = line.trim().strip_prefix("listening on http://");
    if let Some(addr) = addr.and_then(|addr| addr.parse().ok()) {
        return Ok((child, addr));
    }
    child.kill().await?;
    bail!("the server does not start; its log tells why");
}

/// One file for all starts.
fn log(options: &ServerOptions) -> anyhow::Result<File> {
    let mut open = OpenOptions::new();
    open.create(true).append(true);
    let path = &options.log;
    open.open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}
