//! A removed member receives nothing after its removal, whatever happens at the same time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sealroom_testkit::client::PendingAck;
use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    common::Store,
    random::Random,
    watched::{Watched, changes_of},
    world::{World, log_over_socket, number},
};

const RACES: usize = 10_000;
const GROUPS: u64 = 40;

/// What the races came to, over all groups: where nothing races, nothing is proved.
#[derive(Debug, Default)]
struct Tally {
    removals: AtomicUsize,
    joins_in_time: AtomicUsize,
    joins_too_late: AtomicUsize,
    sends_in_time: AtomicUsize,
    sends_too_late: AtomicUsize,
    pages_in_time: AtomicUsize,
    pages_too_late: AtomicUsize,
    joins_with_adding_in_time: AtomicUsize,
    joins_with_adding_too_early: AtomicUsize,
    removals_undone: AtomicUsize,
    removals_that_stand: AtomicUsize,
}

on_each_store!(ten_thousand_races_of_a_removal_leak_nothing, worker_threads = 2);
async fn ten_thousand_races_of_a_removal_leak_nothing(store: Store) {
    let world = Arc::new(World::start_on(store).await);
    let tally = Arc::new(Tally::default());
    let begin = Instant::now();
    let mut groups = JoinSet::new();
    for group_id in 1..=GROUPS {
        groups.spawn(race_in(world.clone(), group_id, tally.clone()));
    }
    while let Some(group) = groups.join_next().await {
        group.unwrap();
    }
    println!("{RACES} races in {:.1?}: {tally:?}", begin.elapsed());
    let both_ways = [
        &tally.joins_in_time,
        &tally.joins_too_late,
        &tally.sends_in_time,
        &tally.sends_too_late,
        &tally.pages_in_time,
        &tally.pages_too_late,
        &tally.joins_with_adding_in_time,
        &tally.joins_with_adding_too_early,
        &tally.removals_undone,
        &tally.removals_that_stand,
    ];
    for outcome in both_ways {
        assert!(outcome.load(Ordering::Relaxed) >= 20, "hardly a race: {tally:?}");
    }
    assert!(tally.removals.load(Ordering::Relaxed) >= RACES);
}

/// One group: a member that stays and sends, and a guest that is removed again and again, with two sockets.
struct Races {
    world: Arc<World>,
    group_id: u64,
    guest_id: u64,
    guest_token: String,
    staying: Watched,
    first: Watched,
    second: Watched,
    random: Random,
    tally: Arc<Tally>,
}

async fn race_in(world: Arc<World>, group_id: u64, tally: Arc<Tally>) {
    let (staying_id, guest_id) = (2 * group_id, 2 * group_id + 1);
    world.group(group_id, [staying_id, guest_id]).await;
    let mut races = Races {
        staying: Watched::connect(&world, staying_id, group_id).await,
        first: Watched::connect(&world, guest_id, group_id).await,
        second: Watched::connect(&world, guest_id, group_id).await,
        guest_token: world.token(guest_id),
        guest_id,
        group_id,
        random: Random::new(),
        tally,
        world,
    };
    succeeds(races.staying.join()).await;
    for round in 0..RACES / usize::try_from(GROUPS).unwrap() {
        if round % 4 == 3 {
            races.remove_and_add_at_once().await;
        } else {
            races.remove_in_the_middle().await;
        }
        races.add_in_the_middle().await;
    }
    // What each socket has received is held against the log.
    let log = log_over_socket(&races.staying.client, group_id).await;
    let changes = changes_of(&log, guest_id);
    races.first.check(&changes);
    races.second.check(&changes);
    races.staying.check(&changes_of(&log, staying_id));
    let removals = changes.iter().filter(|change| !change.is_member).count();
    races.tally.removals.fetch_add(removals, Ordering::Relaxed);
}

