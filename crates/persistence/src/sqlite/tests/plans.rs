//! What SQLite does for the queries: which indexes it uses, and whether it prepares them once.

use diesel::{
    QueryResult, RunQueryDsl, SelectableHelper, query_builder::QueryFragment, query_dsl::methods::SelectDsl,
    sql_types::Text, sqlite::Sqlite,
};
use sealroom_domain::{Entry, EntryBody, GroupId, KeyEpoch, Seq, Timestamp, UserId};

use super::{
    super::{
        lookups,
        statements::{
            ClearEdits, ClearEntry, DataVersion, EndLogins, EntriesBehind, EraseEntry, ForgetEntries,
            ForgetLogins, ForgetSpentTokens, InsertEntry, KeepTokenName, MessagesAscending,
            MessagesDescending, MoveFirst, MoveReadMark, OutboxBehind, PutIntoOutbox, SetHead,
            SetNextMessageId, UpsertUser,
        },
    },
    SqliteStore, store,
};
use crate::{
    fragments,
    rows::{EntryRow, GroupRow, NewEntryRow, UserRow},
};

#[derive(diesel::QueryableByName)]
struct PlanRow {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The steps of a query's plan.
async fn plan(store: &SqliteStore, query: impl QueryFragment<Sqlite>) -> Vec<String> {
    let sql = diesel::debug_query::<Sqlite, _>(&query).to_string();
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    store
        .read(move |conn| {
            let rows: QueryResult<Vec<PlanRow>> = diesel::sql_query(explain).load(conn);
            Ok(rows?.into_iter().map(|row| row.detail).collect())
        })
        .await
        .unwrap()
}

/// One search by an index, and nothing that is sorted.
async fn assert_search(store: &SqliteStore, query: impl QueryFragment<Sqlite>, expected: &str) {
    let steps = plan(store, query).await;
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(steps[0].starts_with("SEARCH"), "{steps:?}");
    assert!(steps[0].contains(expected), "{steps:?} without {expected}");
}

#[tokio::test]
async fn every_query_searches_an_index() {
    let (store, _dir) = store().await;
    let store = &store;
    let page = "USING INDEX sqlite_autoindex_entries_1 (group_id=? AND seq>? AND seq<?)";
    let rows = EntryRow::as_select();
    assert_search(store, fragments::ascending(1, 1, 2).select(rows), page).await;
    assert_search(store, fragments::descending(1, 1, 2).select(rows), page).await;
    assert_search(
        store,
        lookups::by_client_message_id(1, 1, "x").select(rows),
        "USING INDEX entries_by_client_message_id (group_id=? AND actor_id=? AND client_message_id=?)",
    )
    .await;
    let row_id = "USING INTEGER PRIMARY KEY (rowid=?)";
    assert_search(store, fragments::bounds(1), row_id).await;
    assert_search(store, lookups::group(1).select(GroupRow::as_select()), row_id).await;
    assert_search(store, fragments::user(1).select(UserRow::as_select()), row_id).await;
    assert_search(store, fragments::log_id(), row_id).await;
    assert_search(store, lookups::next_message_id(), row_id).await;
    assert_search(store, fragments::next_group_id(), row_id).await;
    assert_search(store, SetNextMessageId { next: 1 }, row_id).await;
    let set_head = SetHead {
        group_id: 1,
        head_seq: 1,
    };
    assert_search(store, set_head, row_id).await;
    assert_search(
        store,
        fragments::group_ids(1, 2),
        "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    )
    .await;
    assert_search(store, lookups::username_owner("x"), "(username=?)").await;
    assert_search(
        store,
        lookups::role(1, 1),
        "USING PRIMARY KEY (group_id=? AND user_id=?)",
    )
    .await;
    assert_search(store, fragments::members_of(1), "USING PRIMARY KEY (group_id=?)").await;
    assert_search(
        store,
        lookups::count_role(1, "owner"),
        "USING PRIMARY KEY (group_id=?)",
    )
    .await;
    assert_search(
        store,
        fragments::groups_of(1),
        "USING INDEX members_by_user (user_id=?)",
    )
    .await;
}

/// Each step searches an index, and nothing is sorted.
async fn assert_searches(store: &SqliteStore, query: impl QueryFragment<Sqlite>, expected: &[&str]) {
    let steps = plan(store, query).await;
    let searches: Vec<&String> = steps.iter().filter(|step| step.starts_with("SEARCH")).collect();
    assert_eq!(searches.len(), expected.len(), "{steps:?}");
    for (step, expected) in searches.iter().zip(expected) {
        assert!(step.contains(expected), "{steps:?} without {expected}");
    }
    for step in &steps {
        assert!(!step.starts_with("SCAN") && !step.contains("B-TREE"), "{steps:?}");
    }
}

#[tokio::test]
async fn every_new_query_searches_an_index() {
    let (store, _dir) = store().await;
    let store = &store;
    let rows = EntryRow::as_select();
    let target = "INDEX entries_by_target (group_id=? AND target_seq=?)";
    let place = "INDEX sqlite_autoindex_entries_1 (group_id=? AND seq=?)";
    let range = "INDEX sqlite_autoindex_entries_1 (group_id=? AND seq>? AND seq<?)";
    let row_id = "USING INTEGER PRIMARY KEY (rowid=?)";
    assert_searches(store, lookups::entry(1, 1).select(rows), &[place]).await;
    assert_searches(store, lookups::changes(1, 1).select(rows), &[target]).await;
    assert_searches(store, ClearEntry::default(), &[place]).await;
    assert_searches(store, ClearEdits::default(), &[target]).await;
    let latest = "USING COVERING INDEX entries_by_target (group_id=? AND target_seq=?)";
    assert_searches(store, MessagesAscending::default(), &[range, place, latest]).await;
    assert_searches(store, MessagesDescending::default(), &[range, place, latest]).await;
    assert_searches(store, lookups::times(1, 1, 2), &[range]).await;
    assert_searches(store, ForgetEntries::default(), &[range]).await;
    assert_searches(store, MoveFirst::default(), &[row_id]).await;
    assert_searches(
        store,
        lookups::groups_behind(1),
        &["USING INTEGER PRIMARY KEY (rowid>?)"],
    )
    .await;
    assert_searches(
        store,
        EntriesBehind::default(),
        &["INDEX sqlite_autoindex_entries_1 ((group_id,seq)>(?,?))"],
    )
    .await;
    assert_searches(store, EraseEntry::default(), &[place, place]).await;
    assert_searches(
        store,
        OutboxBehind::default(),
        &["USING INTEGER PRIMARY KEY (rowid>?)", row_id, place],
    )
    .await;
    assert_searches(
        store,
        lookups::read_mark(1, 1),
        &["USING PRIMARY KEY (group_id=? AND user_id=?)"],
    )
    .await;
    let of_user = "USING COVERING INDEX members_by_user (user_id=?)";
    assert_searches(store, lookups::count_groups(1), &[of_user]).await;
    assert_searches(
        store,
        lookups::count_members(1),
        &["USING PRIMARY KEY (group_id=?)"],
    )
    .await;
    assert_searches(
        store,
        lookups::refresh_token(&[0]),
        &["USING PRIMARY KEY (digest=?)", row_id],
    )
    .await;
    assert_searches(
        store,
        ForgetLogins::default(),
        &[
            "INDEX logins_by_user (user_id=?)",
            "INDEX refresh_tokens_by_login (login_id=?)",
            "INDEX refresh_tokens_by_login (login_id=?)",
        ],
    )
    .await;
    assert_searches(store, EndLogins::default(), &["INDEX logins_by_user (user_id=?)"]).await;
    assert_searches(
        store,
        ForgetSpentTokens::default(),
        &["INDEX refresh_tokens_by_login (login_id=?)"],
    )
    .await;
    assert_searches(store, fragments::account("x"), &["(username=?)"]).await;
    assert_searches(store, fragments::open_login(1), &[row_id]).await;
    // Those who are being erased are few, and all of them are asked for.
    let steps = plan(store, fragments::unfinished_erasures()).await;
    assert!(steps[0].contains("users_by_erasure"), "{steps:?}");
}

/// diesel keeps the statement for the next time, and SQLite does not prepare it again.
#[track_caller]
fn assert_cached<Q: QueryFragment<Sqlite>>(query: &Q) {
    assert!(query.is_safe_to_cache_prepared(&Sqlite).unwrap());
    let sql = diesel::debug_query::<Sqlite, _>(query).to_string();
    assert!(!sql.contains("LIMIT"), "prepared anew each time: {sql}");
}

#[test]
fn every_statement_of_the_hot_path_is_prepared_once() {
    let rows = EntryRow::as_select();
    assert_cached(&fragments::ascending(1, 1, 2).select(rows));
    assert_cached(&fragments::descending(1, 1, 2).select(rows));
    assert_cached(&lookups::by_client_message_id(1, 1, "x").select(rows));
    assert_cached(&fragments::bounds(1));
    assert_cached(&lookups::role(1, 1));
    assert_cached(&fragments::members_of(1));
    assert_cached(&fragments::groups_of(1));
    assert_cached(&fragments::user(1).select(UserRow::as_select()));
    assert_cached(&lookups::group(1).select(GroupRow::as_select()));
    assert_cached(&fragments::log_id());
    assert_cached(&lookups::next_message_id());
    assert_cached(&lookups::entry(1, 1).select(rows));
    assert_cached(&lookups::changes(1, 1).select(rows));
    assert_cached(&lookups::count_groups(1));
    assert_cached(&lookups::count_members(1));
    assert_cached(&lookups::times(1, 1, 2));
    assert_cached(&lookups::groups_behind(1));
    assert_cached(&lookups::read_mark(1, 1));
    assert_cached(&lookups::refresh_token(&[0]));
    assert_cached(&fragments::open_login(1));
    assert_cached(&ClearEntry::default());
    assert_cached(&ClearEdits::default());
    assert_cached(&PutIntoOutbox::default());
    assert_cached(&MessagesAscending::default());
    assert_cached(&MessagesDescending::default());
    assert_cached(&OutboxBehind::default());
    assert_cached(&MoveReadMark::default());
    assert_cached(&KeepTokenName::default());
    assert_cached(&UpsertUser::default());
    assert_cached(&EntriesBehind::default());
    assert_cached(&EraseEntry::default());
    assert_cached(&DataVersion {});
    assert_cached(&SetNextMessageId { next: 1 });
    assert_cached(&SetHead {
        group_id: 1,
        head_seq: 1,
    });
    let entry = Entry {
        group_id: GroupId::new(1).unwrap(),
        seq: Seq::ZERO,
        at: Timestamp::from_secs(0),
        body: EntryBody::KeyEpochChanged {
            key_epoch: KeyEpoch::new(0).unwrap(),
            actor_id: UserId::new(1).unwrap(),
        },
    };
    assert_cached(&InsertEntry::message(NewEntryRow::from(&entry)));
    assert_cached(&InsertEntry::of_any_kind(NewEntryRow::from(&entry)));
}
