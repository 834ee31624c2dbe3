//! Crashes and halts PostgreSQL, and ends the server's connections.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use fastrand::Rng;
use tokio::{task::spawn_blocking, time::sleep};
use tokio_postgres::{NoTls, types::ToSql};
use xtask_postgres::{Cluster, ClusterOptions};

use super::Faults;
use crate::{
    log::Fault,
    world::{Phase, Shared, count},
};

/// Ends connections, each with this probability.
const TERMINATE: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND random() < $1";

/// A database of its own for the run.
pub(crate) async fn start_database() -> anyhow::Result<Cluster> {
    let options = ClusterOptions {
        durable: true,
        ..ClusterOptions::default()
    };
    spawn_blocking(move || Cluster::start(&options)).await?
}

/// Whoever owns the database.
pub(crate) struct DatabaseChaos {
    cluster: Cluster,
    faults: Faults,
    random: Rng,
    shared: Arc<Shared>,
}

impl DatabaseChaos {
    pub(crate) fn new(cluster: Cluster, faults: Faults, shared: Arc<Shared>, seed: u64) -> Self {
        Self {
            cluster,
            faults,
            random: Rng::with_seed(seed),
            shared,
        }
    }

    /// Torments it until the end, and leaves it well.
    pub(crate) async fn run(mut self) -> anyhow::Result<Self> {
        let mut phase = self.shared.phase.clone();
        while self.shared.phase() == Phase::Running {
            let pause = Duration::from_millis(self.random.u64(2_000..8_000));
            tokio::select! {
                () = sleep(pause) => self = self.fault().await?,
                _ = phase.changed() => {}
            }
        }
        Ok(self)
    }

    /// What PostgreSQL has logged.
    pub(crate) fn log(&self) -> String {
        self.cluster.log()
    }

    async fn fault(mut self) -> anyhow::Result<Self> {
        count(&self.shared.figures.database_faults);
        self.faults.disturb_database();
        match self.random.u8(0..4) {
            0 | 1 => self = self.restart().await?,
            2 => self.pause().await?,
            _ => self.terminate().await?,
        }
        self.faults.calm_database();
        Ok(self)
    }

    async fn restart(mut self) -> anyhow::Result<Self> {
        self.faults.begin(Fault::DatabaseRestart)?;
        let restarting = spawn_blocking(move || self.cluster.restart_immediate().map(|()| self));
        restarting.await?.context("the database does not come back")
    }

    async fn pause(&mut self) -> anyhow::Result<()> {
        let ms = self.random.u64(1_000..=6_000);
        self.faults.begin(Fault::DatabasePause { ms })?;
        self.cluster.pause()?;
        sleep(Duration::from_millis(ms)).await;
        self.cluster.resume()
    }

    /// Some or all of them.
    async fn terminate(&mut self) -> anyhow::Result<()> {
        let (client, connection) = tokio_postgres::connect(&self.cluster.url(), NoTls).await?;
        let part = self.random.choice([0.3_f64, 0.6, 1.0]).unwrap_or(1.0);
        let parameters: [&(dyn ToSql + Sync); 1] = [&part];
        let ended = tokio::select! {
            row = client.query_one(TERMINATE, &parameters) => row?.try_get::<_, i64>(0)?,
            _ = connection => 0,
        };
        self.faults.begin(Fault::Backends {
            count: ended.try_into()?,
        })
    }
}
