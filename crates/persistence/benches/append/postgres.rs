//! PostgreSQL, on a server of its own that syncs to the disk.

use sealroom_persistence::{PostgresOptions, PostgresStore, PostgresUrl};
use tokio_postgres::{Client, NoTls, Statement};
use xtask_postgres::{Cluster, ClusterOptions};

use crate::{
    compare,
    plain::{Plain, PlainRow},
};

pub(crate) async fn measure(rows: usize) -> Vec<f64> {
    let cluster = Cluster::start(&ClusterOptions {
        durable: true,
        ..ClusterOptions::default()
    })
    .unwrap();
    let url = PostgresUrl::parse(&cluster.url()).unwrap();
    let store = PostgresStore::open(PostgresOptions::new(url)).await.unwrap();
    let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the client")]
    tokio::spawn(connection);
    let insert = client
        .prepare(
            "INSERT INTO entries (group_id, seq, kind, at, actor_id, message_id, client_message_id, sender_name, content)
             SELECT g, s, 1, 0, 1, s, i, 'Unknown', c
             FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS rows (g, s, i, c)",
        )
        .await
        .unwrap();
    let ratios = compare("PostgreSQL", &store, PlainPostgres { client, insert }, rows).await;
    store.close().await.unwrap();
    ratios
}

/// One prepared statement with arrays, which is its own transaction.
struct PlainPostgres {
    client: Client,
    insert: Statement,
}

impl Plain for PlainPostgres {
    async fn insert(&mut self, rows: &[PlainRow]) {
        let groups: Vec<i64> = rows.iter().map(|row| row.group_id).collect();
        let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        let ids: Vec<&str> = rows.iter().map(|row| &*row.client_message_id).collect();
        let contents: Vec<&str> = rows.iter().map(|row| &*row.content).collect();
        let inserted = self
            .client
            .execute(&self.insert, &[&groups, &seqs, &ids, &contents])
            .await
            .unwrap();
        assert_eq!(usize::try_from(inserted).unwrap(), rows.len());
    }

    async fn settle(&mut self) {
        // One at a time: a vacuum is no part of a transaction.
        for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
            self.client.batch_execute(statement).await.unwrap();
        }
    }
}
