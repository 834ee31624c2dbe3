//! Encryption: a certificate must be one that the system trusts.

use std::{env, process::Command};

use sealroom_persistence::PostgresStore;
use xtask_postgres::{Cluster, ClusterOptions};

use crate::options;

/// The server makes its own certificate in its directory, so that its account may read the key.
const CERTIFICATE: &str = "COPY (SELECT 1) TO PROGRAM $$
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -keyout server.key \
    -out server.crt -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE $$";

/// A server that speaks TLS, and its certificate.
async fn encrypted_cluster() -> (Cluster, String) {
    let cluster = Cluster::start(&ClusterOptions::default()).unwrap();
    let (client, connection) = tokio_postgres::connect(&cluster.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let tasks = tokio_util::task::TaskTracker::new();
    tasks.spawn(connection);
    client.batch_execute(CERTIFICATE).await.unwrap();
    client.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let row = client
        .query_one("SELECT pg_read_file('server.crt')", &[])
        .await
        .unwrap();
    (cluster, row.get(0))
}

#[tokio::test]
async fn a_certificate_must_be_trusted() {
    let (cluster, certificate) = encrypted_cluster().await;
    let url = format!("{}?sslmode=require", cluster.url());
    let refused = PostgresStore::open(options(&url)).await.unwrap_err();
    assert!(format!("{refused:?}").contains("UnknownIssuer"), "{refused:?}");

    let trusted = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(trusted.path(), certificate).unwrap();
    let run = |url: &str| {
        // A process of its own, because what the system trusts is a matter of the environment. Cargo builds the examples
        // beside the directory of the tests' own programs.
        let test = env::current_exe().unwrap();
        Command::new(test.ancestors().nth(2).unwrap().join("examples/open"))
            .arg(url)
            .env("SSL_CERT_FILE", trusted.path())
            .output()
            .unwrap()
    };
    let trusting = run(&url);
    assert!(trusting.status.success(), "{trusting:?}");
    // The name is checked too.
    let other_name = run(&url.replace("127.0.0.1", "localhost"));
    assert!(!other_name.status.success(), "{other_name:?}");
    let said = String::from_utf8_lossy(&other_name.stderr).into_owned();
    assert!(said.contains("NotValidForName"), "{said}");
}
