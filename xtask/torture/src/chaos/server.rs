//! Kills the server, and starts it again.

use std::{process::ExitStatus, sync::Arc, time::Duration};

use anyhow::bail;
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::Faults;
use crate::{
    clock::millis,
    log::Fault,
    server::Server,
    world::{Phase, Shared, count},
};

/// How long it may take until a start succeeds, while the database is disturbed.
const COME_BACK: Duration = Duration::from_secs(90);

/// Whoever owns the server's process, and watches it.
pub(crate) struct ServerChaos {
    server: Server,
    faults: Faults,
    random: Rng,
    shared: Arc<Shared>,
}

impl ServerChaos {
    pub(crate) fn new(server: Server, faults: Faults, shared: Arc<Shared>, seed: u64) -> Self {
        Self {
            server,
            faults,
            random: Rng::with_seed(seed),
            shared,
        }
    }

    /// Kills it until the end, and watches it from then on until everybody has settled.
    pub(crate) async fn run(mut self) -> anyhow::Result<Self> {
        let mut phase = self.shared.phase.clone();
        while self.shared.phase() == Phase::Running {
            let pause = self.pause();
            tokio::select! {
                exit = self.server.exit() => self.ended(exit?).await?,
                () = sleep(pause) => self.fault().await?,
                _ = phase.changed() => {}
            }
        }
        Ok(self)
    }

    /// Watches it without harming it; never ends by itself.
    pub(crate) async fn watch(&mut self) -> anyhow::Result<()> {
        loop {
            let exit = self.server.exit().await?;
            self.ended(exit).await?;
        }
    }

    /// The end of the run: it must be able to go.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Err(error) = self.server.drain().await {
            self.faults.wrong(format!("the last drain: {error:#}"))?;
        }
        Ok(())
    }

    /// One in five follows shortly after the one before: during recovery, or during the start.
    fn pause(&mut self) -> Duration {
        Duration::from_millis(match self.random.u8(0..5) {
            0 => self.random.u64(0..300),
            _ => self.random.u64(1_000..5_000),
        })
    }

    async fn fault(&mut self) -> anyhow::Result<()> {
        if self.random.u8(0..10) == 0 {
            self.drain().await
        } else {
            self.kill().await
        }
    }

    /// Kills it and starts it again.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.faults.begin(Fault::Kill)?;
        count(&self.shared.figures.kills);
        if let Some(status) = self.server.kill().await? {
            self.faults
                .wrong(format!("the server ended by itself: {status}"))?;
        }
        self.start().await
    }

    async fn drain(&mut self) -> anyhow::Result<()> {
        self.faults.begin(Fault::Drain)?;
        let since = self.shared.clock.now();
        match self.server.drain().await {
            Ok(status) if status.success() => {}
            Ok(status) => self.faults.wrong(format!("a drain ended with {status}"))?,
            // Writing back to a database that does not answer takes as long as that.
            Err(_) if !self.faults.is_database_calm(since) => {}
            Err(error) => self.faults.wrong(format!("a drain: {error:#}"))?,
        }
        self.start().await
    }

    async fn ended(&mut self, status: ExitStatus) -> anyhow::Result<()> {
        self.faults
            .wrong(format!("the server ended by itself: {status}"))?;
        self.start().await
    }

    /// A start may fail as long as the database is not there.
    async fn start(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + COME_BACK;
        loop {
            let since = self.shared.clock.now();
            match self.server.start_again().await {
                Ok(took) => return self.faults.ready(millis(took)),
                Err(error) if Instant::now() > deadline => bail!("{error:#}, for {COME_BACK:?}"),
                Err(error) if self.faults.is_database_calm(since) => {
                    self.faults.wrong(format!("a start: {error:#}"))?;
                }
                Err(_) => {}
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}
