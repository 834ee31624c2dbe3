//! The real server as a process of its own, for tests that kill, restart and measure it.
//!
//! Each test file uses a part of this: `#[expect(dead_code, reason = "…")] mod common;`.

use std::{
    ffi::OsString,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use xtask_postgres::TestDatabase;

/// How long a start may take; the first one writes the schema.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The server promises to be gone 15 s after SIGTERM.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// The file in its data directory.
    Sqlite,
    /// A new database of the PostgreSQL server that `SEALROOM_TEST_POSTGRES_URL` names.
    Postgres,
}

/// A server with a data directory and a secret of its own, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct TestServer {
    /// Where it listens; the same after a restart.
    pub(crate) addr: SocketAddr,
    /// Its data directory, removed when the server is dropped.
    pub(crate) data_dir: TempDir,
    /// The secret of its tokens.
    pub(crate) secret: String,
    settings: Vec<(OsString, OsString)>,
    process: Process,
    /// Behind the process: it goes when nobody uses it any more.
    database: Option<TestDatabase>,
}

/// Most tests are faster than any user, and run at once on one machine, where their servers would meet on the default
/// port.
const UNLIMITED: [(&str, &str); 4] = [
    ("SEALROOM_METRICS_LISTEN", "off"),
    ("SEALROOM_LIMIT_SENDS_PER_USER", "off"),
    ("SEALROOM_LIMIT_EVENTS_PER_SOCKET", "off"),
    ("SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS", "off"),
];

