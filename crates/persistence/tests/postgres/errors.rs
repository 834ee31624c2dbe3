//! What errors say, and what they keep to themselves.

use std::{error::Error, time::Duration};

use sealroom_domain::ports::{GroupLog, StoreError};
use sealroom_persistence::{PostgresStore, PostgresUrl};
use tokio::time::Instant;
use xtask_postgres::{Cluster, ClusterOptions};

use crate::{PATIENCE, group, make_groups, message, new_entries, options, store};

const PASSWORD: &str = "s3cret";

/// All that an error and its sources say, to people and to developers.
fn everything(error: &dyn Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text} {error} {error:?}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn a_stopped_server_is_unavailable_in_time_and_the_password_stays_secret() {
    let mut cluster = Cluster::start(&ClusterOptions::default()).unwrap();
    let url = cluster
        .url()
        .replacen("postgres@", &format!("postgres:{PASSWORD}@"), 1);
    let options = options(&url);
    let store = PostgresStore::open(options.clone()).await.unwrap();
    make_groups(&store, 1).await;
    new_entries(store.append(vec![message(1, "x", None)]).await.unwrap());
    let mut said = format!("{options:?} {store:?} {:#?}", options.url);
    cluster.stop_immediate().unwrap();

    let begun = Instant::now();
    // It may have been on its way when the server stopped: its outcome is asked for as long as there is time.
    let appended = store.append(vec![message(1, "x", None)]).await.unwrap_err();
    assert!(begun.elapsed() < PATIENCE);
    let begun = Instant::now();
    let asked = store.heads(&[group(1)]).await.unwrap_err();
    let pinged = store.ping(PATIENCE).await.unwrap_err();
    assert!(begun.elapsed() < 2 * options.acquire_timeout + Duration::from_secs(1));
    for error in [appended, asked, pinged] {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.source().and_then(Error::source).is_some(), "{error:?}");
        assert_eq!(error.to_string(), "the store is unavailable");
        said.push_str(&everything(&error));
    }
    let refused = PostgresStore::open(options).await.unwrap_err();
    assert_eq!(refused.to_string(), "the database server cannot be used");
    said.push_str(&everything(&refused));
    assert!(!said.contains(PASSWORD), "{said}");

    cluster.start_again().unwrap();
    let next = store.append(vec![message(1, "y", None)]).await.unwrap();
    assert_eq!(new_entries(next)[0].seq.get(), 2);
}

#[tokio::test]
async fn a_url_that_is_refused_keeps_its_password() {
    for text in [
        "postgres://u:s3cret@h:port/d",
        "u:s3cret@h/d",
        "postgres://u:s3cret@h",
    ] {
        let refused = PostgresUrl::parse(text).unwrap_err();
        assert!(!everything(&refused).contains(PASSWORD));
    }
}

#[tokio::test]
async fn an_error_of_the_schema_names_no_sql() {
    let (store, database) = store().await;
    make_groups(&store, 1).await;
    new_entries(store.append(vec![message(1, "x", None)]).await.unwrap());
    database
        .client()
        .await
        .batch_execute("DROP TABLE entries")
        .await
        .unwrap();
    let error = store.append(vec![message(1, "x", None)]).await.unwrap_err();
    let text = error.to_string();
    assert!(
        ["the store is unavailable", "the store failed"].contains(&text.as_str()),
        "{text}"
    );
    assert!(
        everything(&error).contains("\"entries\""),
        "the source tells the operator"
    );
}
