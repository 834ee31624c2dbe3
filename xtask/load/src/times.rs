//! How long things took.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::Serialize;

/// Longer ones count as this long, two minutes: nothing is waited for that long.
const LONGEST_MICROS: u64 = 120_000_000;
/// Digits of a time that are kept.
const DIGITS: u8 = 3;

/// Times of many, to the microsecond, with three digits.
#[derive(Debug)]
pub struct Times(Mutex<Histogram<u64>>);

/// What is said of [`Times`], in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Summary {
    /// How many there were.
    pub count: u64,
    /// Half of them were as fast as this.
    pub p50: f64,
    /// 90 of 100.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1 000.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

impl Default for Times {
    #[expect(clippy::expect_used, reason = "these bounds are allowed")]
    fn default() -> Self {
        let empty = Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS);
        Self(Mutex::new(
            empty.expect("from 1 to more than 2, with up to five digits"),
        ))
    }
}

impl Times {
    /// One more.
    pub fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().saturating_record(micros);
    }

    /// What there is to say of all.
    pub fn summary(&self) -> Summary {
        let all = self.0.lock();
        let at = |quantile: f64| millis(all.value_at_quantile(quantile));
        Summary {
            count: all.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: millis(all.max()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p50 {:.2} ms, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2}",
            self.p50, self.p90, self.p99, self.p999, self.max
        )
    }
}

fn millis(micros: u64) -> f64 {
    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_of_all_times() {
        let times = Times::default();
        for millis in 1..=100 {
            times.add(Duration::from_millis(millis));
        }
        let summary = times.summary();
        assert_eq!(summary.count, 100);
        for (figure, expected) in [(summary.p50, 50.0), (summary.p99, 99.0), (summary.max, 100.0)] {
            assert!((figure / expected - 1.0).abs() < 0.002, "{summary:?}");
        }
    }
}
