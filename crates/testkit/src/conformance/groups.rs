//! The suite of [`Groups`].

use std::{any::Any, collections::HashSet, sync::Arc, time::Duration};

use sealroom_domain::{
    Entry, EntryBody, GroupId, MAX_SAFE_INTEGER, Retention, Role, Seq,
    ports::{
        Cursor, Group, GroupLog, Groups, Guard, Member, MemberLimits, Memberships, NewBody, NewEntry,
        NewGroup, PageLimit,
    },
};
use tokio::task::JoinSet;

use super::{
    abandon::abandon_after,
    fixture::KeepAlive,
    macros::suite,
    sample::{group, group_name, hard_names, moment, seq, user},
};

/// Fresh groups, and what the suite needs around them.
#[derive(Debug)]
pub struct GroupsFixture {
    groups: Arc<dyn Groups>,
    log: Arc<dyn GroupLog>,
    memberships: Option<Arc<dyn Memberships>>,
    keep_alive: KeepAlive,
}

impl GroupsFixture {
    /// A store without groups, and the log of the same store.
    pub fn new(groups: Arc<dyn Groups>, log: Arc<dyn GroupLog>) -> Self {
        Self {
            groups,
            log,
            memberships: None,
            keep_alive: KeepAlive::default(),
        }
    }

    /// The memberships that the store keeps together with the groups.
    #[must_use]
    pub fn with_memberships(mut self, memberships: Arc<dyn Memberships>) -> Self {
        self.memberships = Some(memberships);
        self
    }

    /// What must live as long as the fixture: a temporary directory, a container.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }

    /// Creates a group that nothing stands in the way of.
    async fn create(&self, new: NewGroup) -> (GroupId, Vec<Entry>) {
        create(&*self.groups, new).await
    }

    async fn get_one(&self, group_id: GroupId) -> Group {
        let mut found = self.groups.get(&[group_id]).await.unwrap();
        assert_eq!(found.len(), 1, "the group is there once");
        found.remove(0)
    }

    async fn entries(&self, group_id: GroupId) -> Vec<Entry> {
        let limit = PageLimit {
            entries: 1_000,
            bytes: usize::MAX,
        };
        let page = self.log.read(group_id, Cursor::After(Seq::ZERO), limit).await;
        page.unwrap().expect("the group has a log").entries
    }
}

impl<T: Groups + GroupLog + Memberships + 'static> From<T> for GroupsFixture {
    /// A store that implements the three ports itself.
    fn from(store: T) -> Self {
        let store = Arc::new(store);
        let groups: Arc<dyn Groups> = Arc::<T>::clone(&store);
        let log: Arc<dyn GroupLog> = Arc::<T>::clone(&store);
        Self::new(groups, log).with_memberships(store)
    }
}

suite!(
    /// Makes one test of each property of [`Groups`](sealroom_domain::ports::Groups).
    ///
    /// Takes a future of a fresh store that is groups, log and memberships at once, or of a
    /// [`GroupsFixture`](crate::conformance::groups::GroupsFixture). See [`crate::conformance`].
    groups_conformance, PROPERTIES, groups, GroupsFixture, $, [
        a_created_group_is_there,
        create_writes_an_entry_for_each_founder_in_their_order,
        create_without_founders_makes_an_empty_log,
        create_makes_founders_members_where_the_store_keeps_them,
        create_leaves_memberships_alone_where_the_host_keeps_them,
        concurrent_creates_get_ids_of_their_own,
        ids_given_out_are_never_those_of_put_groups,
        a_group_under_the_largest_id_stops_no_other,
        an_abandoned_create_leaves_all_or_nothing,
        put_creates_and_then_renames,
        put_writes_no_entry_and_adds_nobody,
        concurrent_puts_create_once,
        get_leaves_unknown_groups_out_and_sorts,
        many_groups_are_one_question,
        the_head_is_the_logs,
        names_are_byte_identical_and_not_unique,
    ]
);

/// A created group is found by its id as soon as the call returned.
pub async fn a_created_group_is_there(fixture: GroupsFixture) {
    let mut new = new_group(&[(1, Role::Owner), (2, Role::Member)], true);
    new.at = moment(7);
    let (group_id, _) = fixture.create(new).await;
    let expected = Group {
        group_id,
        name: group_name("Nhóm 5"),
        head: seq(2),
        created_at: moment(7),
        retention: Retention::default(),
    };
    assert_eq!(fixture.get_one(group_id).await, expected);
}

/// The answer holds the entries that are in the log, from 1 in the order of the founders.
pub async fn create_writes_an_entry_for_each_founder_in_their_order(fixture: GroupsFixture) {
    // Not in the order of their ids or roles.
    let founders = [
        (7, Role::Member),
        (2, Role::Owner),
        (9, Role::Admin),
        (1, Role::Member),
    ];
    for keeps_membership in [true, false] {
        let new = new_group(&founders, keeps_membership);
        let (group_id, entries) = fixture.create(new).await;
        assert_eq!(entries.len(), founders.len());
        for (index, (number, role)) in founders.into_iter().enumerate() {
            let entry = &entries[index];
            assert_eq!(entry.group_id, group_id);
            assert_eq!(entry.seq.get(), i64::try_from(index).unwrap() + 1);
            assert_eq!(entry.at, moment(0));
            let body = EntryBody::MemberAdded {
                user_id: user(number),
                role,
                actor_id: user(1),
            };
            assert_eq!(entry.body, body);
        }
        assert_eq!(fixture.entries(group_id).await, entries);
    }
}

