//! What happens to the file: reopened, opened twice, opened at once, or not to be opened at all.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::{path::Path, sync::Arc};

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, Entry, GroupId, GroupName, Role, Seq, Timestamp, UserId,
    Username,
    ports::{
        Appended, Cursor, GroupLog, Groups, Guard, Member, MemberLimits, Memberships, NewBody, NewEntry,
        NewGroup, Page, PageLimit, Users,
    },
};
use sealroom_persistence::{OpenError, SqliteOptions, SqliteStore, Synchronous};

fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

fn message(group_id: GroupId, text: &str, client_message_id: Option<&str>) -> NewEntry {
    NewEntry {
        group_id,
        actor_id: user(1),
        at: Timestamp::from_micros(1_705_314_600_123_456),
        body: NewBody::Message {
            sender_name: DisplayName::new("Nguyễn Văn A").unwrap(),
            content: EncryptedContent::new(text, 65_536).unwrap(),
            client_message_id: client_message_id.map(|id| ClientMessageId::new(id).unwrap()),
            key_epoch: None,
        },
        guard: Guard::Kept {
            actor_role: Some(Role::Member),
            keeps_owner: true,
        },
    }
}

/// A group that user 1 owns.
async fn group(store: &SqliteStore) -> GroupId {
    let group = NewGroup {
        name: GroupName::new("Nhóm").unwrap(),
        founders: vec![Member {
            user_id: user(1),
            role: Role::Owner,
        }],
        actor_id: user(1),
        at: Timestamp::from_secs(1),
        keeps_membership: true,
        limits: MemberLimits::default(),
    };
    store.create(group).await.unwrap().unwrap().0
}

async fn page(store: &SqliteStore, group_id: GroupId, cursor: Cursor, entries: usize, bytes: usize) -> Page {
    let limit = PageLimit { entries, bytes };
    GroupLog::read(store, group_id, cursor, limit)
        .await
        .unwrap()
        .unwrap()
}

async fn whole(store: &SqliteStore, group_id: GroupId) -> Vec<Entry> {
    page(store, group_id, Cursor::After(Seq::ZERO), 100_000, usize::MAX)
        .await
        .entries
}

#[tokio::test]
async fn what_a_kill_leaves_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("a.db"));
    let store = SqliteStore::open(options).await.unwrap();
    let group_id = group(&store).await;
    let name = DisplayName::new("Trần Thị B").unwrap();
    let username = Username::new("b").unwrap();
    store.upsert(user(2), &name, Some(&username)).await.unwrap();
    let batch = vec![message(group_id, "một", Some("id-1"))];
    let first = store.append(batch.clone()).await.unwrap();
    let before = (
        store.log_id().await.unwrap(),
        whole(&store, group_id).await,
        store.profiles(&[user(1), user(2)]).await.unwrap(),
        store.members_of(group_id).await.unwrap(),
        store.get(&[group_id]).await.unwrap(),
    );
    // What a kill of the process would leave: the files as they are now, with the log not written back.
    let left = tempfile::tempdir().unwrap();
    for name in ["a.db", "a.db-wal"] {
        let copied = std::fs::copy(dir.path().join(name), left.path().join(name)).unwrap();
        assert!(copied > 0, "{name} holds something");
    }
    drop(store);

    let store = SqliteStore::open(SqliteOptions::new(left.path().join("a.db")))
        .await
        .unwrap();
    let after = (
        store.log_id().await.unwrap(),
        whole(&store, group_id).await,
        store.profiles(&[user(1), user(2)]).await.unwrap(),
        store.members_of(group_id).await.unwrap(),
        store.get(&[group_id]).await.unwrap(),
    );
    assert_eq!(before, after);
    assert_eq!(before.1.len(), 2);
    let Ok(Appended::New(entry)) = &first[0] else {
        panic!("not new: {first:?}")
    };
    let again = store.append(batch).await.unwrap();
    assert_eq!(again, [Ok(Appended::Duplicate(entry.clone()))]);
    assert_ne!(group(&store).await, group_id);
}

#[tokio::test]
async fn a_renewed_log_id_stays() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("a.db"));
    let store = SqliteStore::open(options.clone()).await.unwrap();
    let old = store.log_id().await.unwrap();
    let new = store.renew_log_id().await.unwrap();
    assert_ne!(old, new);
    assert_eq!(store.log_id().await.unwrap(), new);
    store.close().await.unwrap();
    let store = SqliteStore::open(options).await.unwrap();
    assert_eq!(store.log_id().await.unwrap(), new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_new_file_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("a.db"));
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let runtime = tokio::runtime::Handle::current();
            let options = options.clone();
            std::thread::spawn(move || runtime.block_on(SqliteStore::open(options)))
        })
        .collect();
    let mut names = Vec::new();
    for thread in opening {
        let store = tokio::task::spawn_blocking(|| thread.join().unwrap())
            .await
            .unwrap()
            .unwrap();
        names.push(store.log_id().await.unwrap());
    }
    names.dedup();
    assert_eq!(names.len(), 1, "all opened the same log");
}

