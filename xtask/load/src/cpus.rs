//! Which processors are whose.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Those of the server, and those of its clients.
#[derive(Debug)]
pub struct Processors {
    all: CpuSet,
    server: CpuSet,
    clients: CpuSet,
}

impl Processors {
    /// Everybody has all of them.
    ///
    /// # Errors
    /// The system does not tell which there are.
    pub fn shared() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        Ok(Self {
            all,
            server: all,
            clients: all,
        })
    }

    /// The first one is the server's, the others are its clients', as if these were two machines; with one alone, all
    /// share it. Keeps this thread, and those that it starts, to the clients'.
    ///
    /// # Errors
    /// The system does not tell which there are, or does not divide them.
    pub fn divide() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut ours = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
        let (mut server, mut clients) = (CpuSet::new(), CpuSet::new());
        if let Some(first) = ours.next() {
            server.set(first);
        }
        for cpu in ours {
            clients.set(cpu);
        }
        if clients.count() == 0 {
            clients = server;
        }
        sched_setaffinity(None, &clients)?;
        Ok(Self { all, server, clients })
    }

    /// Starts a process on the server's.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn for_server<T>(&self, start: impl FnOnce() -> T) -> io::Result<T> {
        self.on(&self.server, start)
    }

    /// Starts a process on all of them.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn for_all<T>(&self, start: impl FnOnce() -> T) -> io::Result<T> {
        self.on(&self.all, start)
    }

    fn on<T>(&self, cpus: &CpuSet, start: impl FnOnce() -> T) -> io::Result<T> {
        // What is started has what its parent's thread has at that moment.
        sched_setaffinity(None, cpus)?;
        let started = start();
        sched_setaffinity(None, &self.clients)?;
        Ok(started)
    }
}
