//! A server of its own: what it promises about its start, its stops and its end.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};
use xtask_postgres::{Cluster, ClusterOptions};

/// Long enough for any answer of a server that runs.
const ANSWER: Duration = Duration::from_secs(20);

async fn connect(cluster: &Cluster) -> Client {
    let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(connection);
    client
}

async fn ask(client: &Client, question: &str) -> String {
    let row = timeout(ANSWER, client.query_one(question, &[])).await;
    row.unwrap().unwrap().get(0)
}

/// Where the server keeps its files.
async fn directory(client: &Client) -> PathBuf {
    PathBuf::from(ask(client, "SHOW data_directory").await)
}

#[tokio::test]
async fn it_starts_with_its_settings_and_leaves_nothing() {
    let cluster = Cluster::start(&ClusterOptions {
        max_connections: 20,
        settings: vec![("work_mem".to_owned(), "5MB".to_owned())],
        ..ClusterOptions::default()
    })
    .unwrap();
    let client = connect(&cluster).await;
    for (setting, value) in [
        ("fsync", "off"),
        ("synchronous_commit", "on"),
        ("max_connections", "20"),
        ("work_mem", "5MB"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
        ("listen_addresses", "127.0.0.1"),
    ] {
        let question = format!("SELECT current_setting('{setting}')");
        assert_eq!(ask(&client, &question).await, value, "{setting}");
    }
    assert!(cluster.log().contains("ready to accept connections"));

    let directory = directory(&client).await;
    assert!(directory.exists());
    let port = cluster.port();
    drop(cluster);
    assert!(!directory.parent().unwrap().exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_committed() {
    let durable = ClusterOptions {
        durable: true,
        ..ClusterOptions::default()
    };
    let mut cluster = Cluster::start(&durable).unwrap();
    let url = cluster.url();
    let client = connect(&cluster).await;
    assert_eq!(ask(&client, "SHOW fsync").await, "on");
    let made = client.batch_execute("CREATE TABLE t AS SELECT 'kept' AS x");
    timeout(ANSWER, made).await.unwrap().unwrap();

    cluster.restart_immediate().unwrap();
    assert_eq!(cluster.url(), url);
    let client = connect(&cluster).await;
    assert_eq!(ask(&client, "SELECT x FROM t").await, "kept");

    cluster.stop_immediate().unwrap();
    cluster.stop_immediate().unwrap();
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
    assert!(cluster.pause().is_err());
    cluster.start_again().unwrap();
    cluster.start_again().unwrap();
    assert_eq!(ask(&connect(&cluster).await, "SELECT x FROM t").await, "kept");
}

#[tokio::test]
async fn a_paused_server_answers_nobody_until_it_goes_on() {
    let cluster = Cluster::start(&ClusterOptions::default()).unwrap();
    let client = connect(&cluster).await;
    let directory = directory(&client).await;

    cluster.pause().unwrap();
    let mut answer = Box::pin(ask(&client, "SELECT 'here'"));
    let moment = Duration::from_millis(300);
    assert!(timeout(moment, &mut answer).await.is_err());
    let url = cluster.url();
    let connecting = tokio_postgres::connect(&url, NoTls);
    assert!(timeout(moment, connecting).await.is_err());
    cluster.resume().unwrap();
    assert_eq!(answer.await, "here");

    // A paused one is stopped all the same.
    cluster.pause().unwrap();
    drop(cluster);
    assert!(!directory.exists());
}

#[test]
fn an_error_says_what_the_server_said() {
    let options = ClusterOptions {
        settings: vec![("work_mem".to_owned(), "much".to_owned())],
        ..ClusterOptions::default()
    };
    let error = Cluster::start(&options).unwrap_err().to_string();
    assert!(error.contains("invalid value for parameter"), "{error}");
}

#[test]
fn a_server_ends_with_a_process_that_is_killed() {
    // Cargo builds the examples beside the directory of the tests' own programs.
    let test = std::env::current_exe().unwrap();
    let example = test.ancestors().nth(2).unwrap().join("examples/hold");
    let mut owner = Command::new(example).stdout(Stdio::piped()).spawn().unwrap();
    let port: u16 = BufReader::new(owner.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("port ")?.1.parse().ok())
        .unwrap();
    let connects = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    let directories = || {
        let prefix = format!("sealroom-postgres-{}-", owner.id());
        let entries = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .count()
    };
    assert!(connects());
    assert_eq!(directories(), 1);
    Command::new("kill")
        .args(["-KILL", &owner.id().to_string()])
        .status()
        .unwrap();
    let end = Instant::now() + ANSWER;
    while connects() || directories() > 0 {
        assert!(Instant::now() < end, "the server outlives its owner");
        thread::sleep(Duration::from_millis(20));
    }
    owner.wait().unwrap();
}
