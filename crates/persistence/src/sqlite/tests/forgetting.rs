//! What is forgotten is gone: from the file, and in bounded steps.

use std::time::Duration;

use diesel::{RunQueryDsl, connection::SimpleConnection};
use sealroom_domain::{
    GroupId, GroupName, Retention, Seq, Timestamp, UserId,
    ports::{
        Appended, Cursor, GroupLog, Groups, Guard, NewBody, NewEntry, OfOthers, PageLimit, RefusedEntry,
        Trimmed, Upkeep, Users,
    },
};

use super::{SqliteStore, append, group, message, options, store};

const SECRET: &str = "NEEDLE-in-the-file";

fn seq(seq: i64) -> Seq {
    Seq::new(seq).unwrap()
}

fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

fn edit(target: i64, text: &str) -> NewEntry {
    let NewBody::Message { content, .. } = message(text, None).body else {
        unreachable!()
    };
    NewEntry {
        body: NewBody::EditMessage {
            target_seq: seq(target),
            content,
            key_epoch: None,
        },
        ..message("x", None)
    }
}

fn delete(target: i64) -> NewEntry {
    NewEntry {
        body: NewBody::DeleteMessage {
            target_seq: seq(target),
            of_others: OfOthers::Never,
        },
        guard: Guard::Host,
        ..message("x", None)
    }
}

/// Whether the database's files hold the text.
async fn is_in_the_files(store: &SqliteStore, dir: &tempfile::TempDir) -> bool {
    let checkpoint =
        |conn: &mut diesel::SqliteConnection| Ok(conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE);")?);
    store.inner.writer.run(checkpoint).await.unwrap();
    ["test.db", "test.db-wal"].iter().any(|name| {
        let bytes = std::fs::read(dir.path().join(name)).unwrap_or_default();
        bytes
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes())
    })
}

#[tokio::test]
async fn deleted_content_is_not_in_the_file() {
    let (store, dir) = store().await;
    // One that fits into a page, and one that does not.
    let long = format!("{}{SECRET}", "x".repeat(20_000));
    let batch = vec![
        message(SECRET, Some("c-1")),
        message(&long, None),
        edit(1, &format!("{SECRET} again")),
    ];
    for outcome in store.append(batch).await.unwrap() {
        assert!(matches!(outcome, Ok(Appended::New(_))), "{outcome:?}");
    }
    assert!(
        is_in_the_files(&store, &dir).await,
        "the test looks at the right files"
    );
    for outcome in store.append(vec![delete(1), delete(2)]).await.unwrap() {
        assert!(matches!(outcome, Ok(Appended::New(_))), "{outcome:?}");
    }
    assert!(!is_in_the_files(&store, &dir).await);
}

#[tokio::test]
async fn erased_and_trimmed_content_is_not_in_the_file() {
    for is_erased in [true, false] {
        let (store, dir) = store().await;
        append(&store, SECRET).await;
        append(&store, "last").await;
        assert!(is_in_the_files(&store, &dir).await);
        if is_erased {
            let _ = store.provision(user(1), None).await.unwrap();
            assert!(store.erase(user(1), Timestamp::from_secs(3)).await.unwrap());
            assert_eq!(store.erase_content(user(1), None).await.unwrap(), None);
        } else {
            let rule = Retention {
                age: None,
                count: Some(1),
            };
            store.trim(None, rule, Timestamp::from_secs(3)).await.unwrap();
        }
        assert!(!is_in_the_files(&store, &dir).await);
    }
}

/// Trims until all groups were looked at; the entries of each step.
async fn round(store: &SqliteStore, retention: Retention, now: Timestamp) -> Vec<u64> {
    let (mut after, mut steps) = (None, Vec::new());
    loop {
        let trimmed = store.trim(after, retention, now).await.unwrap();
        steps.push(trimmed.entries);
        match trimmed.next {
            Some(next) => after = Some(next),
            None => return steps,
        }
    }
}

