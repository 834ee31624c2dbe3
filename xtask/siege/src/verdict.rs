//! What was asked of a run, and whether it held.

use std::{fmt::Display, time::Duration};

/// The lines of a run.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    lines: Vec<(bool, String)>,
}

impl Verdict {
    pub(crate) fn holds(&mut self, what: &str, holds: bool) {
        self.lines.push((holds, what.to_owned()));
    }

    /// A figure that is at most this.
    pub(crate) fn at_most<T: PartialOrd + Display + Copy>(&mut self, what: &str, figure: T, most: T) {
        self.lines
            .push((figure <= most, format!("{what}: {figure} (at most {most})")));
    }

    /// A ratio that is at least this, in percent.
    pub(crate) fn at_least_percent(&mut self, what: &str, percent: u64, least: u64) {
        self.lines.push((
            percent >= least,
            format!("{what}: {percent} % (at least {least} %)"),
        ));
    }

    /// What was measured, for whoever reads.
    pub(crate) fn tell(&mut self, what: String) {
        self.lines.push((true, what));
    }

    pub(crate) fn is_good(&self) -> bool {
        self.lines.iter().all(|(holds, _)| *holds)
    }

    pub(crate) fn print(&self) {
        for (holds, line) in &self.lines {
            println!("{} {line}", if *holds { "ok    " } else { "FAILED" });
        }
    }
}

/// Milliseconds with two digits.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

/// Mebibytes with one digit.
pub(crate) fn mib(bytes: u64) -> f64 {
    let tenths = u32::try_from(bytes / (1024 * 1024 / 10)).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}
