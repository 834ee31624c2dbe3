//! Questions about groups.

use sealroom_domain::{GroupId, Role};

use super::{
    GroupsFixture,
    room::{join, new_group},
};
use crate::conformance::sample::{group, group_name, hard_names, moment, seq};

/// Absence is no error, and the order is that of the ids.
pub async fn get_leaves_unknown_groups_out_and_sorts(fixture: GroupsFixture) {
    for number in [30, 4, 200] {
        let name = group_name(&format!("name {number}"));
        fixture.groups.put(group(number), &name, moment(0)).await.unwrap();
    }
    let asked = [200, 5, 4, 999, 30].map(group);
    let found = fixture.groups.get(&asked).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.group_id.get(), one.name.as_str()))
        .collect();
    assert_eq!(found, [(4, "name 4"), (30, "name 30"), (200, "name 200")]);
    assert_eq!(fixture.groups.get(&[group(5)]).await.unwrap(), []);
    assert_eq!(fixture.groups.get(&[]).await.unwrap(), []);
}

/// The number of groups in one question is not limited by the store.
pub async fn many_groups_are_one_question(fixture: GroupsFixture) {
    let last = group(40_000);
    fixture
        .groups
        .put(last, &group_name("x"), moment(0))
        .await
        .unwrap();
    let asked: Vec<GroupId> = (1..=40_000).rev().map(group).collect();
    let found = fixture.groups.get(&asked).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].group_id, last);
}

/// A group shows the head of its log as soon as an append returned.
pub async fn the_head_is_the_logs(fixture: GroupsFixture) {
    let (group_id, _) = fixture.create(new_group(&[(1, Role::Owner)], true)).await;
    for place in 2..10 {
        fixture.log.append(vec![join(group_id)]).await.unwrap();
        assert_eq!(fixture.get_one(group_id).await.head, seq(place));
    }
}

/// Names are texts like any other, and two groups may have the same.
pub async fn names_are_byte_identical_and_not_unique(fixture: GroupsFixture) {
    for name in hard_names().iter().chain(hard_names().iter()) {
        let mut new = new_group(&[], true);
        new.name = group_name(name);
        let (group_id, _) = fixture.create(new).await;
        assert_eq!(fixture.get_one(group_id).await.name.as_str(), name);
        fixture
            .groups
            .put(group_id, &group_name("other"), moment(0))
            .await
            .unwrap();
        fixture
            .groups
            .put(group_id, &group_name(name), moment(0))
            .await
            .unwrap();
        assert_eq!(fixture.get_one(group_id).await.name.as_str(), name);
    }
}
