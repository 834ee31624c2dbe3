//! What properties of groups are made of.

use sealroom_domain::{
    Entry, GroupId, Role,
    ports::{Groups, Guard, Member, MemberLimits, NewBody, NewEntry, NewGroup},
};

use crate::conformance::sample::{group_name, moment, user};

/// Creates a group that nothing stands in the way of.
pub(super) async fn create(groups: &dyn Groups, new: NewGroup) -> (GroupId, Vec<Entry>) {
    groups
        .create(new)
        .await
        .unwrap()
        .expect("nothing is refused without limits")
}

pub(super) fn new_group(founders: &[(i64, Role)], keeps_membership: bool) -> NewGroup {
    NewGroup {
        name: group_name("Nhóm 5"),
        founders: founders.iter().copied().map(member).collect(),
        actor_id: user(1),
        at: moment(0),
        keeps_membership,
        limits: MemberLimits::default(),
    }
}

pub(super) fn member((number, role): (i64, Role)) -> Member {
    Member {
        user_id: user(number),
        role,
    }
}

/// Something for a log.
pub(super) fn join(group_id: GroupId) -> NewEntry {
    NewEntry {
        group_id,
        actor_id: user(1),
        at: moment(0),
        body: NewBody::SetMember {
            user_id: user(2),
            role: Role::Member,
            limits: MemberLimits::default(),
        },
        guard: Guard::Host,
    }
}
