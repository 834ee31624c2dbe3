//! What an append goes by is what is in the database, whoever changed it.

use sealroom_domain::{
    Role,
    ports::{Memberships, RefusedEntry},
};

use super::*;

fn user() -> UserId {
    UserId::new(1).unwrap()
}

/// Sends as a member; answers the place.
async fn send(store: &SqliteStore) -> Result<Seq, RefusedEntry> {
    let mut entry = message("text", None);
    entry.guard = Guard::Kept {
        actor_role: Some(Role::Member),
        keeps_owner: false,
    };
    match store.append(vec![entry]).await.unwrap().remove(0)? {
        Appended::New(entry) => Ok(entry.seq),
        other => panic!("not new: {other:?}"),
    }
}

#[tokio::test]
async fn what_others_write_is_seen_by_the_next_append() {
    let (store, dir) = store().await;
    // As another process has it, with a writer of its own.
    let other = SqliteStore::open(options(&dir)).await.unwrap();
    Memberships::set(&store, group(), user(), Role::Member)
        .await
        .unwrap();
    for round in 0..20_i64 {
        let expected = |nth| Ok(Seq::new(3 * round + nth).unwrap());
        assert_eq!(send(&store).await, expected(1));
        assert_eq!(send(&store).await, expected(2));
        assert_eq!(send(&other).await, expected(3));
        // The one that writes next may know the role from before, and must not go by it.
        let (changes, sends) = if round % 2 == 0 {
            (&store, &other)
        } else {
            (&other, &store)
        };
        Memberships::remove(changes, group(), user()).await.unwrap();
        assert_eq!(send(sends).await, Err(RefusedEntry::ActorRole));
        assert_eq!(send(changes).await, Err(RefusedEntry::ActorRole));
        Memberships::set(changes, group(), user(), Role::Member)
            .await
            .unwrap();
    }
    // A deleted group is none.
    assert!(send(&store).await.is_ok());
    Groups::delete(&other, group(), Timestamp::from_secs(9))
        .await
        .unwrap();
    assert_eq!(send(&store).await, Err(RefusedEntry::UnknownGroup));
}

#[tokio::test]
async fn what_was_undone_is_not_known() {
    let (store, _dir) = store().await;
    Memberships::set(&store, group(), user(), Role::Member)
        .await
        .unwrap();
    assert_eq!(send(&store).await, Ok(Seq::new(1).unwrap()));
    let undone = store.write_knowing(|conn, known| {
        known.begin(conn)?;
        known.set_head(group(), 100);
        known.set_next_message_id(100);
        Err::<(), _>(diesel::NotFound.into())
    });
    assert!(undone.await.is_err());
    let panicked = store.write_knowing(|conn, known| -> Result<(), _> {
        known.begin(conn)?;
        known.set_head(group(), 200);
        panic!("in the middle of an append")
    });
    assert!(panicked.await.is_err());
    let second = store.append(vec![message("text", None)]).await.unwrap().remove(0);
    let Ok(Appended::New(entry)) = second else {
        panic!("not new: {second:?}");
    };
    let message_id = entry.message().map(|message| message.id.get());
    assert_eq!((entry.seq.get(), message_id), (2, Some(2)));
}
