//! The migrations and the rows.

use std::time::Duration;

use diesel::{QueryResult, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_types::Text};
use diesel_migrations::MigrationHarness;
use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, Entry, EntryBody, GroupId, KeyEpoch, Message, MessageId,
    RemovalReason, Role, Seq, Timestamp, UserId,
    ports::{Cursor, GroupLog, PageLimit},
};

use super::super::{
    connection, migrate,
    statements::{InsertEntry, SetHead},
};
use super::{group, options, store};
use crate::{OpenError, rows::NewEntryRow};

#[derive(diesel::QueryableByName, Debug, PartialEq)]
struct Object {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    sql: String,
}

/// The schema, without what SQLite and diesel keep for themselves.
fn objects(conn: &mut SqliteConnection) -> QueryResult<Vec<Object>> {
    diesel::sql_query(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY name",
    )
    .load(conn)
}

#[test]
fn each_down_restores_the_schema_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut conn = connection::open_writer(&options(&dir)).unwrap();
    let mut before = vec![objects(&mut conn).unwrap()];
    while conn.has_pending_migration(migrate::MIGRATIONS).unwrap() {
        conn.run_next_migration(migrate::MIGRATIONS).unwrap();
        before.push(objects(&mut conn).unwrap());
    }
    let last = before.pop().unwrap();
    assert!(last.iter().any(|object| object.name == "entries"), "{last:?}");
    while let Some(before) = before.pop() {
        conn.revert_last_migration(migrate::MIGRATIONS).unwrap();
        assert_eq!(objects(&mut conn).unwrap(), before);
    }
    conn.run_pending_migrations(migrate::MIGRATIONS).unwrap();
    assert_eq!(objects(&mut conn).unwrap(), last, "and up again");
}

#[test]
fn a_migration_waits_for_the_one_of_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&dir);
    options.busy_timeout = Duration::from_millis(100);
    let mut other = connection::establish(&dir.path().join("test.db-migrating")).unwrap();
    other.batch_execute("BEGIN EXCLUSIVE").unwrap();
    let refused = migrate::run(&options).unwrap_err();
    assert!(matches!(refused, OpenError::Busy { .. }), "{refused:?}");

    options.busy_timeout = Duration::from_secs(30);
    let waiting = std::thread::spawn(move || migrate::run(&options));
    std::thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    other.batch_execute("ROLLBACK").unwrap();
    assert!(!waiting.join().unwrap().unwrap().is_empty());
}

/// Every kind of entry, also those that nothing appends yet.
fn bodies() -> Vec<EntryBody> {
    let user = |id| UserId::new(id).unwrap();
    let message = |content: Option<&str>| {
        EntryBody::Message(Message {
            id: MessageId::new(7).unwrap(),
            sender_id: user(1),
            sender_name: DisplayName::new("Nguyễn Văn A").unwrap(),
            content: content.map(|text| EncryptedContent::new(text, 100).unwrap()),
            client_message_id: Some(ClientMessageId::new("a b~").unwrap()),
            key_epoch: Some(KeyEpoch::new(0).unwrap()),
        })
    };
    let edited = |content: Option<&str>| EntryBody::MessageEdited {
        target_seq: Seq::new(1).unwrap(),
        content: content.map(|text| EncryptedContent::new(text, 100).unwrap()),
        key_epoch: Some(KeyEpoch::new(3).unwrap()),
        actor_id: user(1),
    };
    let mut bodies = vec![
        message(Some("{\"iv\":1}")),
        EntryBody::MessageDeleted {
            target_seq: Seq::new(1).unwrap(),
            actor_id: user(2),
        },
        EntryBody::KeyEpochChanged {
            key_epoch: KeyEpoch::new(4).unwrap(),
            actor_id: user(2),
        },
        edited(Some("x")),
        edited(None),
    ];
    bodies.extend(
        [Role::Member, Role::Admin, Role::Owner].map(|role| EntryBody::MemberAdded {
            user_id: user(3),
            role,
            actor_id: user(2),
        }),
    );
    bodies.extend(
        [
            RemovalReason::Removed,
            RemovalReason::Left,
            RemovalReason::GroupDeleted,
            RemovalReason::Banned,
        ]
        .map(|reason| EntryBody::MemberRemoved {
            user_id: user(3),
            reason,
            actor_id: user(2),
        }),
    );
    bodies
}