impl TestServer {
    /// A new server with the default settings on a free port.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further settings: names and values of environment variables. Rates are not limited, and there are no
    /// metrics, unless they say so.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut all: Vec<(OsString, OsString)> = UNLIMITED
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        all.extend(settings.iter().map(|(name, value)| (name.into(), value.into())));
        Self::start_sharing(random_secret(), all)
    }

    /// Another server with the same settings and secret, and a data directory of its own.
    pub(crate) fn start_another(&self) -> Self {
        Self::start_sharing(self.secret.clone(), self.settings.clone())
    }

    fn start_sharing(secret: String, mut all: Vec<(OsString, OsString)>) -> Self {
        let data_dir = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        // The last ones count.
        all.push(("SEALROOM_DATA_DIR".into(), data_dir.path().into()));
        // A test may do without a secret.
        if !all.iter().any(|(name, _)| name == "SEALROOM_JWT_SECRET") {
            all.push(("SEALROOM_JWT_SECRET".into(), (&secret).into()));
        }
        let (process, addr) = Process::start(&all, "127.0.0.1:0");
        Self {
            addr,
            data_dir,
            secret,
            settings: all,
            process,
            database: None,
        }
    }

    /// The same on a store, which is new and goes with the server.
    pub(crate) async fn start_on(store: Store, settings: &[(&str, &str)]) -> Self {
        let database = match store {
            Store::Sqlite => return Self::start_with(settings),
            Store::Postgres => TestDatabase::create().await,
        };
        let url = ("SEALROOM_DATABASE_URL", database.url());
        let server = Self::start_with(&[&[url], settings].concat());
        Self {
            database: Some(database),
            ..server
        }
    }

    /// Its database, where that is PostgreSQL's.
    pub(crate) fn database(&self) -> Option<&TestDatabase> {
        self.database.as_ref()
    }

    /// `http://ADDR`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Starts it again on the same data directory and address; kills it first if it still runs.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let (process, addr) = Process::start(&self.settings, &self.addr.to_string());
        assert_eq!(addr, self.addr, "the same address after a restart");
        self.process = process;
    }

    /// A variable of its environment, from its next start on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.into(), value.into()));
    }

    /// Ends it as a crash would (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to drain (SIGTERM) and waits until it is gone.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        // The standard library sends no other signal than SIGKILL; every shell has `kill`.
        let kill = format!("kill -TERM {}", self.pid());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "SIGTERM cannot be sent"
        );
        self.wait_ended(DRAIN_TIMEOUT)
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait_ended(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            match self.process.child.try_wait() {
                Ok(Some(status)) => {
                    self.process.read_to_the_end();
                    return status;
                }
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                other => panic!("not gone in {within:?}: {other:?}; its log:\n{}", self.log()),
            }
        }
    }

    /// The process id, as in `/proc/PID`.
    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Waits for what is found in what it has logged since its last start: a line may come later than the answer to
    /// the request that it is about.
    pub(crate) fn wait_logged<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let log = self.log();
            if let Some(found) = find(&log) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what}: not in the log:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it tells its metrics, from its log.
    pub(crate) fn metrics_address(&self) -> SocketAddr {
        self.wait_logged("the address of the metrics", |log| {
            let (_, rest) = log.split_once("metrics at http://")?;
            rest.split_once('/')?.0.parse().ok()
        })
    }

    /// What it has logged since its last start.
    pub(crate) fn log(&self) -> String {
        self.process
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What it has printed on stdout since its last start.
    pub(crate) fn said(&self) -> String {
        self.process
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A token of a user, minted by `sealroom-server token` with this server's settings.
    pub(crate) fn mint(&self, user_id: u64, name: Option<&str>, scope: Option<&str>) -> String {
        let user_id = user_id.to_string();
        let mut args = vec!["token", "--user-id", &user_id];
        for (flag, value) in [("--name", name), ("--scope", scope)] {
            if let Some(value) = value {
                args.extend([flag, value]);
            }
        }
        self.run(&args).trim().to_owned()
    }

    /// What another command of the program says with this server's settings. It must succeed.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = command(&self.settings)
            .args(args)
            .output()
            .unwrap_or_else(|error| panic!("{args:?} does not start: {error}"));
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The program, to be asked for something with this server's settings.
    pub(crate) fn program(&self) -> Command {
        command(&self.settings)
    }

    /// A token for the admin calls. Its user is not one of those that tests write as.
    pub(crate) fn mint_admin(&self) -> String {
        self.mint(1_000_000, Some("Admin"), Some("admin"))
    }
}

/// The running program; killed when dropped, also by a test that panics.
#[derive(Debug)]
struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    /// What it printed.
    said: Arc<Mutex<String>>,
    /// Who reads its two pipes.
    readers: Vec<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts the server and waits until it says where it listens.
    fn start(settings: &[(OsString, OsString)], listen: &str) -> (Self, SocketAddr) {
        let mut child = command(settings)
            .arg("serve")
            .env("SEALROOM_LISTEN", listen)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the server does not start: {error}"));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let log = Arc::new(Mutex::new(String::new()));
        let said = Arc::new(Mutex::new(String::new()));
        let mut process = Self {
            child,
            log: Arc::clone(&log),
            said: Arc::clone(&said),
            readers: Vec::new(),
        };
        // Both pipes are read to their end, or the server would block on a full one.
        process.readers.extend(each_line(stderr, move |line| {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }));
        let (send, lines) = mpsc::channel();
        process.readers.extend(each_line(stdout, move |line| {
            said.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&line);
            // Nobody listens any more after the first line.
            let _ = send.send(line);
        }));
        let line = lines.recv_timeout(START_TIMEOUT);
        let addr = line
            .as_deref()
            .ok()
            .and_then(|line| line.strip_prefix("listening on http"))
            .and_then(|rest| rest.trim_start_matches('s').strip_prefix("://"))
            .and_then(|addr| addr.parse().ok());
        let Some(addr) = addr else {
            process.kill();
            let log = process.log.lock().unwrap_or_else(PoisonError::into_inner);
            panic!("the server does not listen: {line:?}; its log:\n{log}");
        };
        (process, addr)
    }

    fn kill(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.read_to_the_end();
    }

    /// After its end: what it wrote last is in the log, too.
    fn read_to_the_end(&mut self) {
        for reader in self.readers.drain(..) {
            // A reader that panicked has said so itself.
            let _ = reader.join();
        }
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "beside the panic, for whoever reads it")]
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            // What the test did not expect may be explained there.
            let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            for line in tail.iter().rev() {
                eprintln!("server: {line}");
            }
        }
    }
}

/// The server's program with exactly these settings, whatever the environment of the test holds.
fn command(settings: &[(OsString, OsString)]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_sealroom-server")));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SEALROOM_") {
            command.env_remove(name);
        }
    }
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command
}

fn each_line(
    pipe: Option<impl Read + Send + 'static>,
    mut take: impl FnMut(String) + Send + 'static,
) -> Option<thread::JoinHandle<()>> {
    let pipe = pipe?;
    Some(thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            take(line);
        }
    }))
}

fn random_secret() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("no randomness: {error}"));
    bytes.iter().fold(String::new(), |mut secret, byte| {
        let _ = write!(secret, "{byte:02x}");
        secret
    })
}
