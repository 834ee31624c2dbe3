//! Groups under chosen ids.

use std::sync::Arc;

use sealroom_domain::{Retention, Role, Seq, ports::Group};
use tokio::task::JoinSet;

use super::{
    GroupsFixture,
    room::{join, member},
};
use crate::conformance::sample::{group, group_name, moment, seq, user};

/// The first `put` creates, the next ones change the name and nothing else.
pub async fn put_creates_and_then_renames(fixture: GroupsFixture) {
    let five = group(5);
    let put = |name: &'static str, at| {
        let groups = Arc::clone(&fixture.groups);
        async move { groups.put(five, &group_name(name), moment(at)).await.unwrap() }
    };
    assert!(put("first", 1).await);
    assert_eq!(fixture.get_one(five).await.created_at, moment(1));
    fixture.log.append(vec![join(five)]).await.unwrap();
    for name in ["second", "second", "third"] {
        assert!(!put(name, 2).await);
        let expected = Group {
            group_id: five,
            name: group_name(name),
            head: seq(1),
            created_at: moment(1),
            retention: Retention::default(),
        };
        assert_eq!(fixture.get_one(five).await, expected);
    }
    assert_eq!(fixture.entries(five).await.len(), 1);
}

/// A group that was put is empty.
pub async fn put_writes_no_entry_and_adds_nobody(fixture: GroupsFixture) {
    let five = group(5);
    fixture
        .groups
        .put(five, &group_name("x"), moment(0))
        .await
        .unwrap();
    assert_eq!(fixture.entries(five).await, []);
    assert_eq!(fixture.get_one(five).await.head, Seq::ZERO);
    if let Some(memberships) = &fixture.memberships {
        assert_eq!(memberships.members_of(five).await.unwrap(), []);
        memberships.set(five, user(1), Role::Owner).await.unwrap();
        fixture
            .groups
            .put(five, &group_name("y"), moment(0))
            .await
            .unwrap();
        assert_eq!(
            memberships.members_of(five).await.unwrap(),
            [member((1, Role::Owner))]
        );
    }
}

/// Of those who put a group at the same moment, one created it.
pub async fn concurrent_puts_create_once(fixture: GroupsFixture) {
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let groups = Arc::clone(&fixture.groups);
        tasks.spawn(async move {
            let name = group_name(&format!("name {number}"));
            groups.put(group(5), &name, moment(0)).await.unwrap()
        });
    }
    let created = tasks.join_all().await;
    assert_eq!(created.into_iter().filter(|created| *created).count(), 1);
}