impl Races {
    /// A removal against messages of the others and of the guest, against joins, pages and leaving.
    async fn remove_in_the_middle(&mut self) {
        succeeds(self.first.join()).await;
        if self.random.below(2) == 0 {
            succeeds(self.second.join()).await;
        }
        let [early, late] = [self.moment(), self.moment()];
        let leaves_room = self.random.below(8) == 0;
        let [by_itself, reads] = [(); 2].map(|()| self.random.below(2) == 0);
        let before = self.staying.send();
        let removal = async {
            sleep(early).await;
            self.remove(by_itself).await;
            // Both sockets were told before this was answered; one that has just left is told nothing.
            let first = if leaves_room {
                self.first.send()
            } else {
                self.first.behind_removal(Watched::send)
            };
            let request = if reads { Watched::page } else { Watched::join };
            [first, self.second.behind_removal(request)]
        };
        let others = async {
            sleep(late).await;
            let racing = (self.second.join(), self.first.send());
            let page = reads.then(|| self.second.page());
            let leaving = leaves_room.then(|| self.first.leave());
            (racing, page, leaving, self.staying.send())
        };
        let (behind, ((join, send), page, leaving, meanwhile)) = tokio::join!(removal, others);
        let after = self.staying.send();

        for request in behind {
            refused(request).await;
        }
        for send in [before, meanwhile, after] {
            succeeds(send).await;
        }
        if let Some(leaving) = leaving {
            succeeds(leaving).await;
        }
        // The one that stays has its last messages, so it has seen the removal.
        let removal = self.staying.last_change_of(self.guest_id).unwrap();
        assert!(!removal.is_member);
        let tally = &self.tally;
        either(join, &tally.joins_in_time, &tally.joins_too_late).await;
        either(send, &tally.sends_in_time, &tally.sends_too_late).await;
        if let Some(page) = page
            && let Some(page) = either(page, &tally.pages_in_time, &tally.pages_too_late).await
        {
            let last = page["entries"].as_array().unwrap().last().unwrap();
            assert!(number(&last["seq"]) < removal.seq, "{last} after {removal:?}");
        }
        for socket in [&self.first, &self.second] {
            socket.settle().await;
            socket.check_outside(removal.seq);
        }
    }

    /// Adding against joins and messages of the one that is added.
    async fn add_in_the_middle(&mut self) {
        let [early, late] = [self.moment(), self.moment()];
        let adding = async {
            sleep(early).await;
            self.world.add(self.group_id, self.guest_id).await;
        };
        let others = async {
            sleep(late).await;
            let racing = (self.first.join(), self.second.send());
            (racing, self.staying.send())
        };
        let ((), ((join, send), staying)) = tokio::join!(adding, others);
        let (in_time, too_early) = (
            &self.tally.joins_with_adding_in_time,
            &self.tally.joins_with_adding_too_early,
        );
        either(join, in_time, too_early).await;
        drop(send.answer().await.unwrap());
        succeeds(staying).await;
    }

    /// A removal against its own undoing, which comes before it or after it.
    async fn remove_and_add_at_once(&mut self) {
        succeeds(self.first.join()).await;
        let [early, late, middle] = [self.moment(), self.moment(), self.moment()];
        let removing = async {
            sleep(early).await;
            self.remove(false).await;
        };
        let adding = async {
            sleep(late).await;
            self.world.add(self.group_id, self.guest_id).await;
        };
        let others = async {
            sleep(middle).await;
            let racing = [self.second.join(), self.first.send(), self.first.join()];
            (racing, self.staying.send())
        };
        let ((), (), (racing, staying)) = tokio::join!(removing, adding, others);
        for request in racing {
            drop(request.answer().await.unwrap());
        }
        succeeds(staying).await;
        succeeds(self.staying.send()).await;
        let last = self.staying.last_change_of(self.guest_id).unwrap();
        let outcome = if last.is_member {
            &self.tally.removals_undone
        } else {
            &self.tally.removals_that_stand
        };
        outcome.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes the guest over HTTP, or lets it leave the group for good.
    async fn remove(&self, by_itself: bool) {
        if by_itself {
            let member = format!("/groups/{}/members/{}", self.group_id, self.guest_id);
            let answer = self.world.call("DELETE", &member, &self.guest_token, None).await;
            assert_eq!(answer.status, 204, "{}", answer.text());
        } else {
            self.world.remove(self.group_id, self.guest_id).await;
        }
    }

    /// About as long as an HTTP call takes.
    fn moment(&mut self) -> Duration {
        self.random.moment(Duration::from_millis(8))
    }
}

async fn succeeds(request: PendingAck) {
    let ack = request.answer().await.unwrap();
    assert_eq!(ack["success"], true, "{ack}");
}

async fn refused(request: PendingAck) {
    let ack = request.answer().await.unwrap();
    assert_eq!(ack["code"], "not_a_member", "{ack}");
}

/// Counts an answer that may be both; gives the ack of a success.
async fn either(request: PendingAck, in_time: &AtomicUsize, too_late: &AtomicUsize) -> Option<Value> {
    let ack = request.answer().await.unwrap();
    if ack["success"] == true {
        in_time.fetch_add(1, Ordering::Relaxed);
        return Some(ack);
    }
    assert_eq!(ack["code"], "not_a_member", "{ack}");
    too_late.fetch_add(1, Ordering::Relaxed);
    None
}
