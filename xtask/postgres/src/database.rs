//! An empty database for each test.

use std::{env, thread, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{runtime, time};
use tokio_postgres::{Client, Config, NoTls, error::SqlState};

use crate::{TEST_URL_VARIABLE, cluster::random};

/// How often the database is asked for; what makes it fail passes, such as too many sessions at once.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);
/// How long a removal may take; a server that hangs must not hang the tests.
const DROP_TIMEOUT: Duration = Duration::from_secs(20);
/// The first version that can copy the template through the write-ahead log.
const STRATEGY_SINCE: u32 = 150_000;

/// A new, empty database on the server of the environment variable `SEALROOM_TEST_POSTGRES_URL`.
///
/// It is removed when this is dropped, whoever is still connected to it. That blocks the thread for a moment; where
/// it fails, the database stays.
#[derive(Debug)]
pub struct TestDatabase {
    server: Config,
    name: String,
    url: String,
}

impl TestDatabase {
    /// Makes a database with the encoding UTF8 and the collation of the server's `template0`.
    ///
    /// # Panics
    ///
    /// Where the variable is not set or the server does not make the database.
    pub async fn create() -> Self {
        match Self::try_create().await {
            Ok(database) => database,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Where to connect to: the server's URL with this database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new session in this database. Its connection runs on the caller's runtime until the client is dropped.
    ///
    /// # Panics
    ///
    /// Where the server does not accept it.
    pub async fn client(&self) -> Client {
        let mut config = self.server.clone();
        match connect(config.dbname(&self.name)).await {
            Ok(client) => client,
            Err(error) => panic!("cannot connect to {}: {error}", self.name),
        }
    }

    async fn try_create() -> anyhow::Result<Self> {
        let url = env::var_os(TEST_URL_VARIABLE)
            .and_then(|url| url.into_string().ok())
            .filter(|url| !url.is_empty());
        let Some(url) = url else {
            bail!(
                "{TEST_URL_VARIABLE} is not set: run the tests with `cargo xtask test`, or start a server with \
                 `cargo xtask pg`"
            );
        };
        let server: Config = url
            .parse()
            .with_context(|| format!("{TEST_URL_VARIABLE} is not the URL of a PostgreSQL server"))?;
        let name = format!("sealroom_test_{}_{:016x}", std::process::id(), random());
        let mut tries = 1;
        while let Err(error) = create(&server, &name).await {
            if tries == TRIES || !is_passing(&error) {
                return Err(error).context("the server of the tests does not make a database");
            }
            tries += 1;
            time::sleep(PAUSE).await;
        }
        Ok(Self {
            url: with_database(&url, &name),
            server,
            name,
        })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread of its own: the one that drops this may drive a runtime, in which nothing can be waited for.
        let dropping = thread::Builder::new().spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let work = async { connect(&server).await?.batch_execute(&statement).await };
                time::timeout(DROP_TIMEOUT, work).await??;
                anyhow::Ok(())
            })
        });
        if let Ok(thread) = dropping {
            let _ = thread.join();
        }
    }
}

/// `template0` has no sessions, which would be in the way of a copy.
async fn create(server: &Config, name: &str) -> Result<(), tokio_postgres::Error> {
    let client = connect(server).await?;
    let row = client
        .query_one("SELECT current_setting('server_version_num')", &[])
        .await?;
    let version: u32 = row.try_get::<_, String>(0)?.parse().unwrap_or_default();
    let strategy = if version >= STRATEGY_SINCE {
        "STRATEGY wal_log"
    } else {
        ""
    };
    let statement = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {strategy}");
    client.batch_execute(&statement).await
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the client, and with the runtime of the test"
    )]
    tokio::spawn(connection);
    Ok(client)
}

/// Whether the same may succeed a moment later.
fn is_passing(error: &tokio_postgres::Error) -> bool {
    let passing = [
        SqlState::OBJECT_IN_USE,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::CANNOT_CONNECT_NOW,
    ];
    error.code().is_some_and(|code| passing.contains(code))
}

/// The URL with another database; also the other form of it, `host=… dbname=…`, in which the last one wins.
fn with_database(url: &str, name: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return format!("{url} dbname={name}");
    };
    let (rest, parameters) = match rest.split_once('?') {
        Some((rest, parameters)) => (rest, format!("?{parameters}")),
        None => (rest, String::new()),
    };
    let server = rest.split_once('/').map_or(rest, |(server, _)| server);
    format!("{scheme}://{server}/{name}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        for (url, expected) in [
            ("postgres://u:p@h:1/old?a=/b", "postgres://u:p@h:1/new?a=/b"),
            ("postgresql://h", "postgresql://h/new"),
            ("postgres://h?a=b", "postgres://h/new?a=b"),
            ("host=h dbname=old", "host=h dbname=old dbname=new"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
