//! The suite of [`Memberships`].

mod concurrency;

use std::{any::Any, sync::Arc};

use sealroom_domain::{
    GroupId, MAX_SAFE_INTEGER, Role, UserId,
    ports::{Groups, Member, Memberships},
};

use super::{
    fixture::{Hook, KeepAlive},
    macros::suite,
    sample::{group, group_name, moment, user},
};
pub use concurrency::*;

/// Fresh memberships, and what the suite needs around them.
#[derive(Debug)]
pub struct MembershipsFixture {
    memberships: Arc<dyn Memberships>,
    make_group: Option<Hook<GroupId>>,
    make_user: Option<Hook<UserId>>,
    keep_alive: KeepAlive,
}

impl MembershipsFixture {
    /// Memberships that nobody has yet, of groups and users that need not be made known first.
    pub fn new(memberships: Arc<dyn Memberships>) -> Self {
        Self {
            memberships,
            make_group: None,
            make_user: None,
            keep_alive: KeepAlive::default(),
        }
    }

    /// How a group is made known under an id, where a membership needs one.
    #[must_use]
    pub fn with_groups(mut self, make_group: Hook<GroupId>) -> Self {
        self.make_group = Some(make_group);
        self
    }

    /// How a user is made known under an id, where a membership needs one.
    #[must_use]
    pub fn with_users(mut self, make_user: Hook<UserId>) -> Self {
        self.make_user = Some(make_user);
        self
    }

    /// What must live as long as the fixture: a temporary directory, a container.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }

    async fn group(&self, number: i64) -> GroupId {
        let group_id = group(number);
        if let Some(make_group) = &self.make_group {
            make_group.call(group_id).await;
        }
        group_id
    }

    async fn user(&self, number: i64) -> UserId {
        let user_id = user(number);
        if let Some(make_user) = &self.make_user {
            make_user.call(user_id).await;
        }
        user_id
    }

    async fn role(&self, group_id: GroupId, user_id: UserId) -> Option<Role> {
        let roles = self.memberships.roles(&[(group_id, user_id)]).await.unwrap();
        assert_eq!(roles.len(), 1, "one role for each pair");
        roles[0]
    }
}

impl<T: Memberships + Groups + 'static> From<T> for MembershipsFixture {
    /// A store that keeps its groups too; the suite puts them under ids of its choice.
    fn from(store: T) -> Self {
        let store = Arc::new(store);
        let groups: Arc<dyn Groups> = Arc::<T>::clone(&store);
        Self::new(store).with_groups(Hook::new(move |group_id| {
            let groups = Arc::clone(&groups);
            async move {
                groups
                    .put(group_id, &group_name("group"), moment(0))
                    .await
                    .unwrap();
            }
        }))
    }
}

suite!(
    /// Makes one test of each property of [`Memberships`](sealroom_domain::ports::Memberships).
    ///
    /// Takes a future of a fresh store that is memberships and groups at once, or of a
    /// [`MembershipsFixture`](crate::conformance::memberships::MembershipsFixture). See [`crate::conformance`].
    memberships_conformance, PROPERTIES, memberships, MembershipsFixture, $, [
        an_unknown_group_has_no_members,
        an_unknown_user_has_no_groups,
        a_stranger_has_no_role,
        roles_come_in_the_order_of_the_pairs,
        many_roles_are_one_question,
        set_is_visible_at_once,
        set_changes_the_role,
        set_may_be_repeated,
        remove_is_visible_at_once,
        remove_says_whether_there_was_a_membership,
        groups_of_a_user_ascend,
        members_of_a_group_ascend,
        groups_do_not_mix,
        the_largest_ids_are_kept,
        concurrent_changes_are_all_kept,
        of_concurrent_removals_one_is_told,
        an_abandoned_change_stops_no_other,
    ]
);

/// Absence is no error.
pub async fn an_unknown_group_has_no_members(fixture: MembershipsFixture) {
    let (known, one) = (fixture.group(1).await, fixture.user(1).await);
    fixture.memberships.set(known, one, Role::Owner).await.unwrap();
    let unknown = group(2);
    assert_eq!(fixture.memberships.members_of(unknown).await.unwrap(), []);
    assert_eq!(fixture.role(unknown, one).await, None);
    assert!(!fixture.memberships.remove(unknown, one).await.unwrap());
}

/// Absence is no error.
pub async fn an_unknown_user_has_no_groups(fixture: MembershipsFixture) {
    let (one, known) = (fixture.group(1).await, fixture.user(1).await);
    fixture.memberships.set(one, known, Role::Owner).await.unwrap();
    let unknown = user(2);
    assert_eq!(fixture.memberships.groups_of(unknown).await.unwrap(), []);
    assert_eq!(fixture.role(one, unknown).await, None);
    assert!(!fixture.memberships.remove(one, unknown).await.unwrap());
}

