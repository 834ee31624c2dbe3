//! The suite of [`Clock`].

#![expect(
    clippy::unused_async,
    reason = "a property is an async function, like those of the other suites"
)]

use std::{
    any::Any,
    sync::Arc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sealroom_domain::{Timestamp, ports::Clock};

use super::{fixture::KeepAlive, macros::suite};

/// A clock.
#[derive(Debug)]
pub struct ClockFixture {
    clock: Arc<dyn Clock>,
    follows_the_machine: bool,
    keep_alive: KeepAlive,
}

impl ClockFixture {
    /// A clock that may show any time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            follows_the_machine: false,
            keep_alive: KeepAlive::default(),
        }
    }

    /// The clock shows the time of this machine: the suite compares it.
    #[must_use]
    pub fn following_the_machine(mut self) -> Self {
        self.follows_the_machine = true;
        self
    }

    /// What must live as long as the fixture.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }
}

impl<T: Clock + 'static> From<T> for ClockFixture {
    fn from(clock: T) -> Self {
        Self::new(Arc::new(clock))
    }
}

suite!(
    /// Makes one test of each property of [`Clock`](sealroom_domain::ports::Clock).
    ///
    /// Takes a future of a clock, or of a [`ClockFixture`](crate::conformance::clock::ClockFixture). See
    /// [`crate::conformance`].
    clock_conformance, PROPERTIES, clock, ClockFixture, $, [
        now_is_a_moment_of_this_century,
        threads_share_the_time,
        now_is_the_machines_time,
        time_goes_on,
    ]
);

/// Microseconds since 1970, between the years 2000 and 2100: another unit or another epoch shows.
pub async fn now_is_a_moment_of_this_century(fixture: ClockFixture) {
    let now = fixture.clock.now();
    assert!(now > Timestamp::from_secs(946_684_800), "{now:?} is before 2000");
    assert!(now < Timestamp::from_secs(4_102_444_800), "{now:?} is after 2100");
}

/// Every thread sees the same clock.
pub async fn threads_share_the_time(fixture: ClockFixture) {
    let readings: Vec<Timestamp> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| fixture.clock.now())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (first, last) = (readings.iter().min().unwrap(), readings.iter().max().unwrap());
    assert!(*last <= first.plus(Duration::from_secs(10)), "{readings:?}");
}

/// A clock of this machine is within ten seconds of it.
pub async fn now_is_the_machines_time(fixture: ClockFixture) {
    if fixture.follows_the_machine {
        let (now, machine) = (fixture.clock.now(), machine_time());
        let tolerance = Duration::from_secs(10);
        assert!(
            now <= machine.plus(tolerance) && machine <= now.plus(tolerance),
            "{now:?}, but the machine says {machine:?}"
        );
    }
}

/// A clock of this machine moves on, as fast as the machine does.
pub async fn time_goes_on(fixture: ClockFixture) {
    if fixture.follows_the_machine {
        let before = fixture.clock.now();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let after = fixture.clock.now();
        assert!(
            after >= before.plus(Duration::from_millis(25)),
            "{before:?} {after:?}"
        );
        assert!(
            after <= before.plus(Duration::from_secs(10)),
            "{before:?} {after:?}"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "this is what a clock is compared with")]
fn machine_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}
