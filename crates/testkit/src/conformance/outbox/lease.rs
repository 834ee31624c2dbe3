//! The right to deliver.

use std::sync::Arc;

use sealroom_domain::Timestamp;
use tokio::task::JoinSet;

use super::OutboxFixture;
use crate::conformance::sample::moment;

/// Who has the right keeps it by renewing it; nobody else gets it in the meantime.
pub async fn one_holder_delivers_at_a_time(fixture: OutboxFixture) {
    assert!(fixture.lease("a", 0, 10).await);
    assert!(!fixture.lease("b", 1, 11).await);
    assert!(!fixture.lease("A", 1, 11).await, "another holder");
    assert!(fixture.lease("a", 5, 15).await, "renewed");
    assert!(!fixture.lease("b", 12, 22).await);
    assert!(fixture.lease("b", 100, 110).await, "it was given up");
    assert!(!fixture.lease("a", 101, 111).await);
}

/// A lease that nobody renews ends when it says so, and not before.
pub async fn a_lease_ends_at_its_very_moment(fixture: OutboxFixture) {
    assert!(fixture.lease("a", 0, 10).await);
    let just_before = Timestamp::from_micros(secs(10).as_micros() - 1);
    let early = fixture.outbox.lease("b", just_before, secs(20)).await;
    assert!(!early.unwrap());
    assert!(fixture.lease("b", 10, 20).await);
    assert!(!fixture.lease("a", 10, 20).await);
}

/// Of those who find it free at the same moment one gets it.
pub async fn one_of_racing_holders_gets_the_lease(fixture: OutboxFixture) {
    for round in 0..5 {
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let outbox = Arc::clone(&fixture.outbox);
            tasks.spawn(async move {
                let holder = format!("holder {number}");
                let (now, until) = (secs(round * 100), secs(round * 100 + 10));
                outbox.lease(&holder, now, until).await.unwrap()
            });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|has_it| **has_it).count(), 1);
    }
}

fn secs(number: i64) -> Timestamp {
    Timestamp::from_micros(moment(0).as_micros() + number * 1_000_000)
}

impl OutboxFixture {
    async fn lease(&self, holder: &str, now: i64, until: i64) -> bool {
        self.outbox.lease(holder, secs(now), secs(until)).await.unwrap()
    }
}
