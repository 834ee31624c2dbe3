//! The suite of [`Outbox`].

mod lease;

use std::{any::Any, collections::HashMap, sync::Arc};

use sealroom_domain::{
    Entry, GroupId, Retention, Role, Seq,
    ports::{
        GroupLog, Groups, Member, MemberLimits, NewEntry, NewGroup, OfOthers, Outbox, OutboxId, OutboxItem,
        Upkeep,
    },
};
use tokio::task::JoinSet;

use super::{
    entries::{
        Answer, UNCHECKED, delete, edit, held_content, message, message_with_id, new_entry, remove_member,
        set_member,
    },
    fixture::KeepAlive,
    macros::suite,
    sample::{group, group_name, moment, user},
};
pub use lease::*;

/// An empty outbox, and the groups, the log and the upkeep of the same store.
#[derive(Debug)]
pub struct OutboxFixture {
    outbox: Arc<dyn Outbox>,
    groups: Arc<dyn Groups>,
    log: Arc<dyn GroupLog>,
    upkeep: Arc<dyn Upkeep>,
    keep_alive: KeepAlive,
}

impl OutboxFixture {
    /// An empty store that keeps an outbox, by its four ports.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        groups: Arc<dyn Groups>,
        log: Arc<dyn GroupLog>,
        upkeep: Arc<dyn Upkeep>,
    ) -> Self {
        Self {
            outbox,
            groups,
            log,
            upkeep,
            keep_alive: KeepAlive::default(),
        }
    }

    /// What must live as long as the fixture: a temporary directory, a container.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }

    async fn group(&self, number: i64) -> GroupId {
        let group_id = group(number);
        let put = self.groups.put(group_id, &group_name("group"), moment(0)).await;
        assert!(put.unwrap(), "there is no such group yet");
        group_id
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Vec<Answer> {
        self.log.append(batch).await.unwrap()
    }

    async fn append_new(&self, batch: Vec<NewEntry>) -> Vec<Entry> {
        self.append(batch).await.into_iter().map(new_entry).collect()
    }

    async fn pending(&self, after: OutboxId, limit: usize) -> Vec<OutboxItem> {
        let items = self.outbox.pending(after, limit).await.unwrap();
        assert!(items.len() <= limit);
        let ids: Vec<OutboxId> = items.iter().map(|item| item.id).collect();
        assert!(
            ids.is_sorted_by(|one, next| one < next),
            "in the order of the ids"
        );
        assert!(ids.iter().all(|id| *id > after), "behind the place asked for");
        items
    }

    /// Everything that waits.
    async fn all(&self) -> Vec<OutboxItem> {
        self.pending(OutboxId::default(), 100_000).await
    }

    async fn delivered(&self, items: &[OutboxItem]) {
        let ids: Vec<OutboxId> = items.iter().map(|item| item.id).collect();
        self.outbox.delivered(&ids).await.unwrap();
    }
}

impl<T: Outbox + Groups + GroupLog + Upkeep + 'static> From<T> for OutboxFixture {
    /// A store that implements the four ports itself.
    fn from(store: T) -> Self {
        let store = Arc::new(store);
        let outbox: Arc<dyn Outbox> = Arc::<T>::clone(&store);
        let groups: Arc<dyn Groups> = Arc::<T>::clone(&store);
        let log: Arc<dyn GroupLog> = Arc::<T>::clone(&store);
        Self::new(outbox, groups, log, store)
    }
}

suite!(
    /// Makes one test of each property of [`Outbox`](sealroom_domain::ports::Outbox).
    ///
    /// Takes a future of a fresh store that is outbox, groups, log and upkeep at once, or of an
    /// [`OutboxFixture`](crate::conformance::outbox::OutboxFixture). See [`crate::conformance`].
    outbox_conformance, PROPERTIES, outbox, OutboxFixture, $, [
        an_empty_outbox_has_no_items,
        every_new_entry_has_an_item,
        founders_have_items_too,
        what_is_no_entry_has_no_item,
        pages_cover_the_outbox,
        an_item_stays_until_it_was_delivered,
        many_items_are_delivered_at_once,
        an_item_shows_its_entry_as_it_is_now,
        an_item_of_a_forgotten_entry_has_none,
        a_deleted_group_has_no_items,
        items_of_a_group_are_in_the_order_of_its_log,
        one_holder_delivers_at_a_time,
        a_lease_ends_at_its_very_moment,
        one_of_racing_holders_gets_the_lease,
    ]
);

