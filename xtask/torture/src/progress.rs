//! What a person sees while it runs.

use std::{
    io::IsTerminal as _,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{clock::millis, world::Figures};

/// How often a line is printed where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// A bar on a terminal, a line now and then elsewhere.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    next_line: Instant,
}

impl Progress {
    pub(crate) fn new(length: Duration) -> anyhow::Result<Self> {
        let bar = if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}")?;
            Some(ProgressBar::new(millis(length)).with_style(style))
        } else {
            None
        };
        let started = Instant::now();
        Ok(Self {
            bar,
            started,
            next_line: started + LINES,
        })
    }

    pub(crate) fn show(&mut self, figures: &Figures) {
        let elapsed = self.started.elapsed();
        if let Some(bar) = &self.bar {
            bar.set_position(millis(elapsed));
            bar.set_message(line(figures));
        } else if Instant::now() >= self.next_line {
            self.next_line += LINES;
            eprintln!("{:>4} s: {}", elapsed.as_secs(), line(figures));
        }
    }

    /// Says what begins now.
    pub(crate) fn say(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => eprintln!("{:>4} s: {what}", self.started.elapsed().as_secs()),
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(figures: &Figures) -> String {
    let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
    format!(
        "{} kills, {} database faults, {} sent, {} acknowledged, {} received",
        of(&figures.kills),
        of(&figures.database_faults),
        of(&figures.sent),
        of(&figures.acknowledged),
        of(&figures.received),
    )
}
