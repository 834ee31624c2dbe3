//! The PostgreSQL server of a test.

use tokio::{
    task::{JoinSet, block_in_place},
    time::{Duration, timeout},
};
use tokio_postgres::NoTls;
use xtask_postgres::{Cluster, ClusterOptions};

use crate::common::TestServer;

/// A new PostgreSQL server with an empty database.
pub(crate) fn start() -> Cluster {
    block_in_place(|| Cluster::start(&ClusterOptions::default())).unwrap()
}

/// A new server on this database.
pub(crate) fn serve(database: &Cluster) -> TestServer {
    block_in_place(|| TestServer::start_with(&[("SEALROOM_DATABASE_URL", &database.url())]))
}

/// A connection past the server.
pub(crate) struct Outside {
    client: tokio_postgres::Client,
    /// Carries the connection.
    _tasks: JoinSet<()>,
}

impl Outside {
    pub(crate) async fn connect(database: &Cluster) -> Self {
        let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Its end shows where something is asked.
            let _ = connection.await;
        });
        Self {
            client,
            _tasks: tasks,
        }
    }

    /// Statements without values.
    pub(crate) async fn run(&self, statements: &str) {
        let run = self.client.batch_execute(statements);
        timeout(Duration::from_secs(5), run).await.unwrap().unwrap();
    }

    /// The only number that this query gives.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.client.query_one(query, &[]).await.unwrap().get(0)
    }
}