#[tokio::test]
async fn migrations_are_applied_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("a.db"));
    let before = SqliteStore::migration_status(&options).await.unwrap();
    assert!(before.applied.is_empty() && !before.pending.is_empty());
    assert_eq!(SqliteStore::migrate(&options).await.unwrap(), before.pending);
    assert!(SqliteStore::migrate(&options).await.unwrap().is_empty());
    let after = SqliteStore::migration_status(&options).await.unwrap();
    assert_eq!(after.applied, before.pending);
    assert!(after.pending.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_append_densely() {
    const TASKS: usize = 4;
    const BATCHES: usize = 25;
    let dir = tempfile::tempdir().unwrap();
    let mut options = SqliteOptions::new(dir.path().join("a.db"));
    options.synchronous = Synchronous::Normal;
    let stores = [
        Arc::new(SqliteStore::open(options.clone()).await.unwrap()),
        Arc::new(SqliteStore::open(options).await.unwrap()),
    ];
    let groups = [group(&stores[0]).await, group(&stores[1]).await];
    let mut tasks = tokio::task::JoinSet::new();
    for (number, store) in stores.iter().enumerate() {
        for task in 0..TASKS {
            let store = Arc::clone(store);
            tasks.spawn(async move {
                for batch in 0..BATCHES {
                    let own = format!("{number}-{task}-{batch}");
                    // Each of the second kind is sent by all tasks of both stores: one of them is the first.
                    let shared = format!("shared-{batch}");
                    let batch = groups
                        .iter()
                        .flat_map(|group| [&own, &shared].map(|id| message(*group, id, Some(id))));
                    for outcome in store.append(batch.collect()).await.unwrap() {
                        outcome.unwrap();
                    }
                }
            });
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let mut ids = Vec::new();
    for group_id in groups {
        let entries = whole(&stores[0], group_id).await;
        assert_eq!(entries, whole(&stores[1], group_id).await);
        let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq.get()).collect();
        let messages = 2 * TASKS * BATCHES + BATCHES;
        assert_eq!(seqs, (1..).take(messages + 1).collect::<Vec<i64>>());
        ids.extend(entries.iter().filter_map(|entry| entry.message().map(|m| m.id)));
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "message ids are unique over the groups");
}

#[tokio::test]
async fn every_character_round_trips() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(SqliteOptions::new(dir.path().join("a.db")))
        .await
        .unwrap();
    let group_id = group(&store).await;
    // Every character but U+0000: with them every byte that UTF-8 can hold, in every place.
    let mut texts = vec![String::new()];
    for character in (1..=u32::from(char::MAX)).filter_map(char::from_u32) {
        if texts.last().unwrap().len() > 65_000 {
            texts.push(String::new());
        }
        texts.last_mut().unwrap().push(character);
    }
    texts.push("12345".into());
    texts.push("1e5".into());
    texts.push("x'00'".into());
    let batch = texts.iter().map(|text| message(group_id, text, None)).collect();
    store.append(batch).await.unwrap();
    let stored = whole(&store, group_id).await;
    let stored: Vec<&str> = stored
        .iter()
        .filter_map(|entry| entry.message()?.content.as_ref())
        .map(EncryptedContent::as_str)
        .collect();
    assert!(stored == texts, "some content changed");
}

#[tokio::test]
async fn a_page_ends_at_its_bytes_in_both_directions() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(SqliteOptions::new(dir.path().join("a.db")))
        .await
        .unwrap();
    let group_id = group(&store).await;
    let large = "x".repeat(60_000);
    let batch = (0..20).map(|_| message(group_id, &large, None)).collect();
    store.append(batch).await.unwrap();
    let weight = whole(&store, group_id).await.last().unwrap().weight();
    let seqs = |page: &Page| {
        page.entries
            .iter()
            .map(|entry| entry.seq.get())
            .collect::<Vec<_>>()
    };
    // Entry 1 is the light one of the founder; 2 to 21 are heavy.
    let three = page(
        &store,
        group_id,
        Cursor::After(Seq::new(1).unwrap()),
        500,
        3 * weight,
    )
    .await;
    assert_eq!((seqs(&three), three.has_more), (vec![2, 3, 4], true));
    let less = page(
        &store,
        group_id,
        Cursor::After(Seq::new(1).unwrap()),
        500,
        3 * weight - 1,
    )
    .await;
    assert_eq!((seqs(&less), less.has_more), (vec![2, 3], true));
    let newest = page(&store, group_id, Cursor::Newest, 500, 3 * weight).await;
    assert_eq!((seqs(&newest), newest.has_more), (vec![19, 20, 21], true));
    let one = page(&store, group_id, Cursor::Before(Seq::new(10).unwrap()), 500, 1).await;
    assert_eq!((seqs(&one), one.has_more), (vec![9], true));
    let last = page(
        &store,
        group_id,
        Cursor::Before(Seq::new(3).unwrap()),
        500,
        3 * weight,
    )
    .await;
    assert_eq!((seqs(&last), last.has_more), (vec![1, 2], false));
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_without_the_path() {
    let dir = tempfile::tempdir().unwrap();
    let garbage = dir.path().join("garbage.db");
    std::fs::write(
        &garbage,
        "this is no database, and longer than the header of one ".repeat(20),
    )
    .unwrap();
    let cases: [&Path; 3] = [dir.path(), &dir.path().join("missing/a.db"), &garbage];
    for path in cases {
        let error = SqliteStore::open(SqliteOptions::new(path)).await.unwrap_err();
        assert!(matches!(error, OpenError::File { .. }), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(dir.path().to_str().unwrap()), "{shown}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(SqliteOptions::new(dir.path().join("a.db")))
        .await
        .unwrap();
    group(&store).await;
    let mut names = Vec::new();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            file.file_name()
        );
        names.push(file.file_name());
    }
    assert!(names.len() >= 3, "{names:?}");
}