/// Who is no member has no role, in a group with members as in one without.
pub async fn a_stranger_has_no_role(fixture: MembershipsFixture) {
    let (one, two) = (fixture.group(1).await, fixture.group(2).await);
    let (member, stranger) = (fixture.user(1).await, fixture.user(2).await);
    fixture.memberships.set(one, member, Role::Owner).await.unwrap();
    fixture.memberships.set(two, stranger, Role::Owner).await.unwrap();
    assert_eq!(fixture.role(one, stranger).await, None);
    assert_eq!(fixture.role(two, member).await, None);
}

/// One answer for each pair, also for pairs that are asked twice.
pub async fn roles_come_in_the_order_of_the_pairs(fixture: MembershipsFixture) {
    let (one, two) = (fixture.group(1).await, fixture.group(2).await);
    let (ann, ben) = (fixture.user(1).await, fixture.user(2).await);
    for (group_id, user_id, role) in [
        (one, ann, Role::Owner),
        (one, ben, Role::Member),
        (two, ben, Role::Admin),
    ] {
        fixture.memberships.set(group_id, user_id, role).await.unwrap();
    }
    let pairs = [
        (two, ben),
        (one, ann),
        (group(9), ann),
        (two, ann),
        (two, ben),
        (one, user(9)),
        (one, ben),
        (one, ann),
    ];
    let expected = [
        Some(Role::Admin),
        Some(Role::Owner),
        None,
        None,
        Some(Role::Admin),
        None,
        Some(Role::Member),
        Some(Role::Owner),
    ];
    assert_eq!(fixture.memberships.roles(&pairs).await.unwrap(), expected);
    assert_eq!(fixture.memberships.roles(&[]).await.unwrap(), []);
}

/// A whole batch is one question.
pub async fn many_roles_are_one_question(fixture: MembershipsFixture) {
    let one = fixture.group(1).await;
    let ann = fixture.user(1).await;
    fixture.memberships.set(one, ann, Role::Admin).await.unwrap();
    let pairs: Vec<(GroupId, UserId)> = (0..20_000).map(|number| (one, user(1 + number % 4))).collect();
    let roles = fixture.memberships.roles(&pairs).await.unwrap();
    assert_eq!(roles.len(), pairs.len());
    for ((_, user_id), role) in pairs.into_iter().zip(roles) {
        assert_eq!(role, (user_id == ann).then_some(Role::Admin));
    }
}

/// Whoever asks after `set` returned sees it, in every way to ask.
pub async fn set_is_visible_at_once(fixture: MembershipsFixture) {
    let one = fixture.group(1).await;
    for number in 1..=20 {
        let user_id = fixture.user(number).await;
        fixture.memberships.set(one, user_id, Role::Member).await.unwrap();
        assert_eq!(fixture.role(one, user_id).await, Some(Role::Member));
        let members = fixture.memberships.members_of(one).await.unwrap();
        assert_eq!(members.last(), Some(&member(user_id, Role::Member)));
        assert_eq!(
            fixture.memberships.groups_of(user_id).await.unwrap(),
            [(one, Role::Member)]
        );
    }
}

/// A member has one role: the last one that was set.
pub async fn set_changes_the_role(fixture: MembershipsFixture) {
    let (one, ann) = (fixture.group(1).await, fixture.user(1).await);
    for role in [Role::Member, Role::Owner, Role::Admin, Role::Member, Role::Admin] {
        fixture.memberships.set(one, ann, role).await.unwrap();
        assert_eq!(fixture.role(one, ann).await, Some(role));
        assert_eq!(
            fixture.memberships.members_of(one).await.unwrap(),
            [member(ann, role)]
        );
        assert_eq!(fixture.memberships.groups_of(ann).await.unwrap(), [(one, role)]);
    }
}

/// Setting the role that a member has changes nothing and is no error.
pub async fn set_may_be_repeated(fixture: MembershipsFixture) {
    let (one, ann) = (fixture.group(1).await, fixture.user(1).await);
    for _ in 0..3 {
        fixture.memberships.set(one, ann, Role::Admin).await.unwrap();
    }
    assert_eq!(
        fixture.memberships.members_of(one).await.unwrap(),
        [member(ann, Role::Admin)]
    );
}

/// Whoever asks after `remove` returned sees it, in every way to ask.
pub async fn remove_is_visible_at_once(fixture: MembershipsFixture) {
    let one = fixture.group(1).await;
    let (ann, ben) = (fixture.user(1).await, fixture.user(2).await);
    fixture.memberships.set(one, ben, Role::Owner).await.unwrap();
    for _ in 0..20 {
        fixture.memberships.set(one, ann, Role::Member).await.unwrap();
        assert!(fixture.memberships.remove(one, ann).await.unwrap());
        assert_eq!(fixture.role(one, ann).await, None);
        assert_eq!(
            fixture.memberships.members_of(one).await.unwrap(),
            [member(ben, Role::Owner)]
        );
        assert_eq!(fixture.memberships.groups_of(ann).await.unwrap(), []);
    }
}

