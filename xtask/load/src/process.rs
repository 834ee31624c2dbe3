//! What a process uses, as Linux tells it.

use std::{fs, time::Duration};

use anyhow::Context as _;

/// A process of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Process(u32);

/// What it used so far, and has now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Time on a processor, of all its threads, in steps of 10 ms.
    pub cpu: Duration,
    /// Resident memory without the pages of files, in bytes.
    pub memory: u64,
}

impl Process {
    /// The one with this id.
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// This one.
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// What it uses.
    ///
    /// # Errors
    /// It has ended, or this is not Linux.
    pub fn usage(self) -> anyhow::Result<Usage> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.0);
            fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
        };
        Ok(Usage {
            cpu: cpu(&read("stat")?).context("a strange /proc/…/stat")?,
            memory: memory(&read("status")?).context("a strange /proc/…/status")?,
        })
    }
}

/// Fields 14 and 15 of proc(5), behind the name, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(
        ticks * 1000 / rustix::param::clock_ticks_per_second(),
    ))
}

fn memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let mut junk = vec![0_u64; 4 * 1024 * 1024];
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_millis(60) {
            for word in &mut junk {
                *word = word.wrapping_mul(3) + 1;
            }
        }
        let usage = Process::own().usage().unwrap();
        assert!(usage.memory > 32 * 1024 * 1024, "{usage:?}");
        assert!(usage.cpu >= Duration::from_millis(30), "{usage:?}");
        assert!(Process::new(u32::MAX).usage().is_err());
        assert!(junk.iter().any(|word| *word != 0));
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
    }
}