#[tokio::test]
async fn every_kind_of_entry_round_trips() {
    let (store, _dir) = store().await;
    let written: Vec<Entry> = (1..)
        .zip(bodies())
        .map(|(seq, body)| Entry {
            group_id: group(),
            seq: Seq::new(seq).unwrap(),
            at: Timestamp::from_micros(-seq),
            body,
        })
        .collect();
    let entries = written.clone();
    store
        .write(move |conn| {
            for entry in &entries {
                InsertEntry::of_any_kind(NewEntryRow::from(entry)).execute(conn)?;
            }
            SetHead {
                group_id: group().get(),
                head_seq: i64::try_from(entries.len()).unwrap(),
            }
            .execute(conn)?;
            Ok(())
        })
        .await
        .unwrap();
    let limit = PageLimit {
        entries: 100,
        bytes: usize::MAX,
    };
    let page = GroupLog::read(&store, group(), Cursor::After(Seq::ZERO), limit)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(page.entries, written);
}

#[tokio::test]
async fn a_trimmed_log_begins_at_its_first_entry() {
    let (store, _dir) = store().await;
    for text in ["1", "2", "3", "4", "5"] {
        super::append(&store, text).await;
    }
    store
        .write(|conn| {
            conn.batch_execute("DELETE FROM entries WHERE seq <= 2; UPDATE groups SET first_seq = 3;")?;
            Ok(())
        })
        .await
        .unwrap();
    let read = async |cursor, entries| {
        let limit = PageLimit {
            entries,
            bytes: usize::MAX,
        };
        let page = GroupLog::read(&store, group(), cursor, limit)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((page.head.get(), page.first.get()), (5, 3));
        let seqs: Vec<i64> = page.entries.iter().map(|entry| entry.seq.get()).collect();
        (seqs, page.has_more)
    };
    let seq = |seq| Seq::new(seq).unwrap();
    assert_eq!(read(Cursor::After(Seq::ZERO), 10).await, (vec![3, 4, 5], false));
    assert_eq!(read(Cursor::After(seq(1)), 2).await, (vec![3, 4], true));
    assert_eq!(read(Cursor::Before(seq(5)), 10).await, (vec![3, 4], false));
    assert_eq!(read(Cursor::Before(seq(5)), 1).await, (vec![4], true));
    assert_eq!(read(Cursor::Before(seq(3)), 10).await, (vec![], false));
    assert_eq!(read(Cursor::Before(seq(2)), 10).await, (vec![], false));
    assert_eq!(read(Cursor::Newest, 2).await, (vec![4, 5], true));
}

#[tokio::test]
async fn group_ids_skip_those_that_were_put() {
    use sealroom_domain::{
        GroupName, MAX_SAFE_INTEGER,
        ports::{Groups, MemberLimits, NewGroup},
    };
    let (store, _dir) = store().await;
    let name = GroupName::new("put").unwrap();
    let at = Timestamp::from_secs(0);
    for id in [1, 2, MAX_SAFE_INTEGER].into_iter().chain(1000..1100) {
        assert!(store.put(GroupId::new(id).unwrap(), &name, at).await.unwrap());
    }
    let create = async || {
        let group = NewGroup {
            name: name.clone(),
            founders: Vec::new(),
            actor_id: UserId::new(1).unwrap(),
            at,
            keeps_membership: true,
            limits: MemberLimits::default(),
        };
        store.create(group).await.unwrap().unwrap().0.get()
    };
    // 5 is the group of `store`.
    assert_eq!([create().await, create().await, create().await], [3, 4, 6]);
    store
        .write(|conn| {
            conn.batch_execute("UPDATE meta SET next_group_id = 1000")?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(create().await, 1100);
}