/// Removing twice is no error, and only the first time there was something to remove.
pub async fn remove_says_whether_there_was_a_membership(fixture: MembershipsFixture) {
    let (one, ann) = (fixture.group(1).await, fixture.user(1).await);
    assert!(!fixture.memberships.remove(one, ann).await.unwrap());
    fixture.memberships.set(one, ann, Role::Member).await.unwrap();
    assert!(fixture.memberships.remove(one, ann).await.unwrap());
    assert!(!fixture.memberships.remove(one, ann).await.unwrap());
}

/// By ascending id, as numbers.
pub async fn groups_of_a_user_ascend(fixture: MembershipsFixture) {
    let ann = fixture.user(1).await;
    for (number, role) in [
        (30, Role::Owner),
        (4, Role::Member),
        (200, Role::Admin),
        (1_000, Role::Member),
        (9, Role::Owner),
    ] {
        let group_id = fixture.group(number).await;
        fixture.memberships.set(group_id, ann, role).await.unwrap();
    }
    let groups = fixture.memberships.groups_of(ann).await.unwrap();
    let groups: Vec<_> = groups
        .into_iter()
        .map(|(group_id, role)| (group_id.get(), role))
        .collect();
    assert_eq!(
        groups,
        [
            (4, Role::Member),
            (9, Role::Owner),
            (30, Role::Owner),
            (200, Role::Admin),
            (1_000, Role::Member)
        ]
    );
}

/// By ascending id, as numbers.
pub async fn members_of_a_group_ascend(fixture: MembershipsFixture) {
    let one = fixture.group(1).await;
    for (number, role) in [
        (30, Role::Owner),
        (4, Role::Member),
        (200, Role::Admin),
        (9, Role::Owner),
    ] {
        let user_id = fixture.user(number).await;
        fixture.memberships.set(one, user_id, role).await.unwrap();
    }
    let members = fixture.memberships.members_of(one).await.unwrap();
    let members: Vec<_> = members
        .into_iter()
        .map(|member| (member.user_id.get(), member.role))
        .collect();
    assert_eq!(
        members,
        [
            (4, Role::Member),
            (9, Role::Owner),
            (30, Role::Owner),
            (200, Role::Admin)
        ]
    );
}

/// What happens in one group is not seen in another.
pub async fn groups_do_not_mix(fixture: MembershipsFixture) {
    let groups = [
        fixture.group(1).await,
        fixture.group(2).await,
        fixture.group(11).await,
    ];
    let (ann, ben) = (fixture.user(1).await, fixture.user(11).await);
    for group_id in groups {
        fixture
            .memberships
            .set(group_id, ann, Role::Member)
            .await
            .unwrap();
        fixture.memberships.set(group_id, ben, Role::Owner).await.unwrap();
    }
    fixture.memberships.remove(groups[0], ann).await.unwrap();
    fixture
        .memberships
        .set(groups[1], ben, Role::Admin)
        .await
        .unwrap();
    assert_eq!(
        fixture.memberships.members_of(groups[0]).await.unwrap(),
        [member(ben, Role::Owner)]
    );
    assert_eq!(
        fixture.memberships.members_of(groups[1]).await.unwrap(),
        [member(ann, Role::Member), member(ben, Role::Admin)]
    );
    assert_eq!(
        fixture.memberships.members_of(groups[2]).await.unwrap(),
        [member(ann, Role::Member), member(ben, Role::Owner)]
    );
    assert_eq!(
        fixture.memberships.groups_of(ann).await.unwrap(),
        [(groups[1], Role::Member), (groups[2], Role::Member)]
    );
}

/// Ids go up to 2^53 - 1.
pub async fn the_largest_ids_are_kept(fixture: MembershipsFixture) {
    let one = fixture.group(MAX_SAFE_INTEGER).await;
    let ann = fixture.user(MAX_SAFE_INTEGER).await;
    fixture.memberships.set(one, ann, Role::Admin).await.unwrap();
    assert_eq!(fixture.role(one, ann).await, Some(Role::Admin));
    assert_eq!(
        fixture.memberships.members_of(one).await.unwrap(),
        [member(ann, Role::Admin)]
    );
    assert_eq!(
        fixture.memberships.groups_of(ann).await.unwrap(),
        [(one, Role::Admin)]
    );
}

fn member(user_id: UserId, role: Role) -> Member {
    Member { user_id, role }
}
