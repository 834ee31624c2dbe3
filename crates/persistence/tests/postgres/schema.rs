//! The schema: the same as that of SQLite, and migrated by one at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{Connection as _, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_types::Text};
use futures_util::future::join_all;
use sealroom_domain::ports::GroupLog;
use sealroom_persistence::PostgresStore;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;
use xtask_postgres::TestDatabase;

use crate::options;

/// `sealroom` in ASCII, as a number: the advisory lock of whoever migrates.
const LOCK: i64 = i64::from_be_bytes(*b"sealroom");

/// The migrations of a backend, in their order.
fn migrations(backend: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut paths: Vec<PathBuf> = fs::read_dir(root.join(backend))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn names(backend: &str) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    migrations(backend).iter().map(name).collect()
}

fn sql(migration: &Path, direction: &str) -> String {
    fs::read_to_string(migration.join(direction)).unwrap()
}

type Tables = BTreeMap<String, BTreeSet<String>>;

#[derive(diesel::QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
}

fn sqlite_tables() -> Tables {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    for migration in migrations("sqlite") {
        conn.batch_execute(&sql(&migration, "up.sql")).unwrap();
    }
    let columns: Vec<Column> = diesel::sql_query(
        "SELECT t.name AS table_name, c.name AS column_name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .load(&mut conn)
    .unwrap();
    let mut tables = Tables::new();
    for column in columns {
        tables
            .entry(column.table_name)
            .or_default()
            .insert(column.column_name);
    }
    tables
}

async fn postgres_tables(client: &Client) -> Tables {
    let columns = client
        .query(
            "SELECT table_name::text, column_name::text FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%'",
            &[],
        )
        .await
        .unwrap();
    let mut tables = Tables::new();
    for column in columns {
        tables.entry(column.get(0)).or_default().insert(column.get(1));
    }
    tables
}

#[tokio::test]
async fn both_stores_have_the_same_tables() {
    assert_eq!(names("postgres"), names("sqlite"));
    let database = TestDatabase::create().await;
    PostgresStore::open(options(database.url())).await.unwrap();
    let client = database.client().await;
    let mut sqlite = sqlite_tables();
    // The one exception: `meta.next_message_id` is the sequence `message_ids` there.
    assert!(sqlite.get_mut("meta").unwrap().remove("next_message_id"));
    let sequences = client
        .query(
            "SELECT sequencename::text, max_value, increment_by, cache_size FROM pg_sequences
             WHERE schemaname = 'public' ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    // The others are those of columns that SQLite numbers with AUTOINCREMENT.
    let names: Vec<String> = sequences.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["logins_id_seq", "message_ids", "outbox_id_seq"]);
    for number in [0, 1] {
        assert_eq!(
            sequences[number].get::<_, i64>(1),
            (1 << 53) - 1,
            "{}",
            names[number]
        );
    }
    for sequence in &sequences {
        // Ids that a session keeps for later would not grow within a group.
        assert_eq!((sequence.get::<_, i64>(2), sequence.get::<_, i64>(3)), (1, 1));
    }
    assert_eq!(postgres_tables(&client).await, sqlite);
}

/// Everything that the catalog says of the schema `public`, a line each.
async fn catalog(client: &Client) -> Vec<String> {
    let questions = [
        "SELECT format('relation %s %s %s', c.relkind, c.relname, c.reloptions) FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace",
        "SELECT format('column %s.%s %s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
             a.attnotnull, a.attstorage, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid))
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped",
        "SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace",
        "SELECT format('sequence %s', to_jsonb(s) - 'last_value') FROM pg_sequences s WHERE schemaname = 'public'",
        "SELECT format('trigger %s', pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT format('function %s', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        "SELECT format('type %s', typname) FROM pg_type WHERE typnamespace = 'public'::regnamespace",
    ];
    let mut lines = Vec::new();
    for question in questions {
        let rows = client.query(question, &[]).await.unwrap();
        lines.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn each_down_restores_the_schema_before() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let mut before = vec![catalog(&client).await];
    for migration in migrations("postgres") {
        client.batch_execute(&sql(&migration, "up.sql")).await.unwrap();
        before.push(catalog(&client).await);
    }
    let last = before.pop().unwrap();
    let has = |what: &str| last.iter().any(|line| line.starts_with(what));
    for what in [
        "relation r entries",
        "column entries.content",
        "index",
        "constraint",
        "sequence",
    ] {
        assert!(has(what), "{what}: {last:#?}");
    }
    for migration in migrations("postgres").iter().rev() {
        client.batch_execute(&sql(migration, "down.sql")).await.unwrap();
        assert_eq!(
            catalog(&client).await,
            before.pop().unwrap(),
            "{}",
            migration.display()
        );
    }
    for migration in migrations("postgres") {
        client.batch_execute(&sql(&migration, "up.sql")).await.unwrap();
    }
    assert_eq!(catalog(&client).await, last, "and up again");
}

#[tokio::test]
async fn an_empty_database_is_opened_by_many_at_once() {
    let database = TestDatabase::create().await;
    let opened = join_all((0..8).map(|_| PostgresStore::open(options(database.url())))).await;
    let mut names = BTreeSet::new();
    for store in opened {
        names.insert(store.unwrap().log_id().await.unwrap().as_str().to_owned());
    }
    assert_eq!(names.len(), 1, "one log has one name");
    let status = PostgresStore::migration_status(&options(database.url()))
        .await
        .unwrap();
    assert_eq!(status.applied.len(), migrations("postgres").len());
    assert!(status.pending.is_empty());
}

#[tokio::test]
async fn a_migration_waits_for_the_one_of_another_session() {
    let database = TestDatabase::create().await;
    let other = database.client().await;
    other
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await
        .unwrap();
    let options = options(database.url());
    let mut migrating = Box::pin(PostgresStore::migrate(&options));
    assert!(timeout(Duration::from_millis(500), &mut migrating).await.is_err());
    assert!(postgres_tables(&other).await.is_empty());
    // The lock ends with its session.
    drop(other);
    let applied = timeout(Duration::from_secs(10), migrating)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(applied.len(), migrations("postgres").len());
    sleep(Duration::from_millis(50)).await;
    let left: i64 = database
        .client()
        .await
        .query_one(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
}
