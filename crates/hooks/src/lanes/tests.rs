use proptest::prelude::*;
use sealroom_domain::{Entry, EntryBody, RemovalReason, Seq, UserId};

use super::*;

/// Small, so that a few entries make several pages.
const PAGE: usize = 5;

fn item(id: i64, group: i64, seq: i64) -> OutboxItem {
    OutboxItem {
        id: OutboxId(id),
        entry: Some(Entry {
            group_id: GroupId::new(group).unwrap(),
            seq: Seq::new(seq).unwrap(),
            at: Timestamp::from_secs(0),
            body: EntryBody::MemberRemoved {
                user_id: UserId::new(1).unwrap(),
                reason: RemovalReason::Left,
                actor_id: UserId::new(1).unwrap(),
            },
        }),
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Entries of this group are appended.
    Append(i64, usize),
    /// New entries are read; from the frontier, or from the start again.
    Read {
        again: bool,
    },
    Refill,
    Start,
    /// The attempt that was begun so many before the last ends.
    End(usize, bool),
    Probe,
    WakeAll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..5_i64, prop_oneof![Just(1), Just(3), Just(200)]).prop_map(|(group, count)| Step::Append(group, count)),
        6 => (0..5_u8).prop_map(|dice| Step::Read { again: dice == 0 }),
        5 => Just(Step::Refill),
        8 => Just(Step::Start),
        8 => (0..3_usize, any::<bool>()).prop_map(|(which, accepted)| Step::End(which, accepted)),
        1 => Just(Step::Probe),
        2 => Just(Step::WakeAll),
    ]
}

/// An outbox, the lanes, and what was told of each group.
#[derive(Default)]
struct Model {
    lanes: Lanes,
    outbox: BTreeMap<OutboxId, OutboxItem>,
    heads: HashMap<i64, i64>,
    under_way: Vec<(GroupId, Seq)>,
    told: HashMap<GroupId, i64>,
    next_id: i64,
}

impl Model {
    fn page(&self, after: OutboxId) -> Vec<OutboxItem> {
        let behind = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.outbox
            .range(behind)
            .take(PAGE)
            .map(|(_, item)| item.clone())
            .collect()
    }

    fn take(&mut self, step: Step) {
        let now = Instant::now();
        match step {
            Step::Append(group, count) => {
                for _ in 0..count {
                    self.next_id += 1;
                    let seq = self.heads.entry(group).or_default();
                    *seq += 1;
                    self.outbox
                        .insert(OutboxId(self.next_id), item(self.next_id, group, *seq));
                }
            }
            Step::Read { again } => {
                let from = if again { OutboxId(0) } else { self.lanes.frontier() };
                for item in self.page(from) {
                    assert_eq!(self.lanes.admit(item, &EventType::ALL), None);
                }
            }
            Step::Refill => {
                if let Some(from) = self.lanes.refill_from() {
                    let page = self.page(from);
                    let is_last = page.len() < PAGE;
                    assert!(self.lanes.refill(from, page, is_last, &EventType::ALL).is_empty());
                }
            }
            Step::Start => {
                let started = self.lanes.start();
                self.started(started);
            }
            Step::Probe => {
                let started = self.lanes.start_probe();
                self.started(started);
            }
            Step::End(which, accepted) => self.end(which, accepted, now),
            Step::WakeAll => self.lanes.wake_all(),
        }
        self.check();
    }

    fn started(&mut self, started: Option<(Held, Stage)>) {
        let Some((held, _)) = started else { return };
        let told = self.told.get(&held.group_id).copied().unwrap_or(0);
        assert_eq!(held.seq.get(), told + 1, "{}", held.group_id);
        assert!(
            self.under_way
                .iter()
                .all(|(group_id, _)| *group_id != held.group_id)
        );
        self.under_way.push((held.group_id, held.seq));
    }

    fn end(&mut self, which: usize, accepted: bool, now: Instant) {
        if self.under_way.is_empty() {
            return;
        }
        let (group_id, seq) = self.under_way.remove(which % self.under_way.len());
        if accepted {
            let id = self.lanes.accepted(group_id, None).unwrap();
            let item = self.outbox.remove(&id).unwrap();
            assert_eq!(item.entry.unwrap().seq, seq);
            self.told.insert(group_id, seq.get());
        } else {
            self.lanes.failed(group_id, now, now);
        }
    }

