//! How often the store waits for an answer of the server: a number that no batch and no page changes.

use sealroom_domain::{
    DisplayName, GroupId, Role, Seq,
    ports::{Appended, Cursor, GroupLog, Memberships, NewEntry, PageLimit, RefusedEntry, Users},
};
use sealroom_persistence::PostgresStore;
use xtask_postgres::TestDatabase;

use crate::{Outcomes, group, make_groups, member, message, options, proxy::Proxy, removal, user};

const GROUPS: i64 = 50;

/// A store behind a proxy, whose two connections are open and have answered.
async fn warm() -> (PostgresStore, Proxy, TestDatabase) {
    let database = TestDatabase::create().await;
    let direct = PostgresStore::open(options(database.url())).await.unwrap();
    make_groups(&direct, GROUPS).await;
    let proxy = Proxy::start(database.url()).await;
    let mut options = options(proxy.url());
    (options.writers, options.readers) = (1, 1);
    let store = PostgresStore::open(options).await.unwrap();
    append(&store, vec![message(1, "warm", None)]).await;
    page(&store, 1, Cursor::Newest, 1).await;
    (store, proxy, database)
}

async fn append(store: &PostgresStore, batch: Vec<NewEntry>) -> Outcomes {
    store.append(batch).await.unwrap()
}

async fn page(store: &PostgresStore, group_id: i64, cursor: Cursor, entries: usize) -> usize {
    let limit = PageLimit {
        entries,
        bytes: usize::MAX,
    };
    let page = GroupLog::read(store, group(group_id), cursor, limit).await;
    page.unwrap().unwrap().entries.len()
}

/// The flights of a call.
async fn flights<T>(proxy: &Proxy, call: impl Future<Output = T>) -> (T, usize) {
    proxy.count_anew();
    let result = call.await;
    (result, proxy.flights())
}

#[tokio::test]
async fn an_append_is_two_whatever_its_batch() {
    let (store, proxy, _database) = warm().await;
    for size in [1, 64, 512] {
        for groups in [1, GROUPS] {
            let batch: Vec<NewEntry> = (0..size)
                .map(|index| message(index % groups + 1, &"x".repeat(200), None))
                .collect();
            let (outcomes, flights) = flights(&proxy, append(&store, batch)).await;
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, Ok(Appended::New(_))))
            );
            assert_eq!(flights, 2, "{size} entries in {groups} groups");
        }
    }
}

#[tokio::test]
async fn an_append_is_two_whatever_its_content() {
    let (store, proxy, _database) = warm().await;
    for size in [1, 64, 512] {
        // The second of each pair repeats the first; in between members come, change and go.
        let batch: Vec<NewEntry> = (0..size)
            .flat_map(|index| {
                let (group, id) = (index % GROUPS + 1, format!("{size}-{index}"));
                [
                    message(group, "x", Some(&id)),
                    message(group, "x", Some(&id)),
                    member(group, 10 * size + index % 3, Role::Admin),
                    removal(group, 10 * size + (index + 1) % 3),
                    removal(group, 1),
                    message(GROUPS + 1, "nowhere", None),
                ]
            })
            .collect();
        let (outcomes, flights) = flights(&proxy, append(&store, batch)).await;
        assert_eq!(flights, 2, "{size}");
        assert!(matches!(outcomes[0], Ok(Appended::New(_))), "{:?}", outcomes[0]);
        assert!(
            matches!(outcomes[1], Ok(Appended::Duplicate(_))),
            "{:?}",
            outcomes[1]
        );
        assert!(matches!(outcomes[2], Ok(Appended::New(_))), "{:?}", outcomes[2]);
        assert_eq!(outcomes[4], Err(RefusedEntry::LastOwner));
        assert_eq!(outcomes[5], Err(RefusedEntry::UnknownGroup));
    }
}

#[tokio::test]
async fn a_page_is_two() {
    let (store, proxy, _database) = warm().await;
    let batch = (0..300).map(|_| message(2, &"x".repeat(1000), None)).collect();
    append(&store, batch).await;
    for cursor in [
        Cursor::Newest,
        Cursor::After(Seq::ZERO),
        Cursor::Before(Seq::new(200).unwrap()),
    ] {
        // The statements of one direction are prepared when it is asked for the first time.
        page(&store, 2, cursor, 1).await;
        for entries in [1, 2, 127, 128] {
            let (found, flights) = flights(&proxy, page(&store, 2, cursor, entries)).await;
            assert_eq!((found, flights), (entries, 2), "{cursor:?}");
        }
        let (_, flights) = flights(&proxy, page(&store, 2, cursor, 129)).await;
        assert_eq!(flights, 3, "{cursor:?}");
    }
}

#[tokio::test]
async fn a_question_about_many_is_one() {
    let (store, proxy, _database) = warm().await;
    let groups: Vec<GroupId> = (1..=GROUPS).map(group).collect();
    let pairs: Vec<_> = groups.iter().map(|group_id| (*group_id, user(1))).collect();
    let name = DisplayName::new("B").unwrap();
    for id in 1..=40 {
        store.upsert(user(id), &name, None).await.unwrap();
    }
    let users: Vec<_> = (1..=40).map(user).collect();
    for warm in [true, false] {
        for many in [1, 40] {
            let (heads, of_heads) = flights(&proxy, store.heads(&groups[..many])).await;
            let (roles, of_roles) = flights(&proxy, store.roles(&pairs[..many])).await;
            let (profiles, of_profiles) = flights(&proxy, store.profiles(&users[..many])).await;
            assert_eq!(heads.unwrap().len(), many);
            assert_eq!(roles.unwrap(), vec![Some(Role::Owner); many]);
            assert_eq!(profiles.unwrap().len(), many);
            if !warm {
                assert_eq!([of_heads, of_roles, of_profiles], [1, 1, 1], "{many}");
            }
        }
    }
}
