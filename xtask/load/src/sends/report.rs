//! What a run came to.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{Plan, Spent, Window, member::Member, tally::Tally};
use crate::{check::Faults, float, times::Summary};

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How many sockets took part.
    pub sockets: u64,
    /// How long it was measured.
    pub seconds: f64,
    /// Messages acknowledged in that time, a second.
    pub sends_per_second: f64,
    /// Messages delivered, a second.
    pub deliveries_per_second: f64,
    /// From the moment a message was due to its answer, in milliseconds.
    pub ack_ms: Summary,
    /// To each socket that got it.
    pub delivery_ms: Summary,
    /// Refusals by their code, the warm-up included.
    pub refused: BTreeMap<String, u64>,
    /// Requests that were not answered.
    pub unanswered: u64,
    /// What went wrong with deliveries.
    pub faults: Faults,
    /// The server's process, where it is known.
    pub server: Option<Use>,
    /// The load generator itself. Where it needs its whole processor, it is what was measured.
    pub generator: Use,
}

/// What a process used.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Use {
    /// Of one processor.
    pub cpu_percent: f64,
    /// For each delivery.
    pub cpu_micros_per_delivery: f64,
    /// For each message.
    pub cpu_micros_per_send: f64,
    /// Resident memory at the end, without the pages of files.
    pub memory_mib: f64,
}

pub(super) fn of(plan: &Plan, tally: &Tally, members: &[Member], window: &Window) -> Report {
    let mut faults = Faults::default();
    for member in members {
        faults += member.faults();
    }
    let a_second = |count: u64| float(count) / window.seconds;
    let used = |spent: Spent| {
        let micros = spent.cpu.as_secs_f64() * 1e6;
        Use {
            cpu_percent: spent.cpu.as_secs_f64() / window.seconds * 100.0,
            cpu_micros_per_delivery: micros / float(window.delivered.max(1)),
            cpu_micros_per_send: micros / float(window.acknowledged.max(1)),
            memory_mib: float(spent.memory / 1024) / 1024.0,
        }
    };
    Report {
        sockets: plan.shape.sockets(),
        seconds: window.seconds,
        sends_per_second: a_second(window.acknowledged),
        deliveries_per_second: a_second(window.delivered),
        ack_ms: tally.acks.summary(),
        delivery_ms: tally.deliveries.summary(),
        refused: tally.refused(),
        unanswered: members.iter().map(Member::unanswered).sum(),
        faults,
        server: window.server.map(used),
        generator: used(window.own),
    }
}

impl Report {
    /// Whether every message was answered, and came to everybody once and in order.
    pub fn is_exact(&self) -> bool {
        self.faults.is_none() && self.unanswered == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} sockets for {:.1} s: {:.0} messages/s acknowledged, {:.0} deliveries/s",
            self.sockets, self.seconds, self.sends_per_second, self.deliveries_per_second
        )?;
        for (what, times) in [("ack", &self.ack_ms), ("delivery", &self.delivery_ms)] {
            writeln!(f, "{what:<10} {times}")?;
        }
        let Faults {
            lost,
            doubled,
            disordered,
        } = self.faults;
        writeln!(
            f,
            "deliveries {lost} lost, {doubled} doubled, {disordered} out of order; {} requests without an answer",
            self.unanswered
        )?;
        for (code, count) in &self.refused {
            writeln!(f, "refused    {count} {code}")?;
        }
        if let Some(server) = self.server {
            writeln!(f, "server     {server}")?;
        }
        write!(f, "generator  {}", self.generator)?;
        if self.generator.cpu_percent > 90.0 {
            write!(
                f,
                "\nThe load generator is busy all the time: the server may be able to do more."
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} % of a processor, {:.1} µs a delivery, {:.1} µs a message, {:.1} MiB",
            self.cpu_percent, self.cpu_micros_per_delivery, self.cpu_micros_per_send, self.memory_mib
        )
    }
}
