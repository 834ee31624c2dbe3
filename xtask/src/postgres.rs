//! PostgreSQL for the tests, and for whoever tries something: `cargo xtask pg`.

use std::io;

use anyhow::Context as _;
use xtask_postgres::{Cluster, ClusterOptions, TEST_URL_VARIABLE};

/// The environment variable of the server's setting.
const SERVER_URL_VARIABLE: &str = "SEALROOM_DATABASE_URL";

/// The server in which the tests make their databases.
#[derive(Debug)]
pub(crate) enum TestServer {
    /// The one that the environment names.
    Given(String),
    /// A throw-away one, gone when this is dropped.
    Own(Cluster),
}

impl TestServer {
    /// The server that the environment names, else a new one.
    pub(crate) fn need() -> anyhow::Result<Self> {
        let given = std::env::var_os(TEST_URL_VARIABLE).filter(|url| !url.is_empty());
        let Some(given) = given else {
            let cluster = Cluster::start(&ClusterOptions::default());
            return Ok(Self::Own(cluster.context("no PostgreSQL for the tests")?));
        };
        let url = given.into_string().ok();
        Ok(Self::Given(
            url.with_context(|| format!("{TEST_URL_VARIABLE} is not UTF-8"))?,
        ))
    }

    /// What the tests find in the environment.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Own(cluster) => cluster.url(),
        }
    }
}

/// Starts a server and says how to use it; it is gone with all its data at the end of stdin or of this process.
pub(crate) fn run() -> anyhow::Result<()> {
    let cluster = Cluster::start(&ClusterOptions {
        durable: true,
        ..ClusterOptions::default()
    })?;
    println!("export {TEST_URL_VARIABLE}={}", cluster.url());
    println!("export {SERVER_URL_VARIABLE}={}", cluster.url());
    eprintln!("PostgreSQL runs until Ctrl-C, and all of its data goes with it");
    // Ctrl-C and SIGTERM end this process at once, and the cluster's guard sees to the rest.
    io::copy(&mut io::stdin(), &mut io::sink()).context("cannot read stdin")?;
    Ok(())
}
