//! Groups that change.

use std::time::Duration;

use sealroom_domain::{MAX_SAFE_INTEGER, Retention, Role, ports::GroupChange};

use super::{GroupsFixture, room::new_group};
use crate::conformance::sample::{group, group_name, moment};

/// What is named changes, and nothing else.
pub async fn update_changes_what_it_names(fixture: GroupsFixture) {
    let (group_id, _) = fixture.create(new_group(&[(1, Role::Owner)], true)).await;
    let (other, _) = fixture.create(new_group(&[], true)).await;
    let untouched = fixture.get_one(other).await;
    let mut expected = fixture.get_one(group_id).await;
    let rules = [
        retention(Some(3600), Some(100)),
        retention(None, Some(1)),
        retention(Some(1), None),
        retention(Some(315_360_000), Some(MAX_SAFE_INTEGER.unsigned_abs())),
        Retention::default(),
    ];
    for (number, rule) in (1..).zip(rules) {
        let change = GroupChange {
            name: None,
            retention: Some(rule),
        };
        assert!(fixture.groups.update(group_id, change).await.unwrap());
        expected.retention = rule;
        assert_eq!(fixture.get_one(group_id).await, expected);
        let change = GroupChange {
            name: Some(group_name(&format!("name {number}"))),
            retention: None,
        };
        assert!(fixture.groups.update(group_id, change.clone()).await.unwrap());
        expected.name = group_name(&format!("name {number}"));
        assert_eq!(fixture.get_one(group_id).await, expected);
        assert!(
            fixture.groups.update(group_id, change).await.unwrap(),
            "also again"
        );
    }
    let nothing = fixture.groups.update(group_id, GroupChange::default()).await;
    assert!(nothing.unwrap());
    assert_eq!(fixture.get_one(group_id).await, expected);
    assert_eq!(fixture.get_one(other).await, untouched);
    assert_eq!(fixture.entries(group_id).await.len(), 1);
}

/// Absence is no error, and no group comes of it.
pub async fn an_unknown_group_is_not_updated(fixture: GroupsFixture) {
    let change = GroupChange {
        name: Some(group_name("x")),
        retention: None,
    };
    for change in [change, GroupChange::default()] {
        assert!(!fixture.groups.update(group(7), change).await.unwrap());
    }
    assert_eq!(fixture.groups.get(&[group(7)]).await.unwrap(), []);
}

/// The retention is not of the name.
pub async fn a_second_put_keeps_the_retention(fixture: GroupsFixture) {
    let five = group(5);
    let put = async |name| fixture.groups.put(five, &group_name(name), moment(0)).await;
    assert!(put("first").await.unwrap());
    let rule = retention(Some(60), Some(9));
    let change = GroupChange {
        name: None,
        retention: Some(rule),
    };
    assert!(fixture.groups.update(five, change).await.unwrap());
    assert!(!put("second").await.unwrap());
    let found = fixture.get_one(five).await;
    assert_eq!((found.name, found.retention), (group_name("second"), rule));
}

fn retention(secs: Option<u64>, count: Option<u64>) -> Retention {
    Retention {
        age: secs.map(Duration::from_secs),
        count,
    }
}
