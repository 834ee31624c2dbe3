//! Who is there, and what they share.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use fastrand::Rng;
use tokio::sync::watch;

use crate::clock::Clock;

/// What part of the users each group begins with, in percent; at least two.
const SIZES: [usize; 12] = [100, 60, 40, 25, 20, 15, 12, 10, 8, 5, 5, 5];

/// The groups and their first members.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) users: u64,
    /// Group `n` is at `n - 1`.
    members: Vec<Vec<u64>>,
}

impl World {
    pub(crate) fn new(users: u64, random: &mut Rng) -> Self {
        let members = SIZES.map(|percent| {
            let all = usize::try_from(users).unwrap_or(usize::MAX);
            let size = (all * percent / 100).max(2);
            let mut members = random.choose_multiple(1..=users, size);
            members.sort_unstable();
            members
        });
        Self {
            users,
            members: members.into(),
        }
    }

    /// Every group with its first members.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (u64, &[u64])> {
        (1..).zip(self.members.iter().map(Vec::as_slice))
    }

    pub(crate) fn group_count(&self) -> u64 {
        u64::try_from(self.members.len()).unwrap_or(u64::MAX)
    }
}

/// What the run does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Messages and faults.
    Running,
    /// No faults any more; everybody retries and recovers.
    Settling,
    /// Everybody has settled: a last look, and the end.
    Finishing,
}

/// What everybody in a run shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) server: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) folder: PathBuf,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) figures: Figures,
}

impl Shared {
    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }
}

/// What the progress shows; the numbers of the summary come from the evidence.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) kills: AtomicU64,
    pub(crate) database_faults: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) received: AtomicU64,
    /// Clients that have nothing open.
    pub(crate) settled: AtomicU64,
}

pub(crate) fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}
