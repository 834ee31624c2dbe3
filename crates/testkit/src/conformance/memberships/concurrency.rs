//! Changes at the same time, and those whose caller goes away.

use std::{sync::Arc, time::Duration};

use sealroom_domain::{Role, ports::Member};
use tokio::task::JoinSet;

use super::{MembershipsFixture, member};
use crate::conformance::abandon::abandon_after;

/// Changes that happen at once do not undo each other.
pub async fn concurrent_changes_are_all_kept(fixture: MembershipsFixture) {
    let one = fixture.group(1).await;
    let mut users = Vec::new();
    for number in 1..=40 {
        users.push(fixture.user(number).await);
    }
    let mut tasks = JoinSet::new();
    for user_id in users.iter().copied() {
        let memberships = Arc::clone(&fixture.memberships);
        tasks.spawn(async move {
            memberships.set(one, user_id, Role::Member).await.unwrap();
            if user_id.get() % 2 == 0 {
                assert!(memberships.remove(one, user_id).await.unwrap());
            }
        });
    }
    tasks.join_all().await;
    let expected: Vec<Member> = users
        .into_iter()
        .filter(|user_id| user_id.get() % 2 == 1)
        .map(|user_id| member(user_id, Role::Member))
        .collect();
    assert_eq!(fixture.memberships.members_of(one).await.unwrap(), expected);
}

/// Of those who end one membership at the same moment, one did.
pub async fn of_concurrent_removals_one_is_told(fixture: MembershipsFixture) {
    let (one, ann) = (fixture.group(1).await, fixture.user(1).await);
    fixture.memberships.set(one, ann, Role::Member).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let memberships = Arc::clone(&fixture.memberships);
        tasks.spawn(async move { memberships.remove(one, ann).await.unwrap() });
    }
    let removed = tasks.join_all().await;
    assert_eq!(removed.into_iter().filter(|removed| *removed).count(), 1);
}

/// A caller that goes away stops nobody.
pub async fn an_abandoned_change_stops_no_other(fixture: MembershipsFixture) {
    let (one, ann) = (fixture.group(1).await, fixture.user(1).await);
    for polls in 0..24 {
        abandon_after(polls % 8, fixture.memberships.set(one, ann, Role::Owner)).await;
        abandon_after(polls % 8, fixture.memberships.remove(one, ann)).await;
    }
    let ben = fixture.user(2).await;
    let set = fixture.memberships.set(one, ben, Role::Admin);
    let set = tokio::time::timeout(Duration::from_secs(10), set).await;
    set.expect("an abandoned change leaves no lock").unwrap();
    assert_eq!(fixture.role(one, ben).await, Some(Role::Admin));
}
