//! What SQLite does for the queries: which indexes it uses, and whether it prepares them once.

use diesel::{
    QueryResult, RunQueryDsl, SelectableHelper, query_builder::QueryFragment, query_dsl::methods::SelectDsl,
    sql_types::Text, sqlite::Sqlite,
};
use sealroom_domain::{Entry, EntryBody, GroupId, KeyEpoch, Seq, Timestamp, UserId};

use super::{
    super::{
        lookups,
        statements::{SetHead, SetNextMessageId},
    },
    SqliteStore, store,
};
use crate::{
    fragments,
    rows::{EntryRow, GroupRow, NewEntryRow, UserRow},
    schema::entries,
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
    assert_cached(
        &diesel::insert_into(entries::table)
            .values(NewEntryRow::from(&entry))
            .on_conflict_do_nothing(),
    );
}
