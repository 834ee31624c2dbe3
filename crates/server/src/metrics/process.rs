//! The process, as Linux tells it, under the names that all of Prometheus' clients use.

use std::{fmt::Write as _, fs};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// What `/proc/self/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    /// User and system time, in ticks.
    ticks: u64,
    threads: u64,
    /// When it was started, in ticks after the start of the system.
    started: u64,
    resident_pages: u64,
}

/// The metrics in the text format; without those that the system does not tell.
pub(super) fn render() -> String {
    let mut page = String::new();
    let stat = fs::read_to_string("/proc/self/stat").ok();
    if let Some(stat) = stat.as_deref().and_then(parse) {
        let tick = clock_ticks_per_second();
        let resident = stat
            .resident_pages
            .saturating_mul(u64::try_from(page_size()).unwrap_or(0));
        metric(
            &mut page,
            "process_cpu_seconds_total",
            "counter",
            "CPU time",
            &seconds(stat.ticks, tick),
        );
        metric(
            &mut page,
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory",
            &resident.to_string(),
        );
        metric(
            &mut page,
            "process_threads",
            "gauge",
            "Threads",
            &stat.threads.to_string(),
        );
        if let Some(boot) = boot_time() {
            let started = seconds(stat.started.saturating_add(boot.saturating_mul(tick)), tick);
            metric(
                &mut page,
                "process_start_time_seconds",
                "gauge",
                "When the process was started, in seconds after 1970",
                &started,
            );
        }
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // One of them is what lists them.
        let open = files.count().saturating_sub(1).to_string();
        metric(
            &mut page,
            "process_open_fds",
            "gauge",
            "Open file descriptors",
            &open,
        );
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        let most = most.to_string();
        metric(
            &mut page,
            "process_max_fds",
            "gauge",
            "The most open file descriptors",
            &most,
        );
    }
    page
}

fn metric(page: &mut String, name: &str, kind: &str, help: &str, value: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        page,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
    );
}

/// Seconds with two digits, of which ticks have no more.
fn seconds(ticks: u64, per_second: u64) -> String {
    let per_second = per_second.max(1);
    let hundredths = (ticks % per_second).saturating_mul(100) / per_second;
    format!("{}.{hundredths:02}", ticks / per_second)
}

/// proc(5). The second field is the program's name in brackets, and may hold anything.
fn parse(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Counted from the third field, the first of these.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        ticks: field(14)?.saturating_add(field(15)?),
        threads: field(20)?,
        started: field(22)?,
        resident_pages: field(24)?,
    })
}

/// When the system was started, in seconds after 1970.
fn boot_time() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_may_hold_anything() {
        let line = "7 (a b) c) S 1 7 7 0 -1 4194560 2 3 0 0 150 25 0 0 20 0 4 0 500 123456 42 1 1";
        let expected = Stat {
            ticks: 175,
            threads: 4,
            started: 500,
            resident_pages: 42,
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("7 (a) S 1"), None);
    }

    #[test]
    fn ticks_are_hundredths() {
        assert_eq!(seconds(175, 100), "1.75");
        assert_eq!(seconds(5, 100), "0.05");
        assert_eq!(seconds(3, 0), "3.00");
    }

    #[test]
    fn this_process_is_told() {
        let page = render();
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_threads",
            "process_start_time_seconds",
            "process_open_fds",
            "process_max_fds",
        ] {
            assert!(page.contains(&format!("\n{name} ")), "{name}: {page}");
        }
    }
}
