//! When the next fetch is due.

use std::time::Duration;

/// What an issuer says about the age of its keys counts between these.
const SHORTEST_MAX_AGE: Duration = Duration::from_mins(1);
const LONGEST_MAX_AGE: Duration = Duration::from_hours(1);

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(1);

/// The shortest time between two fetches that nobody asked for.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);

/// How long a fetched set stands before the next fetch.
pub(super) fn after_success(refresh_every: Duration, max_age: Option<Duration>) -> Duration {
    let usual = refresh_every.max(SHORTEST_REFRESH);
    max_age.map_or(usual, |age| {
        age.clamp(SHORTEST_MAX_AGE.min(usual), LONGEST_MAX_AGE.max(usual))
    })
}

/// How long to wait after a row of so many failures, at least one.
pub(super) fn after_failures(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    FIRST_RETRY.saturating_mul(doubled).min(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_s_max_age_counts_within_bounds() {
        let secs = Duration::from_secs;
        for (every, max_age, expected) in [
            (300, None, 300),
            (300, Some(0), 60),
            (300, Some(15), 60),
            (300, Some(600), 600),
            (300, Some(86_400), 3600),
            (2, None, 2),
            (2, Some(0), 2),
            (2, Some(30), 30),
            (7200, None, 7200),
            (7200, Some(86_400), 7200),
            (0, None, 1),
            (0, Some(0), 1),
        ] {
            assert_eq!(
                after_success(secs(every), max_age.map(secs)),
                secs(expected),
                "{every} {max_age:?}"
            );
        }
    }

    #[test]
    fn failures_are_repeated_ever_more_slowly() {
        let waits: Vec<u64> = (1..=9)
            .map(|failures| after_failures(failures).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(after_failures(u32::MAX), Duration::from_mins(1));
    }
}
