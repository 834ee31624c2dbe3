//! When to try again.

use std::time::Duration;

use sealroom_domain::GroupId;
use tokio::time::Instant;

/// After the first failure in a row.
const FIRST: Duration = Duration::from_secs(1);
/// Between two attempts for one group at most, unless the receiver asks for more.
const MOST: Duration = Duration::from_mins(5);
/// Between two attempts while nothing at all is accepted.
const MOST_OF_PROBES: Duration = Duration::from_secs(30);
/// What a receiver may ask for with `Retry-After`, for the group of the event.
const MOST_ASKED_FOR: Duration = Duration::from_hours(1);
/// The same for all groups.
const MOST_ASKED_FOR_OF_ALL: Duration = Duration::from_mins(5);

/// The delay after so many failures in a row: twice as long each time, and a random part of it less, so that what failed
/// together does not come again together.
pub(crate) fn delay(failures: u32, asked_for: Option<Duration>) -> Duration {
    jittered(doubled(failures, MOST)).max(asked_for.unwrap_or_default().min(MOST_ASKED_FOR))
}

fn doubled(failures: u32, most: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    FIRST.saturating_mul(1 << doublings).min(most)
}

/// Between half of it and all of it.
fn jittered(delay: Duration) -> Duration {
    let half = delay / 2;
    // Without random numbers everything is due at once, which is no reason not to go on.
    let random = getrandom::u32().unwrap_or_default();
    half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Lets few requests through while the receiver accepts nothing.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// The groups that failed since the last success, up to [`Breaker::GROUPS`].
    failed: Vec<GroupId>,
    open: Option<Open>,
    /// Since when nothing was accepted.
    failing_since: Option<Instant>,
    /// The receiver wants to hear nothing more.
    gone: bool,
}

#[derive(Debug)]
struct Open {
    failures: u32,
    probe_at: Instant,
    probing: bool,
}

/// What may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// As much as the options allow.
    All,
    /// One request, once nothing is in flight.
    Probe,
    /// Nothing.
    Nothing,
}

impl Breaker {
    /// When so many groups fail in a row, it is not the groups.
    const GROUPS: usize = 3;

    pub(crate) fn permit(&self, now: Instant) -> Permit {
        match &self.open {
            _ if self.gone => Permit::Nothing,
            None => Permit::All,
            Some(open) if open.probing || now < open.probe_at => Permit::Nothing,
            Some(_) => Permit::Probe,
        }
    }

    /// A probe was sent.
    pub(crate) fn probing(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
    }

    /// When the next probe is due.
    pub(crate) fn next_probe(&self) -> Option<Instant> {
        let open = self.open.as_ref().filter(|open| !open.probing && !self.gone)?;
        Some(open.probe_at)
    }

    /// Something was accepted; `true` where nothing was for a while.
    pub(crate) fn succeeded(&mut self) -> bool {
        self.failed.clear();
        self.failing_since = None;
        self.open.take().is_some()
    }

    /// An attempt for this group failed; `throttled` where the receiver said that all of it is too much.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        group_id: GroupId,
        throttled: bool,
        asked_for: Option<Duration>,
    ) {
        self.failing_since.get_or_insert(now);
        if !self.failed.contains(&group_id) && self.failed.len() < Self::GROUPS {
            self.failed.push(group_id);
        }
        let failures = match &self.open {
            // Requests that were in flight when it opened say nothing new.
            Some(open) if !open.probing => return,
            Some(open) => open.failures.saturating_add(1),
            None if throttled || self.failed.len() >= Self::GROUPS => 1,
            None => return,
        };
        let delay = jittered(doubled(failures, MOST_OF_PROBES));
        self.open = Some(Open {
            failures,
            probe_at: now + delay.max(asked_for.unwrap_or_default().min(MOST_ASKED_FOR_OF_ALL)),
            probing: false,
        });
    }

    /// The probe told nothing of the receiver.
    pub(crate) fn probe_lost(&mut self, again: Instant) {
        if let Some(open) = &mut self.open {
            open.probing = false;
            open.probe_at = open.probe_at.max(again);
        }
    }

    /// The receiver said that it wants no more; `true` for the first time.
    pub(crate) fn gone(&mut self) -> bool {
        !std::mem::replace(&mut self.gone, true)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Since when nothing was accepted, where it is open.
    pub(crate) fn failing_since(&self) -> Option<Instant> {
        self.open.as_ref().and(self.failing_since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: i64) -> GroupId {
        GroupId::new(id).unwrap()
    }

    #[test]
    fn delays_double_up_to_a_bound_and_are_never_less_than_half() {
        for (failures, full) in [
            (1, 1),
            (2, 2),
            (3, 4),
            (8, 128),
            (9, 256),
            (10, 300),
            (u32::MAX, 300),
        ] {
            let full = Duration::from_secs(full);
            for _ in 0..50 {
                let delay = delay(failures, None);
                assert!((full / 2..=full).contains(&delay), "{failures}: {delay:?}");
            }
        }
    }

    #[test]
    fn a_receiver_may_ask_for_more_but_not_for_ever() {
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(delay(1, asked(60)), Duration::from_mins(1));
        assert!(delay(10, asked(60)) >= Duration::from_secs(150));
        assert_eq!(delay(1, asked(u64::MAX)), MOST_ASKED_FOR);
    }

    #[tokio::test(start_paused = true)]
    async fn three_groups_in_a_row_open_it_and_a_probe_closes_it() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for id in [1, 2, 1, 2, 2] {
            breaker.failed(now, group(id), false, None);
            assert_eq!(breaker.permit(now), Permit::All);
        }
        breaker.failed(now, group(3), false, None);
        assert_eq!(breaker.permit(now), Permit::Nothing);
        // What was in flight does not move the probe.
        breaker.failed(now, group(4), false, None);
        let later = now + Duration::from_secs(1);
        assert_eq!(breaker.permit(later), Permit::Probe);
        breaker.probing();
        assert_eq!(breaker.permit(later), Permit::Nothing);
        breaker.failed(later, group(5), false, None);
        assert!(breaker.next_probe().unwrap() >= later + Duration::from_secs(1));
        assert!(breaker.succeeded());
        assert_eq!(breaker.permit(later), Permit::All);
        assert!(!breaker.succeeded());
    }

    #[tokio::test(start_paused = true)]
    async fn probes_come_every_half_minute_at_the_latest() {
        let mut breaker = Breaker::default();
        let mut now = Instant::now();
        breaker.failed(now, group(1), true, None);
        for _ in 0..40 {
            let next = breaker.next_probe().unwrap();
            assert!(next - now <= MOST_OF_PROBES);
            now = next;
            assert_eq!(breaker.permit(now), Permit::Probe);
            breaker.probing();
            breaker.failed(now, group(1), false, None);
        }
        assert!(breaker.next_probe().unwrap() - now >= MOST_OF_PROBES / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_requests_opens_it_at_once_for_as_long_as_was_asked() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        breaker.failed(now, group(1), true, Some(Duration::from_secs(90)));
        assert_eq!(breaker.next_probe(), Some(now + Duration::from_secs(90)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_is_gone_gets_nothing() {
        let mut breaker = Breaker::default();
        assert!(breaker.gone());
        assert!(!breaker.gone());
        assert_eq!(breaker.permit(Instant::now()), Permit::Nothing);
        assert_eq!(breaker.next_probe(), None);
    }
}
