//! A removed member receives nothing after its removal, whatever happens at the same time: also while it does not read,
//! and while the store stops in the middle.

mod stuck;
mod tally;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sealroom_testkit::client::PendingAck;
use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

use self::{
    stuck::{Stuck, write_large},
    tally::Tally,
};
use crate::{
    common::Store,
    hold::Hold,
    random::{Random, Takes},
    watched::{Watched, changes_of},
    world::{World, log_over_socket, number},
};

const RACES: usize = 10_000;
const GROUPS: u64 = 40;

/// How long nothing can be stored, again and again: far shorter than a request waits for the store.
const PAUSE: Duration = Duration::from_millis(100);
/// A pause begins after this and up to as much more.
const PAUSE_AFTER: Duration = Duration::from_millis(500);
/// Rounds for which a socket does not read, less one. They must be over before a ping waits for 20 s.
const STUCK_ROUNDS: usize = 10;

on_each_store!(ten_thousand_races_of_a_removal_leak_nothing, worker_threads = 2);
async fn ten_thousand_races_of_a_removal_leak_nothing(store: Store) {
    let world = Arc::new(World::start_with(store, &[("SEALROOM_LIMIT_WRITE_STALL", "5m")]).await);
    let tally = Arc::new(Tally::default());
    let begin = Instant::now();
    let are_over = AtomicBool::new(false);
    let races = async {
        let mut groups = JoinSet::new();
        for group_id in 1..=GROUPS {
            groups.spawn(race_in(world.clone(), group_id, tally.clone()));
        }
        while let Some(group) = groups.join_next().await {
            group.unwrap();
        }
        are_over.store(true, Ordering::Relaxed);
    };
    let ((), stops) = tokio::join!(races, stop_the_store(&world, &are_over));
    println!(
        "{RACES} races and {stops} stops of the store in {:.1?}: {tally:?}",
        begin.elapsed()
    );
    assert!(stops >= 5);
    tally.check();
}

/// Again and again; says how often.
async fn stop_the_store(world: &World, are_over: &AtomicBool) -> usize {
    let mut hold = Hold::open(world).await;
    let (mut random, mut stops) = (Random::new(), 0);
    while !are_over.load(Ordering::Relaxed) {
        sleep(PAUSE_AFTER + random.moment(PAUSE_AFTER)).await;
        // One table at a time: whoever waits for a second one could lock each other out.
        let table = match random.below(3) {
            0 => "groups",
            1 => "members",
            _ => "entries",
        };
        hold.take_table(table).await;
        sleep(PAUSE).await;
        hold.release().await;
        stops += 1;
    }
    stops
}

/// One group: a member that stays and sends, and a guest that is removed again and again, with two sockets
/// that read and one that mostly does not.
struct Races {
    world: Arc<World>,
    group_id: u64,
    guest_id: u64,
    guest_token: String,
    staying: Watched,
    first: Watched,
    second: Watched,
    stuck: Stuck,
    random: Random,
    removal_takes: Takes,
    tally: Arc<Tally>,
}

async fn race_in(world: Arc<World>, group_id: u64, tally: Arc<Tally>) {
    let (staying_id, guest_id) = (2 * group_id, 2 * group_id + 1);
    world.group(group_id, [staying_id, guest_id]).await;
    let mut races = Races {
        staying: Watched::connect(&world, staying_id, group_id).await,
        first: Watched::connect(&world, guest_id, group_id).await,
        second: Watched::connect(&world, guest_id, group_id).await,
        stuck: Stuck::connect(&world, guest_id, group_id).await,
        guest_token: world.token(guest_id),
        guest_id,
        group_id,
        random: Random::new(),
        removal_takes: Takes::at_first(Duration::from_millis(5)),
        tally,
        world,
    };
    write_large(&races.staying).await;
    succeeds(races.staying.join()).await;
    for round in 0..RACES / usize::try_from(GROUPS).unwrap() {
        if round % STUCK_ROUNDS == 1 {
            races.stuck.stop_reading().await;
        }
        if round % 4 == 3 {
            races.remove_and_add_at_once().await;
        } else {
            races.remove_in_the_middle().await;
        }
        if round.is_multiple_of(STUCK_ROUNDS) && !races.stuck.is_reading() {
            races.read_again().await;
        }
        races.add_in_the_middle().await;
    }
    races.stuck.read_again().await;
    // What each socket has received is held against the log.
    let log = log_over_socket(&races.staying.client, group_id).await;
    let changes = changes_of(&log, guest_id);
    races.first.check(&changes);
    races.second.check(&changes);
    races.stuck.socket.check(&changes);
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
        self.stuck.joins();
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
        self.stuck.joins();

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
        self.stuck.joins();
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

    /// The stuck socket reads again, right after a removal: it has all of what it missed, and is out.
    async fn read_again(&mut self) {
        if self.stuck.is_stuck(&self.world) {
            self.tally.with_stuck.fetch_add(STUCK_ROUNDS, Ordering::Relaxed);
        }
        self.stuck.read_again().await;
        let removal = self.staying.last_change_of(self.guest_id).unwrap();
        self.stuck.socket.check_outside(removal.seq);
    }

    /// Removes the guest over HTTP, or lets it leave the group for good.
    async fn remove(&self, by_itself: bool) {
        let begin = Instant::now();
        if by_itself {
            let member = format!("/groups/{}/members/{}", self.group_id, self.guest_id);
            let answer = self.world.call("DELETE", &member, &self.guest_token, None).await;
            assert_eq!(answer.status, 204, "{}", answer.text());
        } else {
            self.world.remove(self.group_id, self.guest_id).await;
        }
        self.removal_takes.note(begin.elapsed());
    }

    /// At most half as long again as a removal takes.
    fn moment(&mut self) -> Duration {
        self.random.moment(self.removal_takes.and_a_half())
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