    fn check(&self) {
        let held: usize = self.lanes.by_group.values().map(|lane| lane.queue.len()).sum();
        assert_eq!(self.lanes.held, held);
        for lane in self.lanes.by_group.values() {
            assert!(lane.queue.len() <= Lanes::OF_ONE);
            match lane.state {
                State::Empty => assert!(lane.queue.is_empty() && lane.behind.is_some()),
                State::Ready | State::InFlight => assert!(!lane.queue.is_empty()),
                State::Waiting(_) => assert!(lane.attempts > 0),
            }
        }
    }

    /// From any state, once everything is accepted, all of it is told and nothing is kept.
    fn finish(&mut self) {
        for _ in 0..self.outbox.len() * 4 + 20 {
            for step in [
                Step::WakeAll,
                Step::Read { again: false },
                Step::Refill,
                Step::Start,
            ] {
                self.take(step);
            }
            self.take(Step::End(0, true));
        }
        assert!(
            self.outbox.is_empty(),
            "{} are left, {:?}",
            self.outbox.len(),
            self.lanes
        );
        assert!(self.lanes.by_group.is_empty(), "{:?}", self.lanes);
        assert!(self.lanes.waiting.is_empty() && self.lanes.hungry.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_of_events_each_group_is_told_everything_in_order(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let mut model = Model::default();
        for step in steps {
            model.take(step);
        }
        model.finish();
    }
}

#[test]
fn a_group_that_fails_holds_one_entry_and_one_that_does_not_a_bounded_number() {
    let mut lanes = Lanes::default();
    for id in 1..=1000 {
        lanes.admit(item(id, 1 + id % 2, (id + 1) / 2), &EventType::ALL);
    }
    assert_eq!(lanes.held(), 2 * Lanes::OF_ONE);
    let (held, _) = lanes.start().unwrap();
    let now = Instant::now();
    lanes.failed(held.group_id, now, now);
    assert_eq!(lanes.held(), Lanes::OF_ONE + 1);
    lanes.admit(item(1001, held.group_id.get(), 501), &EventType::ALL);
    assert_eq!(lanes.held(), Lanes::OF_ONE + 1);
}

#[test]
fn there_is_room_for_so_many_and_no_more() {
    let mut lanes = Lanes::default();
    let mut id = 0;
    while lanes.has_room() {
        id += 1;
        lanes.admit(item(id, id, 1), &EventType::ALL);
    }
    assert_eq!(lanes.held(), Lanes::OF_ALL);
}

#[test]
fn giving_up_takes_old_entries_of_failing_groups_and_none_that_is_under_way() {
    let mut lanes = Lanes::default();
    let now = Instant::now();
    for id in 1..=6 {
        lanes.admit(item(id, 1 + id % 3, (id + 2) / 3), &EventType::ALL);
    }
    let failing = lanes.start().unwrap().0.group_id;
    lanes.failed(failing, now, now);
    let under_way = lanes.start().unwrap().0.group_id;
    let rule = |all, seconds| GiveUp {
        before: Timestamp::from_secs(seconds),
        failing_since: Some(now),
        all,
    };
    assert!(lanes.give_up(rule(true, -1)).is_empty(), "nothing is old enough");
    let given_up = lanes.give_up(rule(false, 0));
    assert_eq!(given_up.len(), 1);
    assert_eq!((given_up[0].group_id, given_up[0].ids.len()), (failing, 1));
    let given_up = lanes.give_up(rule(true, 0));
    assert_eq!(given_up.len(), 1, "not the one that is under way");
    assert_ne!(given_up[0].group_id, under_way);
    assert_eq!((given_up[0].first.get(), given_up[0].last.get()), (1, 2));
    // The rest of the first one is read again, and given up as well.
    let from = lanes.refill_from().unwrap();
    let page = (1..=6)
        .map(|id| item(id, 1 + id % 3, (id + 2) / 3))
        .collect::<Vec<_>>();
    let page = page.into_iter().filter(|item| item.id > from).collect();
    lanes.refill(from, page, true, &EventType::ALL);
    assert_eq!(lanes.give_up(rule(false, 0))[0].first.get(), 2);
}
