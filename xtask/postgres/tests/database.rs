//! A database for each test. The server is that of `cargo xtask test`.

#![expect(clippy::unwrap_used, reason = "test code")]

use xtask_postgres::TestDatabase;

async fn exists(seen_from: &TestDatabase, url: &str) -> bool {
    let name = url.rsplit('/').next().unwrap();
    let rows = seen_from
        .client()
        .await
        .query("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
        .await
        .unwrap();
    !rows.is_empty()
}

#[tokio::test]
async fn it_is_empty_and_goes_with_its_sessions() {
    let witness = TestDatabase::create().await;
    let database = TestDatabase::create().await;
    let url = database.url().to_owned();
    assert_ne!(url, witness.url());
    let client = database.client().await;
    let row = client
        .query_one(
            "SELECT current_database(), (SELECT count(*) FROM pg_tables WHERE schemaname = 'public')",
            &[],
        )
        .await
        .unwrap();
    assert!(url.ends_with(row.get::<_, &str>(0)), "{url}");
    assert_eq!(row.get::<_, i64>(1), 0);
    assert!(exists(&witness, &url).await);

    // Within a runtime, and while a session is open.
    drop(database);
    assert!(!exists(&witness, &url).await);
    assert!(client.query_one("SELECT 1", &[]).await.is_err());
}

#[test]
fn many_are_made_at_once() {
    let make = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(TestDatabase::create())
    };
    let databases: Vec<TestDatabase> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut urls: Vec<&str> = databases.iter().map(TestDatabase::url).collect();
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), 8);
}