/// Nothing to tell is no error.
pub async fn an_empty_outbox_has_no_items(fixture: OutboxFixture) {
    fixture.group(1).await;
    assert_eq!(fixture.all().await, []);
    assert_eq!(fixture.pending(OutboxId(1_000), 10).await, []);
    fixture.outbox.delivered(&[]).await.unwrap();
    fixture.outbox.delivered(&[OutboxId(7)]).await.unwrap();
}

/// Whatever its kind: as soon as the append returned, its item is there, once.
pub async fn every_new_entry_has_an_item(fixture: OutboxFixture) {
    let one = fixture.group(1).await;
    let two = fixture.group(2).await;
    let mut entries = fixture
        .append_new(vec![
            set_member(one, user(1), user(1), Role::Owner, UNCHECKED),
            message(one, user(1), "x"),
            message_with_id(two, user(2), "y", "c-1"),
            edit(one, user(1), Seq::ZERO.next().next(), "z"),
            remove_member(one, user(1), user(1), UNCHECKED),
        ])
        .await;
    entries.extend(fixture.append_new(vec![message(two, user(1), "later")]).await);
    for group_id in [one, two] {
        let of_group = |entry: &&Entry| entry.group_id == group_id;
        let expected: Vec<&Entry> = entries.iter().filter(of_group).collect();
        let items = fixture.all().await;
        let found: Vec<&Entry> = items
            .iter()
            .filter_map(|item| item.entry.as_ref())
            .filter(of_group)
            .collect();
        assert_eq!(found, expected);
        assert_eq!(items.len(), entries.len());
    }
}

/// The entries that a group begins with are entries.
pub async fn founders_have_items_too(fixture: OutboxFixture) {
    let founders = [(2, Role::Member), (1, Role::Owner)].map(|(number, role)| Member {
        user_id: user(number),
        role,
    });
    for keeps_membership in [true, false] {
        let new = NewGroup {
            name: group_name("x"),
            founders: founders.to_vec(),
            actor_id: user(1),
            at: moment(0),
            keeps_membership,
            limits: MemberLimits::default(),
        };
        let (_, entries) = fixture.groups.create(new).await.unwrap().unwrap();
        let items = fixture.all().await;
        assert_eq!(told(&items), entries);
        fixture.delivered(&items).await;
    }
}

/// Of a refusal, a repetition or nothing there is nothing to tell.
pub async fn what_is_no_entry_has_no_item(fixture: OutboxFixture) {
    let one = fixture.group(1).await;
    let entries = fixture
        .append_new(vec![
            message_with_id(one, user(1), "x", "c-1"),
            set_member(one, user(1), user(1), Role::Owner, UNCHECKED),
        ])
        .await;
    fixture
        .append(vec![
            message_with_id(one, user(1), "x", "c-1"),
            message_with_id(one, user(1), "other", "c-1"),
            set_member(one, user(1), user(1), Role::Owner, UNCHECKED),
            edit(one, user(2), Seq::ZERO.next(), "not its sender"),
            message(group(999), user(1), "nowhere"),
        ])
        .await;
    assert_eq!(told(&fixture.all().await), entries);
}

/// Page by page each item comes once.
pub async fn pages_cover_the_outbox(fixture: OutboxFixture) {
    let one = fixture.group(1).await;
    let batch = (0..20).map(|_| message(one, user(1), "x"));
    let entries = fixture.append_new(batch.collect()).await;
    for size in [1, 3, 7, 19, 20, 21] {
        let mut items = Vec::new();
        let mut after = OutboxId::default();
        loop {
            let page = fixture.pending(after, size).await;
            assert_eq!(
                page.len(),
                size.min(20 - items.len()),
                "a page is full where it can be"
            );
            let Some(last) = page.last() else { break };
            after = last.id;
            items.extend(page);
        }
        assert_eq!(told(&items), entries);
    }
}

/// What was not delivered comes again, and what was does not, whatever else happens.
pub async fn an_item_stays_until_it_was_delivered(fixture: OutboxFixture) {
    let one = fixture.group(1).await;
    let batch = (0..6).map(|_| message(one, user(1), "x"));
    fixture.append_new(batch.collect()).await;
    let items = fixture.all().await;
    assert_eq!(fixture.all().await, items);
    // Not in order, and one of them twice.
    fixture
        .delivered(&[items[3].clone(), items[1].clone(), items[3].clone()])
        .await;
    let left = [0, 2, 4, 5].map(|index| items[index].clone());
    assert_eq!(fixture.all().await, left);
    fixture.delivered(&items[1..2]).await;
    assert_eq!(fixture.all().await, left);
    fixture.delivered(&items).await;
    assert_eq!(fixture.all().await, []);
    // No id is used again: a holder may still ask behind the last one.
    let later = fixture.append_new(vec![message(one, user(1), "later")]).await;
    assert_eq!(told(&fixture.pending(items[5].id, 10).await), later);
}

