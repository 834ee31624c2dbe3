//! Every suite fails where an adapter breaks its contract.
//!
//! Each test breaks an adapter in one way that happens in real stores, and names a property that catches it. The same
//! wrappers without a defect pass the whole suites, so it is the defect that is caught.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed check ends the test"
)]

mod accounts;
mod clock;
mod credentials;
mod group_log;
mod group_log_changes;
mod group_log_guards;
mod group_log_races;
mod groups;
mod memberships;
mod outbox;
mod racing;
mod read_marks;
mod rewriting;
mod token_verifier;
mod upkeep;
mod users;

use std::time::Duration;

use tokio::{task::JoinSet, time::timeout};

/// Runs a property in a task and expects it to panic, or to hang.
async fn assert_caught(property: impl Future<Output = ()> + Send + 'static) {
    let mut task = JoinSet::new();
    task.spawn(property);
    // A property that waits for ever is caught by its deadline; with a paused clock that takes no time.
    match timeout(Duration::from_mins(2), task.join_next()).await {
        Ok(Some(Ok(()))) => panic!("the property passes, although the adapter is broken"),
        Ok(Some(Err(error))) => assert!(error.is_panic(), "{error}"),
        Ok(None) => panic!("there is a task"),
        Err(_hangs) => {}
    }
}

/// `name: property, fixture;` makes one test: the property fails with that fixture.
macro_rules! caught {
    ($($name:ident: $property:path, $fixture:expr;)+) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                let fixture = $fixture;
                crate::assert_caught($property(fixture.into())).await;
            }
        )+
    };
}
pub(crate) use caught;

#[tokio::test]
#[should_panic(expected = "the property passes")]
async fn a_property_that_passes_is_not_caught() {
    assert_caught(std::future::ready(())).await;
}
