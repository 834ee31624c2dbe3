//! The disk is full, read-only or held by somebody else.

use std::time::Duration;

use diesel::{RunQueryDsl, connection::SimpleConnection};
use sealroom_domain::{
    Seq,
    ports::{GroupLog, StoreError},
};

use super::{SqliteStore, append, head, message, options, store};
use crate::{error::Failure, sqlite::connection};

/// Runs a statement on the writer, outside of a transaction.
async fn on_writer(store: &SqliteStore, sql: &'static str) {
    store
        .inner
        .writer
        .run(move |conn| Ok(conn.batch_execute(sql)?))
        .await
        .unwrap();
}

fn assert_unavailable<T: std::fmt::Debug>(outcome: Result<T, StoreError>, text: &str) {
    match outcome {
        Err(StoreError::Unavailable { source }) => {
            let mut chain = source.to_string();
            let mut cause = source.source();
            while let Some(error) = cause {
                chain = format!("{chain}: {error}");
                cause = error.source();
            }
            assert!(chain.contains(text), "{chain}");
        }
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_passes() {
    let (store, _dir) = store().await;
    append(&store, "before").await;
    // SQLite answers a full file like a full disk.
    on_writer(&store, "PRAGMA max_page_count = 1;").await;
    let large = "x".repeat(1 << 20);
    assert_unavailable(
        store
            .append(vec![message("small", None), message(&large, None)])
            .await,
        "full",
    );
    assert_eq!(head(&store).await.get(), 1, "nothing of the batch is there");
    on_writer(&store, "PRAGMA max_page_count = 4294967294;").await;
    assert_eq!(append(&store, &large).await.get(), 2);
}

#[tokio::test]
async fn a_read_only_file_is_unavailable_and_passes() {
    let (store, _dir) = store().await;
    on_writer(&store, "PRAGMA query_only = ON;").await;
    assert_unavailable(store.append(vec![message("x", None)]).await, "readonly");
    on_writer(&store, "PRAGMA query_only = OFF;").await;
    assert_eq!(append(&store, "x").await.get(), 1);
}

#[tokio::test]
async fn a_lock_of_another_process_is_unavailable_after_the_busy_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&dir);
    options.busy_timeout = Duration::from_millis(200);
    let store = SqliteStore::open(options.clone()).await.unwrap();
    let mut other = connection::open_writer(&options).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    assert_unavailable(store.append(vec![message("x", None)]).await, "locked");
    assert_unavailable(store.ping(Duration::from_secs(5)).await, "locked");
    assert_unavailable(store.ping(Duration::from_millis(20)).await, "in time");
    // Reading goes on.
    assert!(store.heads(&[]).await.unwrap().is_empty());
    other.batch_execute("ROLLBACK").unwrap();
    store.ping(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_busy_writer_is_unavailable_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&dir);
    options.busy_timeout = Duration::from_millis(50);
    let store = SqliteStore::open(options).await.unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = tokio::task::spawn_blocking({
        let (store, handle) = (store.clone(), tokio::runtime::Handle::current());
        move || {
            handle.block_on(store.write(move |_| {
                released.recv().unwrap();
                Ok(())
            }))
        }
    });
    while store.inner.writer.idle() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_unavailable(store.append(vec![message("x", None)]).await, "in time");
    release.send(()).unwrap();
    holder.await.unwrap().unwrap();
    store.ping(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_defect_is_internal_and_names_the_column() {
    let (store, _dir) = store().await;
    append(&store, "x").await;
    on_writer(&store, "UPDATE entries SET sender_name = '';").await;
    let error = store
        .heads(&[])
        .await
        .map(|_| ())
        .and(
            GroupLog::read(
                &store,
                super::group(),
                sealroom_domain::ports::Cursor::After(Seq::ZERO),
                sealroom_domain::ports::PageLimit { entries: 1, bytes: 1 },
            )
            .await
            .map(|_| ()),
        )
        .unwrap_err();
    let StoreError::Internal { source } = error else {
        panic!("not internal: {error:?}")
    };
    let cause = source.source().unwrap().to_string();
    assert_eq!(cause, "a value of entries.sender_name is not valid");
}

#[tokio::test]
async fn an_unknown_statement_is_internal() {
    let (store, _dir) = store().await;
    let outcome: Result<(), StoreError> = store
        .read(|conn| {
            diesel::sql_query("SELECT nothing FROM nowhere").execute(conn)?;
            Ok(())
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::Internal { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_panic_is_internal_and_is_rolled_back() {
    let (store, _dir) = store().await;
    let outcome: Result<(), StoreError> = store
        .write(|conn| {
            conn.batch_execute("DELETE FROM groups")?;
            panic!("a defect");
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::Internal { .. })), "{outcome:?}");
    assert_eq!(append(&store, "x").await.get(), 1);
}

#[tokio::test]
async fn a_connection_that_cannot_be_rolled_back_is_replaced() {
    let (store, _dir) = store().await;
    let outcome: Result<(), Failure> = store
        .inner
        .writer
        .run(|conn| {
            use diesel::connection::{AnsiTransactionManager, TransactionManager};
            conn.batch_execute("CREATE TEMP TABLE marker (x)")?;
            AnsiTransactionManager::transaction_manager_status_mut(conn).set_in_error();
            Ok(())
        })
        .await;
    outcome.unwrap();
    assert_eq!(append(&store, "x").await.get(), 1);
    let marker = store
        .inner
        .writer
        .run(|conn| Ok(conn.batch_execute("SELECT * FROM marker")?))
        .await;
    assert!(marker.is_err(), "it is another connection");
}
