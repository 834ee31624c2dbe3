//! Several who ask for the same at once: refreshes, names, joins, and trimming beside readers and writers.

use futures_util::future::{join, join_all};
use sealroom_domain::{
    DisplayName, PasswordHash, Retention, Role, Seq, Timestamp, TokenDigest, UserId, Username,
    ports::{
        Accounts, Appended, Cursor, GroupLog, Groups, MemberLimits, Memberships, NewAccount, NewBody,
        NewRefreshToken, PageLimit, Refreshed, RefusedEntry, Upkeep, Users,
    },
};
use sealroom_persistence::PostgresStore;
use tokio::task::JoinSet;

use crate::{deletion, edit, group, make_groups, member, message, options, removal, store, user};

fn token(round: u8, number: u8) -> NewRefreshToken {
    let mut digest = [number; 32];
    digest[0] = round;
    NewRefreshToken {
        digest: TokenDigest::new(digest),
        at: Timestamp::from_secs(1),
        expires_at: Timestamp::from_secs(100),
    }
}

fn account(name: &str) -> NewAccount {
    NewAccount {
        username: Username::new(name).unwrap(),
        display_name: DisplayName::new(name).unwrap(),
        password: PasswordHash::new("hash"),
        at: Timestamp::from_secs(1),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_spends_a_token_and_the_others_end_the_login() {
    let (first, database) = store().await;
    let second = PostgresStore::open(options(database.url())).await.unwrap();
    for round in 0..10 {
        let user_id = first.register(account(&format!("user-{round}"))).await;
        let user_id = user_id.unwrap().unwrap();
        let login_id = first.open_login(user_id, token(round, 0)).await.unwrap();
        let refreshes = (1..=8).map(|number| {
            let store = if number % 2 == 0 { &first } else { &second };
            let spent = token(round, 0).digest;
            async move {
                let refreshed = store.refresh(&spent, token(round, number), Timestamp::from_secs(2));
                refreshed.await.unwrap()
            }
        });
        let outcomes = join_all(refreshes).await;
        let done = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Refreshed::Done { .. }));
        assert_eq!(done.count(), 1, "{outcomes:?}");
        let reused = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Refreshed::Reused { .. }));
        assert_eq!(reused.count(), 7, "{outcomes:?}");
        assert!(!first.is_open(login_id).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_ids_are_given_out_once() {
    let (first, database) = store().await;
    let second = PostgresStore::open(options(database.url())).await.unwrap();
    // Each name is wanted twice.
    let registers = join_all((0..40).map(|number| {
        let store = if number % 2 == 0 { &first } else { &second };
        let account = account(&format!("user-{}", number / 2));
        async move { store.register(account).await.unwrap() }
    }));
    // Users who become known meanwhile take ids too.
    let known = join_all((1..=20).map(|id| first.provision(user(id), None)));
    let (ids, known) = join(registers, known).await;
    assert!(known.iter().all(Result::is_ok));
    let mut ids: Vec<UserId> = ids.into_iter().flatten().collect();
    assert_eq!(ids.len(), 20);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_joins_many_groups_at_once_stays_within_the_limit() {
    const LIMIT: usize = 3;
    let (first, database) = store().await;
    let second = PostgresStore::open(options(database.url())).await.unwrap();
    make_groups(&first, 12).await;
    let joins = (1..=12).map(|id| {
        let store = if id % 2 == 0 { &first } else { &second };
        let mut entry = member(id, 77, Role::Member);
        if let NewBody::SetMember { limits, .. } = &mut entry.body {
            *limits = MemberLimits {
                per_group: Some(100),
                per_user: Some(LIMIT),
            };
        }
        async move { store.append(vec![entry]).await.unwrap().remove(0) }
    });
    let outcomes = join_all(joins).await;
    let joined = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Appended::New(_))));
    assert_eq!(joined.count(), LIMIT, "{outcomes:?}");
    let refused = outcomes
        .iter()
        .filter(|outcome| **outcome == Err(RefusedEntry::TooManyGroups));
    assert_eq!(refused.count(), 12 - LIMIT);
}

