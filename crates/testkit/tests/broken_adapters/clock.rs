//! Clocks in other units, or that stand still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sealroom_domain::{Timestamp, ports::Clock};
use sealroom_testkit::{
    conformance::clock::{self, ClockFixture},
    memory::FixedClock,
};

use super::caught;

/// A clock that computes its time from the machine's, in microseconds.
struct Computed(fn(i64) -> i64);

impl std::fmt::Debug for Computed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Computed")
    }
}

impl Clock for Computed {
    #[expect(clippy::disallowed_methods, reason = "the clock under test is the machine's")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_micros(self.0(since.as_micros().try_into().unwrap()))
    }
}

/// A clock that jumps by an hour whenever somebody looks.
#[derive(Debug, Default)]
struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        let looks = self.0.fetch_add(1, Ordering::SeqCst);
        FixedClock::default()
            .now()
            .plus(Duration::from_hours(looks.try_into().unwrap()))
    }
}

fn computed(compute: fn(i64) -> i64) -> ClockFixture {
    ClockFixture::new(Arc::new(Computed(compute))).following_the_machine()
}

mod without_a_defect {
    use super::computed;

    sealroom_testkit::clock_conformance!(async { computed(|micros| micros) });
}

caught! {
    the_clock_counts_milliseconds: clock::now_is_a_moment_of_this_century, computed(|micros| micros / 1_000);
    the_clock_counts_nanoseconds: clock::now_is_a_moment_of_this_century, computed(|micros| micros * 1_000);
    the_clock_begins_in_1601: clock::now_is_a_moment_of_this_century,
        computed(|micros| micros + 11_644_473_600_000_000);
    the_clock_jumps: clock::threads_share_the_time, ClockFixture::from(Jumping::default());
    the_clock_is_in_local_time: clock::now_is_the_machines_time,
        computed(|micros| micros + 7 * 3_600_000_000);
    the_clock_stands_still: clock::now_is_the_machines_time,
        ClockFixture::new(Arc::new(FixedClock::default())).following_the_machine();
}

/// Not with a paused runtime: here real time has to pass.
#[tokio::test]
async fn a_clock_of_whole_days_is_caught() {
    let started = Instant::now();
    let fixture = computed(|micros| micros / 86_400_000_000 * 86_400_000_000);
    super::assert_caught(clock::time_goes_on(fixture)).await;
    assert!(
        started.elapsed() >= Duration::from_millis(40),
        "the property waited"
    );
}
