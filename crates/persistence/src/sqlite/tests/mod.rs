//! Tests that look behind the ports.

mod failures;
mod forgetting;
mod jobs;
mod known;
mod plans;
mod schema;

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, GroupName, Seq, Timestamp, UserId,
    ports::{Appended, GroupLog, Groups, Guard, NewBody, NewEntry},
};
use tempfile::TempDir;

use super::{SqliteOptions, SqliteStore};

const GROUP: i64 = 5;

fn options(dir: &TempDir) -> SqliteOptions {
    SqliteOptions::new(dir.path().join("test.db"))
}

fn group() -> GroupId {
    GroupId::new(GROUP).unwrap()
}

/// A store with one group in a directory of its own.
async fn store() -> (SqliteStore, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&dir)).await.unwrap();
    let name = GroupName::new("tests").unwrap();
    assert!(store.put(group(), &name, Timestamp::from_secs(1)).await.unwrap());
    (store, dir)
}

fn message(text: &str, client_message_id: Option<&str>) -> NewEntry {
    NewEntry {
        group_id: group(),
        actor_id: UserId::new(1).unwrap(),
        at: Timestamp::from_secs(2),
        body: NewBody::Message {
            sender_name: DisplayName::unknown(),
            content: EncryptedContent::new(text, 1 << 20).unwrap(),
            client_message_id: client_message_id.map(|id| ClientMessageId::new(id).unwrap()),
            key_epoch: None,
        },
        guard: Guard::Host,
    }
}

/// Appends one message and answers its place.
async fn append(store: &SqliteStore, text: &str) -> Seq {
    match store.append(vec![message(text, None)]).await.unwrap().remove(0) {
        Ok(Appended::New(entry)) => entry.seq,
        other => panic!("not new: {other:?}"),
    }
}

async fn head(store: &SqliteStore) -> Seq {
    store.heads(&[group()]).await.unwrap()[0].1
}
