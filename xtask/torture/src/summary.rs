//! What a run came to, for a person and as JSON.

use std::{fmt, fs, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use crate::check::{Tally, Violation};

/// How many violations are printed; the JSON has all.
const SHOWN: usize = 20;

/// What a run came to.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// `sqlite` or `postgres`.
    pub(crate) store: &'static str,
    /// How long messages and faults went on.
    pub(crate) minutes: f64,
    /// With which the same happens again, as far as machines allow.
    pub(crate) seed: u64,
    /// The numbers.
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// What must not be.
    pub(crate) violations: Vec<Violation>,
}

impl Summary {
    /// Writes it as JSON.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.tally;
        let mut line = |name: &str, value: String| writeln!(f, "  {name:<22} {value}");
        line("store", self.store.to_owned())?;
        line("time, seed", format!("{} minutes, {}", self.minutes, self.seed))?;
        line(
            "server",
            format!(
                "{} kills, {} drains, slowest start {} ms",
                tally.kills, tally.drains, tally.slowest_start_ms
            ),
        )?;
        line(
            "database",
            format!(
                "{} restarts, {} pauses, {} connections ended",
                tally.database_restarts, tally.database_pauses, tally.terminated_backends
            ),
        )?;
        line(
            "messages",
            format!(
                "{} sent, {} acknowledged, {} duplicate answers",
                tally.messages_sent, tally.messages_acknowledged, tally.duplicate_answers
            ),
        )?;
        line(
            "unknown outcomes",
            format!(
                "{} settled by a retry, {} left ({} of them stored)",
                tally.unknown_settled, tally.unknown_left, tally.unknown_left_stored
            ),
        )?;
        line(
            "deliveries checked",
            format!(
                "{} live, {} in joins and pages, over {} connections",
                tally.live_deliveries, tally.read_deliveries, tally.sessions
            ),
        )?;
        line(
            "logs",
            format!(
                "{} entries, {} changes of members",
                tally.entries, tally.member_changes
            ),
        )?;
        line(
            "answers",
            format!("{}, slowest {} ms", tally.answers, tally.slowest_answer_ms),
        )?;
        line("refusals", format!("{:?}", tally.refusals))?;
        line("violations", self.violations.len().to_string())?;
        for violation in self.violations.iter().take(SHOWN) {
            writeln!(f, "    {violation}")?;
        }
        if self.violations.len() > SHOWN {
            writeln!(f, "    and {} more", self.violations.len() - SHOWN)?;
        }
        Ok(())
    }
}
