//! A PostgreSQL server in a temporary directory.

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{account::Account, binaries::Binaries, guard::Guard, need_binaries, process, signals};

/// How long a start may take, the recovery after a crash included.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a server may take to stop; it kills its own processes after 5 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// Ports that no system gives to outgoing connections: while the server is stopped, nobody takes its port.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
/// How many ports are tried where another program takes them first.
const PORT_TRIES: usize = 10;
/// How many rounds it takes at most to pause processes that are just being started.
const PAUSE_ROUNDS: usize = 5;

/// What kind of server it is to be.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Whether what was committed survives a crash of the machine. Without, tests are several times faster; a
    /// crash of the server alone loses nothing in either case.
    pub durable: bool,
    /// How many sessions it takes.
    pub max_connections: u32,
    /// Further settings of `postgresql.conf`, names and values; they win over those of this package.
    pub settings: Vec<(String, String)>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            durable: false,
            max_connections: 300,
            settings: Vec::new(),
        }
    }
}

impl ClusterOptions {
    /// All settings that differ from PostgreSQL's own; of two with one name the last wins.
    fn settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", String::new()),
            ("max_connections", self.max_connections.to_string()),
            ("min_wal_size", "32MB".to_owned()),
            ("max_wal_size", "512MB".to_owned()),
        ];
        if !self.durable {
            settings.push(("fsync", "off".to_owned()));
            settings.push(("full_page_writes", "off".to_owned()));
        }
        settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(self.settings.iter().cloned())
            .collect()
    }
}

/// A running PostgreSQL server with a directory of its own, on 127.0.0.1, where everybody is let in without a
/// password.
///
/// It is stopped and its directory removed when this is dropped, and also when the process ends in any other way.
#[derive(Debug)]
pub struct Cluster {
    binaries: Binaries,
    account: Account,
    settings: Vec<(String, String)>,
    directory: PathBuf,
    port: u16,
    /// `None` while it is stopped.
    server: Option<Child>,
    // Dropped last: it removes the directory.
    _guard: Guard,
}

impl Cluster {
    /// Makes a new cluster, starts it on a free port and waits until it accepts connections; where PostgreSQL is
    /// missing, [`need_binaries`] installs it. As root it runs under another account.
    ///
    /// An error says what the server or `initdb` said.
    pub fn start(options: &ClusterOptions) -> anyhow::Result<Self> {
        let binaries = need_binaries()?;
        let account = Account::choose()?;
        let directory = new_directory()?;
        let guard = Guard::start(&directory)?;
        account.own(&directory)?;
        let mut cluster = Self {
            binaries,
            account,
            settings: options.settings(),
            directory,
            port: 0,
            server: None,
            _guard: guard,
        };
        cluster.init()?;
        cluster.start_on_a_free_port()?;
        Ok(cluster)
    }

    /// Where to connect to: `postgres://postgres@127.0.0.1:PORT/postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The port on 127.0.0.1, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the server has logged since the cluster was made.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Stops the server as a crash would, without a checkpoint, and starts it again on the same port.
    pub fn restart_immediate(&mut self) -> anyhow::Result<()> {
        self.stop_immediate()?;
        self.start_again()
    }

