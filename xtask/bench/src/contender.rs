//! Who is measured: Sealroom, and what others would take in its place.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use serde::{Serialize, Serializer};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};
use xtask_load::{cpus::Processors, process::Process, site::Site, tokens::Tokens};
use xtask_postgres::{Cluster, ClusterOptions};

/// Any that a server accepts: each is there for one cell of the table.
const SECRET: &str = "b61eacbae0015166500d45baf6db81cb2d83e15ae81ccaead29fc6f2be6f4540";
/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server stores in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Store {
    /// SQLite that syncs each commit.
    Full,
    /// SQLite that may lose the last commits with the power.
    Normal,
    Postgres,
}

/// A server that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    Sealroom(Store),
    /// The official server for Node.
    Node(Store),
    /// python-socketio with `FastAPI` and `SQLAlchemy`.
    Guide(Store),
    /// socketioxide without a store.
    Bare,
    /// A WebSocket broadcast.
    Raw,
}

/// Where the programs are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Programs {
    /// The folder of the programs that are built with all optimisations.
    #[arg(long)]
    built: PathBuf,
    /// The folder of the peers, with the packages of Node's installed.
    #[arg(long)]
    peers: PathBuf,
    /// The Python that has the packages of its peer.
    #[arg(long)]
    python: PathBuf,
}

/// A server that runs; it goes, with its data, when this is dropped.
pub(crate) struct Running {
    contender: Contender,
    child: Child,
    directory: TempDir,
    /// Behind the process: its PostgreSQL goes when it has gone.
    cluster: Option<Cluster>,
}

impl Contender {
    /// Whether groups and members have to be made before they are used.
    pub(crate) fn has_groups(self) -> bool {
        self != Self::Raw
    }

    /// Whether it is Sealroom.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Sealroom(_))
    }

    /// Whether a quick run goes without it: no goal looks at it.
    pub(crate) fn is_left_out(self) -> bool {
        matches!(self, Self::Guide(_) | Self::Node(Store::Normal))
    }

    fn store(self) -> Option<Store> {
        match self {
            Self::Sealroom(store) | Self::Node(store) | Self::Guide(store) => Some(store),
            Self::Bare | Self::Raw => None,
        }
    }

    fn command(self, programs: &Programs) -> Command {
        let built = |name: &str| Command::new(programs.built.join(name));
        match self {
            Self::Sealroom(_) => {
                let mut command = built("sealroom-server");
                command.arg("serve");
                command
            }
            Self::Node(_) => {
                let mut command = Command::new("node");
                command.arg(programs.peers.join("node/server.mjs"));
                command
            }
            Self::Guide(_) => {
                let mut command = Command::new(&programs.python);
                command.arg(programs.peers.join("guide/server.py"));
                command
            }
            Self::Bare => built("peer-bare"),
            Self::Raw => built("peer-raw"),
        }
    }
}

impl Running {
    /// Starts a server without any data.
    pub(crate) async fn start(
        contender: Contender,
        programs: &Programs,
        processors: &Processors,
    ) -> anyhow::Result<(Self, Site)> {
        let directory = TempDir::new()?;
        let cluster = match contender.store() {
            Some(Store::Postgres) => Some(processors.for_all(|| Cluster::start(&postgres()))??),
            _ => None,
        };
        let (child, site) = launch(
            contender,
            programs,
            processors,
            directory.path(),
            cluster.as_ref(),
        )
        .await?;
        let running = Self {
            contender,
            child,
            directory,
            cluster,
        };
        Ok((running, site))
    }

    /// Kills it, and starts it on the same data.
    pub(crate) async fn restart(
        &mut self,
        programs: &Programs,
        processors: &Processors,
    ) -> anyhow::Result<Site> {
        self.child.kill().await?;
        let (child, site) = launch(
            self.contender,
            programs,
            processors,
            self.directory.path(),
            self.cluster.as_ref(),
        )
        .await?;
        self.child = child;
        Ok(site)
    }
}

/// As somebody would run it who means it: what is committed is synced, and there is memory for it.
fn postgres() -> ClusterOptions {
    ClusterOptions {
        durable: true,
        settings: vec![("shared_buffers".to_owned(), "1GB".to_owned())],
        ..ClusterOptions::default()
    }
}

async fn launch(
    contender: Contender,
    programs: &Programs,
    processors: &Processors,
    directory: &Path,
    cluster: Option<&Cluster>,
) -> anyhow::Result<(Child, Site)> {
    let mut command = contender.command(programs);
    let url = cluster.map(Cluster::url);
    let file = |synchronous: &str| {
        format!(
            "sqlite:{}?synchronous={synchronous}",
            directory.join("peer.db").display()
        )
    };
    let database = match (&url, contender.store()) {
        (Some(url), _) => url.clone(),
        (None, Some(Store::Normal)) => file("NORMAL"),
        _ => file("FULL"),
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SEALROOM_") {
            command.env_remove(name);
        }
    }
    if let Some(url) = &url {
        command.env("SEALROOM_DATABASE_URL", url);
    }
    command
        .env("PEER_SECRET", SECRET)
        .env("PEER_DATABASE", database)
        .env("SEALROOM_JWT_SECRET", SECRET)
        .env("SEALROOM_DATA_DIR", directory.join("data"))
        .env("SEALROOM_LISTEN", "127.0.0.1:0")
        .env("SEALROOM_METRICS_LISTEN", "127.0.0.1:0")
        // What is not measured: a peer has no limits.
        .env("SEALROOM_LIMIT_SENDS_PER_USER", "off")
        .env("SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS", "off")
        .env("SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(directory.join("log"))?)
        .kill_on_drop(true);
    let mut child = processors
        .for_server(|| command.spawn())?
        .with_context(|| format!("cannot start {contender}"))?;
    let stdout = child.stdout.take().context("a pipe was asked for")?;
    let mut line = String::new();
    timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line))
        .await
        .with_context(|| format!("{contender} does not begin to listen"))??;
    let url = line.trim().strip_prefix("listening on ").with_context(|| {
        let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
        format!("{contender} does not listen: {line}{log}")
    })?;
    let process = child.id().map(Process::new);
    let site = Site::new(url, Tokens::with_secret(SECRET)?, process)?;
    Ok((child, site))
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "SQLite",
            Self::Normal => "SQLite NORMAL",
            Self::Postgres => "PostgreSQL",
        })
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealroom(store) => write!(f, "Sealroom, {store}"),
            Self::Node(store) => write!(f, "Node, {store}"),
            Self::Guide(store) => write!(f, "Python, {store}"),
            Self::Bare => f.write_str("socketioxide, no store"),
            Self::Raw => f.write_str("raw broadcast"),
        }
    }
}

impl Serialize for Contender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
