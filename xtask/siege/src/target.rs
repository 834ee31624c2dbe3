//! The server's process, and what it uses.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sealroom_auth::Secret;
use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};
use xtask_load::{cpus::Processors, process::Process, tokens::Tokens};
use xtask_postgres::{Cluster, ClusterOptions};

use crate::Store;

/// A running server.
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    metrics: SocketAddr,
    tokens: Tokens,
    admin: String,
    child: Child,
    directory: TempDir,
    /// Behind the process: it goes when nobody uses it any more.
    _cluster: Option<Cluster>,
}

/// What the server has of everything.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory without the pages of files.
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
    pub(crate) tasks: u64,
    pub(crate) connections: u64,
    pub(crate) sockets: u64,
    pub(crate) subscriptions: u64,
    pub(crate) feeds: u64,
}

impl Target {
    /// Starts the server with its defaults and these settings.
    pub(crate) async fn start(
        program: &Path,
        store: Store,
        settings: &[(&str, &str)],
        processors: &Processors,
    ) -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        let secret = Secret::generate().context("no randomness")?;
        let cluster = match store {
            Store::Sqlite => None,
            Store::Postgres => Some(processors.for_all(|| Cluster::start(&ClusterOptions::default()))??),
        };
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEALROOM_") {
                command.env_remove(name);
            }
        }
        // A port that is free now will be in a moment.
        let metrics = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        if let Some(cluster) = &cluster {
            command.env("SEALROOM_DATABASE_URL", cluster.url());
        }
        command
            .arg("serve")
            .env("SEALROOM_DATA_DIR", directory.path().join("data"))
            .env("SEALROOM_JWT_SECRET", secret.as_text())
            .env("SEALROOM_LISTEN", "127.0.0.1:0")
            .env("SEALROOM_METRICS_LISTEN", metrics.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(directory.path().join("log"))?)
            .kill_on_drop(true);
        let mut child = processors
            .for_server(|| command.spawn())?
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = child.stdout.take().context("a pipe was asked for")?;
        let mut line = String::new();
        timeout(
            Duration::from_secs(30),
            BufReader::new(stdout).read_line(&mut line),
        )
        .await??;
        let addr = line.trim().strip_prefix("listening on http://");
        let addr = addr
            .with_context(|| format!("the server does not listen: {line}"))?
            .parse()?;
        let tokens = Tokens::with_secret(secret.as_text())?;
        Ok(Self {
            addr,
            metrics,
            admin: tokens.of_admin()?,
            tokens,
            child,
            directory,
            _cluster: cluster,
        })
    }

    pub(crate) fn token(&self, user_id: u64) -> anyhow::Result<String> {
        self.tokens.of(user_id)
    }

    pub(crate) fn token_for(&self, user_id: u64, lifetime: Duration) -> anyhow::Result<String> {
        self.tokens.lasting(user_id, lifetime)
    }

    /// A group with these members.
    pub(crate) async fn group(
        &self,
        group_id: u64,
        members: impl IntoIterator<Item = u64>,
    ) -> anyhow::Result<()> {
        let name = json!({"name": format!("Group {group_id}")});
        self.admin("PUT", &format!("/groups/{group_id}"), Some(name))
            .await?;
        for user_id in members {
            self.add(group_id, user_id).await?;
        }
        Ok(())
    }

    pub(crate) async fn add(&self, group_id: u64, user_id: u64) -> anyhow::Result<()> {
        let path = format!("/groups/{group_id}/members/{user_id}");
        self.admin("PUT", &path, Some(json!({"role": "member"}))).await
    }

    pub(crate) async fn remove(&self, group_id: u64, user_id: u64) -> anyhow::Result<()> {
        self.admin("DELETE", &format!("/groups/{group_id}/members/{user_id}"), None)
            .await
    }

    /// Uses every connection of the store once: each opens its files when it first reads.
    pub(crate) async fn warm(&self, group_id: u64) -> anyhow::Result<()> {
        let path = format!("/groups/{group_id}/entries");
        for _ in 0..5 {
            let reads = (0..50).map(|_| self.admin("GET", &path, None));
            futures_util::future::try_join_all(reads).await?;
        }
        Ok(())
    }

    async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<()> {
        let path = format!("/api/v1{path}");
        let answer = http::request(self.addr, method, &path, Some(&self.admin), body).await?;
        ensure!(
            answer.status < 300,
            "{method} {path}: {} {}",
            answer.status,
            answer.text()
        );
        Ok(())
    }

    /// Resident memory without the pages of files, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let pid = self.child.id().context("the server has ended")?;
        Ok(Process::new(pid).usage()?.memory)
    }

    pub(crate) async fn usage(&self) -> anyhow::Result<Usage> {
        let page = http::request(self.metrics, "GET", "/metrics", None, None)
            .await?
            .text();
        let level = |name: &str| -> anyhow::Result<u64> {
            let mut sum = 0.0;
            for line in page.lines().filter(|line| !line.starts_with('#')) {
                if line.split(['{', ' ']).next() == Some(name) {
                    let value = line.rsplit(' ').next().context("no value")?;
                    sum += value.parse::<f64>()?;
                }
            }
            Ok(format!("{sum:.0}").parse()?)
        };
        Ok(Usage {
            memory: self.memory()?,
            descriptors: level("process_open_fds")?,
            tasks: level("sealroom_tasks")?,
            connections: level("sealroom_connections")?,
            sockets: level("sealroom_sockets")?,
            subscriptions: level("sealroom_subscriptions")?,
            feeds: level("sealroom_feeds")?,
        })
    }

    /// Waits until the server has as few of everything as before, memory aside; gives what it has then.
    pub(crate) async fn back_to(&self, before: Usage, within: Duration) -> anyhow::Result<(bool, Usage)> {
        let deadline = Instant::now() + within;
        loop {
            let now = self.usage().await?;
            let is_back = now.descriptors <= before.descriptors + 2
                && now.tasks <= before.tasks + 4
                && now.connections <= before.connections
                && now.sockets <= before.sockets
                && now.subscriptions <= before.subscriptions
                && now.feeds <= before.feeds;
            if is_back || Instant::now() > deadline {
                if !is_back {
                    println!("before: {before:?}\nnow:    {now:?}");
                }
                return Ok((is_back, now));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    pub(crate) fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Drains it, and gives its log.
    pub(crate) async fn end(&mut self) -> anyhow::Result<String> {
        let log = || fs::read_to_string(self.directory.path().join("log"));
        let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) else {
            return Ok(log()?);
        };
        kill_process(Pid::from_raw(pid).context("no process id")?, Signal::TERM)?;
        let status = timeout(Duration::from_secs(20), self.child.wait()).await??;
        if !status.success() {
            bail!("the server ended with {status}; its log:\n{}", log()?);
        }
        Ok(log()?)
    }
}

pub(crate) async fn join(client: &Client, group_id: u64) -> anyhow::Result<()> {
    let ack = client
        .emit_with_ack("join_group", json!({"group_id": group_id}))
        .await?;
    ensure!(ack.get("success") == Some(&json!(true)), "join: {ack}");
    Ok(())
}