    /// Stops the server as a crash would, without a checkpoint, also a paused one. Nothing where it is stopped.
    pub fn stop_immediate(&mut self) -> anyhow::Result<()> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        // Errors here mean that it is gone, which the wait finds out.
        let _ = resume(server.id());
        let _ = signals::send("QUIT", &[server.id()]);
        if wait(server, STOP_TIMEOUT)?.is_none() {
            server.kill().context("cannot kill the server")?;
            server.wait().context("cannot wait for the server")?;
        }
        self.server = None;
        // A crashed server leaves it, with a process id that may soon be another's.
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        Ok(())
    }

    /// Starts a stopped server again on the same port, and waits until it has recovered. Nothing where it runs.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        self.start_server()
    }

    /// Stops all processes of the server where they are, as a machine that hangs: connections stay open and are
    /// not answered.
    pub fn pause(&self) -> anyhow::Result<()> {
        let server = self.id()?;
        // The first one first: after it, no new ones come.
        signals::send("STOP", &[server])?;
        let mut paused = Vec::new();
        for _ in 0..PAUSE_ROUNDS {
            let mut running = signals::children(server)?;
            running.retain(|process| !paused.contains(process));
            if running.is_empty() {
                break;
            }
            // An error means that one of them just ended.
            let _ = signals::send("STOP", &running);
            paused.extend(running);
        }
        Ok(())
    }

    /// Lets a paused server go on. Nothing where it is not paused.
    pub fn resume(&self) -> anyhow::Result<()> {
        resume(self.id()?)
    }

    fn id(&self) -> anyhow::Result<u32> {
        let server = self.server.as_ref().context("the server is stopped")?;
        Ok(server.id())
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// A command of this PostgreSQL, under the server's account.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        // The account may not be allowed to enter the directory of this program.
        self.account.apply(&mut command).current_dir(&self.directory);
        command
    }

    fn init(&self) -> anyhow::Result<()> {
        let mut command = self.command("initdb");
        command.arg("--pgdata").arg(self.data());
        command.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        // What is new has nothing to lose yet; a durable server syncs what it writes.
        process::run_quietly(command.arg("--no-sync"))
    }

    fn start_on_a_free_port(&mut self) -> anyhow::Result<()> {
        let mut tries = 1;
        loop {
            self.port = free_port()?;
            match self.start_server() {
                Err(_) if tries < PORT_TRIES && self.log().contains("could not bind") => {
                    // The next one writes a log of its own.
                    fs::remove_file(self.log_path()).context("cannot remove the log")?;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    fn start_server(&mut self) -> anyhow::Result<()> {
        let log = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.log_path())
            .context("cannot open the server's log")?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        command.arg("-c").arg(format!("port={}", self.port));
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let server = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot open the server's log twice")?)
            .stderr(log)
            // Ctrl-C ends the group of the terminal, and the guard stops the server.
            .process_group(0)
            .spawn()
            .context("cannot start postgres")?;
        let id = server.id();
        self.server = Some(server);
        let result = self.wait_until_ready(id);
        if result.is_err() {
            self.stop_immediate()?;
        }
        result
    }

    fn wait_until_ready(&mut self, id: u32) -> anyhow::Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        while !is_ready(&self.data(), id) {
            let ended = match &mut self.server {
                Some(server) => server.try_wait().context("cannot wait for the server")?,
                None => None,
            };
            if let Some(status) = ended {
                bail!("postgres ended with {status}: {}", self.log().trim());
            }
            if Instant::now() > end {
                bail!(
                    "postgres is not ready after {START_TIMEOUT:?}: {}",
                    self.log().trim()
                );
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Where this fails, the guard does it.
        let _ = self.stop_immediate();
    }
}

/// Whether the server with this process id says that it accepts connections, in the way that `pg_ctl` learns it:
/// its file holds the process id in the first line and the state in the eighth.
fn is_ready(data: &Path, id: u32) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(&id.to_string()) && lines.nth(6) == Some("ready")
}

fn resume(server: u32) -> anyhow::Result<()> {
    // An error means that one of them just ended.
    let _ = signals::send("CONT", &signals::children(server)?);
    signals::send("CONT", &[server])
}

/// Waits for the end of the process; `None` where it does not come in time.
fn wait(process: &mut Child, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        let status = process.try_wait().context("cannot wait for the server")?;
        if status.is_some() || Instant::now() > end {
            return Ok(status);
        }
        thread::sleep(POLL);
    }
}

/// A new directory for temporary files, named after this process.
fn new_directory() -> anyhow::Result<PathBuf> {
    let name = format!("sealroom-postgres-{}-{:016x}", std::process::id(), random());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    directory
        .canonicalize()
        .with_context(|| format!("cannot find {}", directory.display()))
}

fn free_port() -> anyhow::Result<u16> {
    let count = u64::from(PORTS.end - PORTS.start);
    for _ in 0..PORTS.len() {
        let port = PORTS.start + u16::try_from(random() % count)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of 127.0.0.1 in {PORTS:?} is free")
}

/// A number that other processes do not come upon: std's hashers are seeded by the operating system.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