/// The number of items in one call is not limited by the store.
pub async fn many_items_are_delivered_at_once(fixture: OutboxFixture) {
    let one = fixture.group(1).await;
    fixture
        .append_new((0..5).map(|_| message(one, user(1), "x")).collect())
        .await;
    let items = fixture.all().await;
    let mut ids: Vec<OutboxId> = (1..40_000).map(|ahead| OutboxId(items[4].id.0 + ahead)).collect();
    ids.extend(items[..4].iter().map(|item| item.id));
    fixture.outbox.delivered(&ids).await.unwrap();
    assert_eq!(fixture.all().await, items[4..]);
}

/// Content that is gone is not told.
pub async fn an_item_shows_its_entry_as_it_is_now(fixture: OutboxFixture) {
    let one = fixture.group(1).await;
    fixture
        .append_new(vec![
            message(one, user(1), "x"),
            edit(one, user(1), Seq::ZERO.next(), "y"),
        ])
        .await;
    fixture
        .append_new(vec![delete(one, user(1), Seq::ZERO.next(), OfOthers::Never)])
        .await;
    let entries = told(&fixture.all().await);
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|entry| held_content(entry).is_none()));
}

/// Retention does not wait for the host, and an item never names another entry.
pub async fn an_item_of_a_forgotten_entry_has_none(fixture: OutboxFixture) {
    let one = fixture.group(1).await;
    let batch = (0..5).map(|_| message(one, user(1), "x"));
    let entries = fixture.append_new(batch.collect()).await;
    let rule = Retention {
        age: None,
        count: Some(2),
    };
    let before = fixture.all().await;
    fixture.upkeep.trim(None, rule, moment(0)).await.unwrap();
    let items = fixture.all().await;
    let ids: Vec<OutboxId> = items.iter().map(|item| item.id).collect();
    let expected: Vec<OutboxId> = before.iter().map(|item| item.id).collect();
    assert_eq!(ids, expected, "an item stays until it was delivered");
    assert!(items[..3].iter().all(|item| item.entry.is_none()));
    assert_eq!(told(&items), entries[3..]);
}

/// Of a group that is gone nothing is told, also where another one is put in its place.
pub async fn a_deleted_group_has_no_items(fixture: OutboxFixture) {
    let one = fixture.group(1).await;
    let two = fixture.group(2).await;
    fixture
        .append_new((0..3).map(|_| message(one, user(1), "x")).collect())
        .await;
    let others = fixture.append_new(vec![message(two, user(1), "y")]).await;
    fixture.groups.delete(one, moment(0)).await.unwrap();
    assert_eq!(told(&fixture.all().await), others);
    assert_eq!(fixture.all().await.len(), 1, "no empty items either");
    fixture.group(1).await;
    assert_eq!(fixture.all().await.len(), 1);
    let new = fixture.append_new(vec![message(one, user(1), "z")]).await;
    assert_eq!(told(&fixture.all().await), [others, new].concat());
}

/// Whoever delivers while others append sees each group's entries once and in their order.
pub async fn items_of_a_group_are_in_the_order_of_its_log(fixture: OutboxFixture) {
    let groups = [fixture.group(1).await, fixture.group(2).await];
    let mut tasks = JoinSet::new();
    for number in 1..=4 {
        let log = Arc::clone(&fixture.log);
        tasks.spawn(async move {
            for _ in 0..15 {
                let batch = groups.map(|group_id| message(group_id, user(number), "x"));
                log.append(batch.to_vec()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    let mut last: HashMap<GroupId, Seq> = groups.map(|group_id| (group_id, Seq::ZERO)).into();
    let mut count = 0;
    while count < 120 {
        let items = fixture.pending(OutboxId::default(), 7).await;
        for entry in told(&items) {
            let before = last.insert(entry.group_id, entry.seq).unwrap_or(Seq::ZERO);
            assert_eq!(entry.seq, before.next(), "in the order of the log, without a gap");
            count += 1;
        }
        fixture.delivered(&items).await;
        if items.is_empty() {
            tokio::task::yield_now().await;
        }
    }
    tasks.join_all().await;
    assert_eq!(fixture.all().await, []);
}

/// The entries that are still there.
fn told(items: &[OutboxItem]) -> Vec<Entry> {
    items.iter().filter_map(|item| item.entry.clone()).collect()
}