#[tokio::test]
async fn a_long_log_is_trimmed_in_steps() {
    let name = GroupName::new("long").unwrap();
    // The first group of all has none before it.
    for id in [1, 7] {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(options(&dir)).await.unwrap();
        let group_id = GroupId::new(id).unwrap();
        store.put(group_id, &name, Timestamp::from_secs(0)).await.unwrap();
        let batch = (0..2500).map(|at| NewEntry {
            group_id,
            at: Timestamp::from_secs(at),
            ..message("x", None)
        });
        store.append(batch.collect()).await.unwrap();
        // Older than 2 400 s at 2 500 s are those before 100 s.
        let by_age = Retention {
            age: Some(Duration::from_mins(40)),
            count: None,
        };
        assert_eq!(round(&store, by_age, Timestamp::from_secs(2500)).await, [100]);
        let by_count = Retention {
            age: None,
            count: Some(50),
        };
        let steps = round(&store, by_count, Timestamp::from_secs(2500)).await;
        assert_eq!(steps.iter().sum::<u64>(), 2350, "{steps:?}");
        assert!(
            id == 1 || steps.iter().all(|entries| *entries <= Trimmed::ENTRIES),
            "{steps:?}"
        );
        let all_too_old = Retention {
            age: Some(Duration::ZERO),
            count: None,
        };
        let steps = round(&store, all_too_old, Timestamp::from_secs(9999)).await;
        assert_eq!(steps, [49], "the last one stays");
        let limit = PageLimit {
            entries: 10,
            bytes: usize::MAX,
        };
        let page = GroupLog::read(&store, group_id, Cursor::Newest, limit).await;
        let page = page.unwrap().unwrap();
        assert_eq!(
            (page.first.get(), page.head.get(), page.entries.len()),
            (2500, 2500, 1)
        );
        store.delete(group_id, Timestamp::from_secs(9999)).await.unwrap();
        assert_eq!(
            round(&store, Retention::default(), Timestamp::from_secs(9999)).await,
            [1]
        );
    }
}

#[tokio::test]
async fn many_groups_are_looked_at_in_steps() {
    let (store, _dir) = store().await;
    let name = GroupName::new("one of many").unwrap();
    for id in 10..=600 {
        store
            .put(GroupId::new(id).unwrap(), &name, Timestamp::from_secs(0))
            .await
            .unwrap();
    }
    append(&store, "x").await;
    assert_eq!(
        round(&store, Retention::default(), Timestamp::from_secs(9)).await,
        [0, 0, 0]
    );
}

#[tokio::test]
async fn a_group_is_put_in_the_place_of_a_long_one() {
    let (store, _dir) = store().await;
    store
        .append((0..12_000).map(|_| message("x", None)).collect())
        .await
        .unwrap();
    store.append(vec![message("y", Some("again"))]).await.unwrap();
    store.delete(group(), Timestamp::from_secs(3)).await.unwrap();
    let refused = store.append(vec![message("x", None)]).await.unwrap();
    assert_eq!(refused, [Err(RefusedEntry::UnknownGroup)]);
    let name = GroupName::new("another").unwrap();
    assert!(store.put(group(), &name, Timestamp::from_secs(4)).await.unwrap());
    let limit = PageLimit {
        entries: 10,
        bytes: usize::MAX,
    };
    for cursor in [
        Cursor::Newest,
        Cursor::After(Seq::ZERO),
        Cursor::Before(seq(12_002)),
    ] {
        let page = GroupLog::read(&store, group(), cursor, limit)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (page.first.get(), page.head.get(), page.has_more),
            (12_003, 12_002, false)
        );
        assert!(page.entries.is_empty());
    }
    let left: i64 = store
        .read(|conn| {
            Ok(diesel::query_dsl::methods::SelectDsl::select(
                crate::schema::entries::table,
                diesel::dsl::count_star(),
            )
            .get_result(conn)?)
        })
        .await
        .unwrap();
    assert_eq!(left, 0);
    // The client id of the former group is free.
    let next = store.append(vec![message("z", Some("again"))]).await.unwrap();
    assert!(
        matches!(&next[0], Ok(Appended::New(entry)) if entry.seq == seq(12_003)),
        "{next:?}"
    );
}

#[tokio::test]
async fn an_erasure_goes_in_steps() {
    let (store, _dir) = store().await;
    store
        .append((0..12_000).map(|_| message("x", None)).collect())
        .await
        .unwrap();
    let _ = store.provision(user(1), None).await.unwrap();
    store.erase(user(1), Timestamp::from_secs(3)).await.unwrap();
    let (mut after, mut places) = (None, Vec::new());
    loop {
        assert_eq!(store.unfinished_erasures().await.unwrap(), [user(1)]);
        after = store.erase_content(user(1), after).await.unwrap();
        match after {
            Some((_, seq)) => places.push(seq.get()),
            None => break,
        }
    }
    assert_eq!(places, [5000, 10_000]);
    assert!(store.unfinished_erasures().await.unwrap().is_empty());
    let limit = PageLimit {
        entries: 10,
        bytes: usize::MAX,
    };
    let page = store
        .messages(group(), Cursor::Newest, limit)
        .await
        .unwrap()
        .unwrap();
    assert!(page.messages.is_empty() && !page.has_more);
}