async fn trim_down(store: PostgresStore) {
    for kept in (1..=60).rev() {
        let rule = Retention {
            age: None,
            count: Some(5 * kept),
        };
        store.trim(None, rule, Timestamp::from_secs(9)).await.unwrap();
    }
}

async fn erase_again_and_again(store: PostgresStore) {
    let name = DisplayName::new("x").unwrap();
    for round in 0..20 {
        store.upsert(user(1), &name, None).await.unwrap();
        store.erase(user(1), Timestamp::from_secs(round)).await.unwrap();
        let mut after = store.erase_content(user(1), None).await.unwrap();
        while after.is_some() {
            after = store.erase_content(user(1), after).await.unwrap();
        }
    }
}

async fn change(store: PostgresStore, id: i64) {
    for number in 0..60 {
        let head = 300 + 2 * number;
        let batch = vec![
            message(id, "x", None),
            edit(id, head - 5, "y"),
            deletion(id, head - 9),
            deletion(id, head - 2),
        ];
        store.append(batch).await.unwrap();
    }
}

async fn read_on(store: PostgresStore, id: i64) {
    let limit = PageLimit {
        entries: 500,
        bytes: usize::MAX,
    };
    for _ in 0..60 {
        let page = GroupLog::read(&store, group(id), Cursor::After(Seq::ZERO), limit).await;
        let page = page.unwrap().unwrap();
        for (place, entry) in (page.first.get()..).zip(&page.entries) {
            assert_eq!(entry.seq.get(), place);
        }
        let messages = store.messages(group(id), Cursor::Newest, limit).await;
        let messages = messages.unwrap().unwrap();
        assert!(
            messages
                .messages
                .iter()
                .all(|message| message.entry.seq >= messages.first)
        );
    }
}

/// Whoever reads sees a log before or after a step; edits, deletions, erasures and steps never wait in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_writers_beside_trimming_never_see_a_hole() {
    let (store, _database) = store().await;
    make_groups(&store, 2).await;
    let batch = (0..600).map(|number| message(1 + number % 2, "x", None));
    store.append(batch.collect()).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(trim_down(store.clone()));
    tasks.spawn(erase_again_and_again(store.clone()));
    for id in [1, 2] {
        tasks.spawn(change(store.clone(), id));
        tasks.spawn(read_on(store.clone(), id));
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

/// What a store knows of its last appends is not what it decides by: another store, or nobody's entry, has changed it.
#[tokio::test]
async fn what_others_change_is_seen_by_the_next_append() {
    let (first, database) = store().await;
    let second = PostgresStore::open(options(database.url())).await.unwrap();
    make_groups(&first, 3).await;
    let say = async |store: &PostgresStore, id| {
        store
            .append(vec![message(id, "x", None)])
            .await
            .unwrap()
            .remove(0)
    };
    for id in [1, 2, 3] {
        for _ in 0..2 {
            assert!(matches!(say(&first, id).await, Ok(Appended::New(_))));
        }
    }
    second
        .append(vec![member(1, 2, Role::Owner), removal(1, 1)])
        .await
        .unwrap();
    assert_eq!(say(&first, 1).await, Err(RefusedEntry::ActorRole));
    second.set(group(1), user(1), Role::Member).await.unwrap();
    assert!(matches!(say(&first, 1).await, Ok(Appended::New(_))));
    // Where the host keeps the memberships, no entry tells of it.
    second.remove(group(2), user(1)).await.unwrap();
    assert_eq!(say(&first, 2).await, Err(RefusedEntry::ActorRole));
    second.set(group(2), user(1), Role::Admin).await.unwrap();
    assert!(matches!(say(&first, 2).await, Ok(Appended::New(_))));
    second.delete(group(3), Timestamp::from_secs(1)).await.unwrap();
    assert_eq!(say(&first, 3).await, Err(RefusedEntry::UnknownGroup));
}
