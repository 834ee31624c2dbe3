//! What happens to servers.

mod database;
mod server;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    clock::Clock,
    evidence::files,
    log::{Fault, FaultLine, Log},
};

pub(crate) use database::{DatabaseChaos, start_database};
pub(crate) use server::ServerChaos;

/// The log of the faults, and what they have to know of each other.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    log: Arc<Mutex<Log>>,
    clock: Clock,
    database: Arc<Database>,
}

/// How the database is.
#[derive(Debug, Default)]
struct Database {
    /// Faults that go on.
    at_work: AtomicU64,
    /// When the last one was over.
    calm_since: AtomicU64,
}

impl Faults {
    pub(crate) fn new(folder: &Path, clock: Clock) -> anyhow::Result<Self> {
        Ok(Self {
            log: Arc::new(Mutex::new(Log::create(&folder.join(files::FAULTS))?)),
            clock,
            database: Arc::default(),
        })
    }

    /// Writes down that a fault begins.
    fn begin(&self, fault: Fault) -> anyhow::Result<()> {
        let at = self.clock.now();
        self.append(&FaultLine::Fault { at, fault })
    }

    fn ready(&self, took_ms: u64) -> anyhow::Result<()> {
        let at = self.clock.now();
        self.append(&FaultLine::Ready { at, took_ms })
    }

    /// Writes down what no fault explains.
    pub(crate) fn wrong(&self, what: String) -> anyhow::Result<()> {
        let at = self.clock.now();
        self.append(&FaultLine::Wrong { at, what })
    }

    fn append(&self, line: &FaultLine) -> anyhow::Result<()> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.append(line)?;
        log.flush()
    }

    fn disturb_database(&self) {
        self.database.at_work.fetch_add(1, Ordering::SeqCst);
    }

    fn calm_database(&self) {
        self.database.calm_since.store(self.clock.now(), Ordering::SeqCst);
        self.database.at_work.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether the database was well from `since` until now.
    fn is_database_calm(&self, since: u64) -> bool {
        self.database.at_work.load(Ordering::SeqCst) == 0
            && self.database.calm_since.load(Ordering::SeqCst) <= since
    }
}
