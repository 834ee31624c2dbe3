//! SQLite.

use diesel::{
    Connection as _, ExpressionMethods as _, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _,
};
use sealroom_persistence::{SqliteOptions, SqliteStore};

use crate::{
    compare,
    plain::{Plain, PlainRow, entries},
};

pub(crate) async fn measure(rows: usize) -> Vec<f64> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("measured.db");
    let store = SqliteStore::open(SqliteOptions::new(&path)).await.unwrap();
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection
        .batch_execute(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;",
        )
        .unwrap();
    let ratios = compare("SQLite", &store, PlainSqlite(connection), rows).await;
    store.close().await.unwrap();
    ratios
}

/// One prepared statement for each row of a transaction: faster than one statement with all rows, which SQLite would
/// prepare anew for each batch.
struct PlainSqlite(SqliteConnection);

impl Plain for PlainSqlite {
    async fn insert(&mut self, rows: &[PlainRow]) {
        // As the store does it: what blocks is not done on the threads of the runtime.
        tokio::task::block_in_place(|| {
            self.0
                .immediate_transaction(|conn| {
                    for row in rows {
                        diesel::insert_into(entries::table)
                            .values((
                                row,
                                entries::kind.eq(1),
                                entries::at.eq(0),
                                entries::actor_id.eq(1),
                                entries::message_id.eq(row.seq),
                                entries::sender_name.eq("Unknown"),
                            ))
                            .execute(conn)?;
                    }
                    diesel::QueryResult::Ok(())
                })
                .unwrap();
        });
    }

    async fn settle(&mut self) {
        self.0.batch_execute("PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    }
}
