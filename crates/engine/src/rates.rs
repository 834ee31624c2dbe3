//! How often clients may ask.
//!
//! Token buckets, as the generic cell rate algorithm keeps them (ITU-T I.371): one number each, no timer.

use std::{
    fmt,
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::HashMapStateStore,
};
use sealroom_domain::{ErrorCode, Extra, Rate, Refusal};

type NotUntil = governor::NotUntil<<DefaultClock as governor::clock::Clock>::Instant>;

/// The rate of one socket's requests.
pub(crate) struct EventRate {
    allowed: DefaultDirectRateLimiter,
    /// Those that are refused: a socket that goes on all the same is closed.
    refused: DefaultDirectRateLimiter,
}

/// Whether a socket may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventVerdict {
    /// The request may be served.
    Allowed,
    /// The request is refused.
    Refused(Refusal),
    /// The request is refused, and the socket is to be closed: it goes on although it was refused often.
    Flood(Refusal),
}

impl EventRate {
    /// Bursts over the rate before a socket is taken for a flood.
    const FLOOD_BURSTS: u32 = 10;

    pub(crate) fn new(rate: Rate) -> Self {
        let refusals = rate.burst.saturating_mul(
            // A product of two numbers that are not 0.
            Self::FLOOD_BURSTS.try_into().unwrap_or(rate.burst),
        );
        let refused = Rate {
            burst: refusals,
            ..rate
        };
        Self {
            allowed: RateLimiter::direct(quota(rate)),
            refused: RateLimiter::direct(quota(refused)),
        }
    }

    pub(crate) fn count(&self) -> EventVerdict {
        let Err(until) = self.allowed.check() else {
            return EventVerdict::Allowed;
        };
        if self.refused.check().is_ok() {
            EventVerdict::Refused(refusal(&until))
        } else {
            EventVerdict::Flood(refusal(&until))
        }
    }
}

impl fmt::Debug for EventRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventRate")
    }
}

/// A rate for each of many keys. Those that rest are forgotten.
pub struct KeyedRate<K: Hash + Eq + Clone> {
    limiter: Option<Limiter<K>>,
    counted: AtomicUsize,
}

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    /// After so many requests the keys that rest are forgotten: so there are about as many more than in use at most.
    const TIDY_AFTER: usize = 4096;

    /// `None` is no limit.
    pub fn new(rate: Option<Rate>) -> Self {
        Self::of(rate.map(quota))
    }

    /// So many at once, and then one in each of these periods.
    pub fn every(burst: u32, period: Duration) -> Self {
        let quota = Quota::with_period(period).zip(NonZeroU32::new(burst));
        Self::of(quota.map(|(quota, burst)| quota.allow_burst(burst)))
    }

    fn of(quota: Option<Quota>) -> Self {
        Self {
            limiter: quota.map(RateLimiter::hashmap),
            counted: AtomicUsize::new(0),
        }
    }

    /// Counts one more; refuses what is too much with `rate_limited` and when to come back.
    pub fn count(&self, key: &K) -> Result<(), Refusal> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        if self.counted.fetch_add(1, Ordering::Relaxed) % Self::TIDY_AFTER == Self::TIDY_AFTER - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        limiter.check_key(key).map_err(|until| refusal(&until))
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for KeyedRate<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRate")
            .field("is_limited", &self.limiter.is_some())
            .finish_non_exhaustive()
    }
}

fn quota(rate: Rate) -> Quota {
    Quota::per_second(rate.per_second).allow_burst(rate.burst)
}

fn refusal(until: &NotUntil) -> Refusal {
    let wait = until.wait_time_from(DefaultClock::default().now());
    Refusal::new(ErrorCode::RateLimited).with(Extra::RetryAfter(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_told_apart() {
        let rate = EventRate::new(Rate::new(1, 3).unwrap());
        let verdicts: Vec<_> = (0..40).map(|_| rate.count()).collect();
        let count = |is: fn(&EventVerdict) -> bool| verdicts.iter().filter(|one| is(one)).count();
        assert_eq!(count(|one| *one == EventVerdict::Allowed), 3);
        assert_eq!(count(|one| matches!(one, EventVerdict::Refused(_))), 30);
        assert_eq!(count(|one| matches!(one, EventVerdict::Flood(_))), 7);
        let EventVerdict::Refused(refusal) = &verdicts[3] else {
            panic!("{verdicts:?}")
        };
        assert!(
            matches!(refusal.extra, Some(Extra::RetryAfter(after)) if after.as_millis() > 900),
            "{refusal:?}"
        );
    }

    #[test]
    fn keys_do_not_share_a_rate_and_are_forgotten() {
        let rates = KeyedRate::new(Rate::new(1_000_000, 1));
        for key in 0..100_000 {
            assert!(rates.count(&key).is_ok());
        }
        let kept = rates.limiter.as_ref().unwrap().len();
        assert!(kept <= 2 * KeyedRate::<i32>::TIDY_AFTER, "{kept}");
        let slow = KeyedRate::every(1, Duration::from_mins(1));
        assert!(slow.count(&1).is_ok() && slow.count(&2).is_ok());
        assert!(slow.count(&1).is_err());
        assert!(KeyedRate::new(None).count(&1).is_ok());
    }
}