/// Nobody need be in a group.
pub async fn create_without_founders_makes_an_empty_log(fixture: GroupsFixture) {
    let (group_id, entries) = fixture.create(new_group(&[], true)).await;
    assert_eq!(entries, []);
    assert_eq!(fixture.get_one(group_id).await.head, Seq::ZERO);
    assert_eq!(fixture.entries(group_id).await, []);
}

/// With `keeps_membership` the founders are members when the call returned.
pub async fn create_makes_founders_members_where_the_store_keeps_them(fixture: GroupsFixture) {
    let Some(memberships) = &fixture.memberships else {
        return;
    };
    let new = new_group(&[(7, Role::Admin), (2, Role::Owner)], true);
    let (group_id, _) = fixture.create(new).await;
    let members = [(2, Role::Owner), (7, Role::Admin)].map(member);
    assert_eq!(memberships.members_of(group_id).await.unwrap(), members);
    assert_eq!(
        memberships.groups_of(user(7)).await.unwrap(),
        [(group_id, Role::Admin)]
    );
}

/// Without it there are entries, but no memberships.
pub async fn create_leaves_memberships_alone_where_the_host_keeps_them(fixture: GroupsFixture) {
    let Some(memberships) = &fixture.memberships else {
        return;
    };
    let new = new_group(&[(1, Role::Owner)], false);
    let (group_id, entries) = fixture.create(new).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(memberships.members_of(group_id).await.unwrap(), []);
    assert_eq!(memberships.groups_of(user(1)).await.unwrap(), []);
}

/// No two groups share an id, also when they are created at once.
pub async fn concurrent_creates_get_ids_of_their_own(fixture: GroupsFixture) {
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let groups = Arc::clone(&fixture.groups);
        tasks.spawn(async move {
            let new = new_group(&[(1, Role::Owner), (2, Role::Member)], true);
            let (group_id, entries) = create(&*groups, new).await;
            assert!(entries.iter().all(|entry| entry.group_id == group_id));
            group_id
        });
    }
    let ids: HashSet<GroupId> = tasks.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 32);
    for group_id in ids {
        assert_eq!(fixture.entries(group_id).await.len(), 2);
    }
}

/// An id that the host chose is not given out.
pub async fn ids_given_out_are_never_those_of_put_groups(fixture: GroupsFixture) {
    let (first, _) = fixture.create(new_group(&[], true)).await;
    let chosen: Vec<GroupId> = (1..=5)
        .filter_map(|ahead| GroupId::new(first.get() + ahead).ok())
        .collect();
    let name = group_name("chosen");
    for group_id in &chosen {
        assert!(fixture.groups.put(*group_id, &name, moment(0)).await.unwrap());
    }
    let mut ids: HashSet<GroupId> = chosen.iter().copied().chain([first]).collect();
    for _ in 0..8 {
        let (group_id, _) = fixture.create(new_group(&[(1, Role::Owner)], true)).await;
        assert!(ids.insert(group_id), "{group_id} was given out twice");
    }
    for group_id in chosen {
        let found = fixture.get_one(group_id).await;
        assert_eq!((found.name, found.head), (name.clone(), Seq::ZERO));
    }
}

/// After a group under the largest id, others can still be created.
pub async fn a_group_under_the_largest_id_stops_no_other(fixture: GroupsFixture) {
    let largest = group(MAX_SAFE_INTEGER);
    fixture
        .groups
        .put(largest, &group_name("largest"), moment(0))
        .await
        .unwrap();
    for _ in 0..3 {
        let (group_id, _) = fixture.create(new_group(&[(1, Role::Owner)], true)).await;
        assert!(group_id < largest);
        assert_eq!(fixture.entries(group_id).await.len(), 1);
    }
}

/// A caller that goes away leaves no half of a group, and stops nobody.
pub async fn an_abandoned_create_leaves_all_or_nothing(fixture: GroupsFixture) {
    let founders = [(1, Role::Owner), (2, Role::Member), (3, Role::Member)];
    for polls in 0..24 {
        abandon_after(polls % 12, fixture.groups.create(new_group(&founders, true))).await;
    }
    let last = fixture.groups.create(new_group(&founders, true));
    let last = tokio::time::timeout(Duration::from_secs(10), last).await;
    let (last, _) = last
        .expect("an abandoned create leaves no lock")
        .unwrap()
        .unwrap();
    let Some(memberships) = &fixture.memberships else {
        return;
    };
    let owned = memberships.groups_of(user(1)).await.unwrap();
    assert!(owned.contains(&(last, Role::Owner)));
    for (group_id, _) in owned {
        assert_eq!(fixture.get_one(group_id).await.head, seq(3));
        assert_eq!(fixture.entries(group_id).await.len(), 3);
        assert_eq!(
            memberships.members_of(group_id).await.unwrap(),
            founders.map(member)
        );
    }
}

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

/// Creates a group that nothing stands in the way of.
async fn create(groups: &dyn Groups, new: NewGroup) -> (GroupId, Vec<Entry>) {
    groups
        .create(new)
        .await
        .unwrap()
        .expect("nothing is refused without limits")
}

fn new_group(founders: &[(i64, Role)], keeps_membership: bool) -> NewGroup {
    NewGroup {
        name: group_name("Nhóm 5"),
        founders: founders.iter().copied().map(member).collect(),
        actor_id: user(1),
        at: moment(0),
        keeps_membership,
        limits: MemberLimits::default(),
    }
}

fn member((number, role): (i64, Role)) -> Member {
    Member {
        user_id: user(number),
        role,
    }
}

/// Something for a log.
fn join(group_id: GroupId) -> NewEntry {
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
