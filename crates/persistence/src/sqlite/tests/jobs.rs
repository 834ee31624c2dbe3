//! Callers that go away, and the end of a store.

use std::{
    future::Future,
    task::{Context, Waker},
    time::Duration,
};

use sealroom_domain::ports::{Cursor, GroupLog, PageLimit, StoreError};

use super::{append, group, head, message, options, store};
use crate::sqlite::{SqliteStore, connection};

/// Polls an append `polls` times and then drops it.
async fn abandon(store: &SqliteStore, polls: usize, text: &str) {
    let mut appending = std::pin::pin!(store.append(vec![message(text, None), message(text, None)]));
    for _ in 0..polls {
        if appending
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
        {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn abandoned_appends_are_whole() {
    let (store, dir) = store().await;
    for round in 0..200 {
        abandon(&store, round % 4, "abandoned").await;
        if round % 10 == 0 {
            append(&store, "kept").await;
        }
    }
    append(&store, "last").await;
    // Another process gets the write lock at once: nothing was left open.
    let mut other = connection::open_writer(&options(&dir)).unwrap();
    diesel::connection::SimpleConnection::batch_execute(&mut other, "BEGIN IMMEDIATE; ROLLBACK").unwrap();

    let limit = PageLimit {
        entries: 10_000,
        bytes: usize::MAX,
    };
    let page = GroupLog::read(&store, group(), Cursor::Newest, limit)
        .await
        .unwrap()
        .unwrap();
    let texts: Vec<&str> = page
        .entries
        .iter()
        .map(|entry| entry.message().unwrap().content.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(texts.iter().filter(|text| **text == "kept").count(), 20);
    let mut rest = texts.as_slice();
    while let Some((first, others)) = rest.split_first() {
        rest = if *first == "abandoned" {
            assert_eq!(others.first(), Some(&"abandoned"), "half a batch");
            &others[1..]
        } else {
            others
        };
    }
}

#[tokio::test]
async fn an_abandoned_append_is_whole() {
    abandoned_appends_are_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_append_is_whole_on_threads() {
    abandoned_appends_are_whole().await;
}

#[test]
fn a_runtime_may_end_in_the_middle_of_a_job() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(async {
        let store = SqliteStore::open(options(&dir)).await.unwrap();
        abandon(&store, 1, "abandoned").await;
        store
    });
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(store.ping(Duration::from_secs(5))).unwrap();
}

#[tokio::test]
async fn closing_waits_writes_back_and_refuses_what_comes_later() {
    let (store, dir) = store().await;
    append(&store, "x").await;
    let clone = store.clone();
    let (appended, closed) = tokio::join!(append(&store, "while it closes"), clone.close());
    closed.unwrap();
    assert_eq!(appended.get(), 2);
    for outcome in [
        clone.heads(&[group()]).await.map(|_| ()),
        clone.append(vec![message("late", None)]).await.map(|_| ()),
        clone.ping(Duration::from_secs(1)).await,
    ] {
        assert!(
            matches!(outcome, Err(StoreError::Unavailable { .. })),
            "{outcome:?}"
        );
    }
    clone.close().await.unwrap();
    assert!(
        !dir.path().join("test.db-wal").exists(),
        "everything is in the file itself"
    );
    let again = SqliteStore::open(options(&dir)).await.unwrap();
    assert_eq!(head(&again).await.get(), 2);
}

#[tokio::test]
async fn debug_shows_no_path() {
    let (store, dir) = store().await;
    let shown = format!("{store:?}");
    assert!(!shown.contains(dir.path().to_str().unwrap()), "{shown}");
}
