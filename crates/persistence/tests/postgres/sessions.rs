//! The settings of the store's sessions, whatever the database's own are.

use std::{collections::BTreeMap, time::Duration};

use sealroom_domain::ports::GroupLog;
use sealroom_persistence::PostgresStore;
use tokio::task::JoinSet;
use xtask_postgres::TestDatabase;

use crate::{log, make_groups, message, new_entries, options};

/// What an append runs under, written down by a trigger.
async fn settings_of_an_append(defaults: &[(&str, &str)]) -> BTreeMap<String, String> {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let name: String = client
        .query_one("SELECT current_database()::text", &[])
        .await
        .unwrap()
        .get(0);
    for (setting, value) in defaults {
        let statement = format!("ALTER DATABASE {name} SET {setting} = '{value}'");
        client.batch_execute(&statement).await.unwrap();
    }
    let mut options = options(database.url());
    options.statement_timeout = Duration::from_millis(3210);
    options.idle_in_transaction_timeout = Duration::from_millis(6540);
    let store = PostgresStore::open(options).await.unwrap();
    make_groups(&store, 1).await;
    client
        .batch_execute(
            "CREATE TABLE noted (name TEXT, setting TEXT);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO noted SELECT name, setting FROM pg_settings;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER note AFTER INSERT ON entries EXECUTE FUNCTION note()",
        )
        .await
        .unwrap();
    new_entries(store.append(vec![message(1, "x", None)]).await.unwrap());
    let rows = client
        .query("SELECT name, setting FROM noted", &[])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_commit_is_durable_and_never_less_than_the_database_asks_for() {
    for (default, ours) in [
        ("off", "on"),
        ("on", "on"),
        ("local", "local"),
        ("remote_apply", "remote_apply"),
    ] {
        let settings = settings_of_an_append(&[("synchronous_commit", default)]).await;
        assert_eq!(settings["synchronous_commit"], ours, "{default}");
    }
}

#[tokio::test]
async fn a_session_is_as_the_options_say() {
    let settings = settings_of_an_append(&[
        ("statement_timeout", "1h"),
        ("idle_in_transaction_session_timeout", "0"),
        ("default_transaction_isolation", "serializable"),
        ("plan_cache_mode", "force_custom_plan"),
    ])
    .await;
    for (name, expected) in [
        ("statement_timeout", "3210"),
        ("idle_in_transaction_session_timeout", "6540"),
        ("transaction_isolation", "read committed"),
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("application_name", "sealroom"),
        ("TimeZone", "UTC"),
    ] {
        assert_eq!(settings[name], expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_serialises_does_not_break_concurrent_appends() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    client
        .batch_execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable',
             current_database()); END $$",
        )
        .await
        .unwrap();
    let store = PostgresStore::open(options(database.url())).await.unwrap();
    make_groups(&store, 1).await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..20 {
                new_entries(store.append(vec![message(1, "x", None)]).await.unwrap());
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    assert_eq!(log(&store, 1).await.len(), 160);
}
