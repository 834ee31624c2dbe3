//! Sends and joins against removals, also while the store stands still.
//!
//! Every socket is watched: what came to it is held against the log, in the order in which it came. Ten thousand races are
//! in the tests of the program; here the outcome of each request is held against the log as well.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sealroom_testkit::client::PendingAck;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    hold::Hold,
    random::{Random, Takes},
    target::Target,
    watched::{Watched, changes_of},
    world::{World, number},
};

/// Groups that race at once, for the store's lanes to have each other to wait for.
const GROUPS: u64 = 4;

pub(super) async fn succeeds(request: PendingAck) -> Value {
    let ack = request.answer().await.unwrap();
    assert_eq!(ack["success"], true, "{ack}");
    ack
}

pub(super) async fn refused(request: PendingAck) {
    let ack = request.answer().await.unwrap();
    assert_eq!(ack["code"], "not_a_member", "{ack}");
}

/// Either of both; gives the ack of a success.
pub(super) async fn either(request: PendingAck) -> Option<Value> {
    let ack = request.answer().await.unwrap();
    if ack["success"] == true {
        return Some(ack);
    }
    assert_eq!(ack["code"], "not_a_member", "{ack}");
    None
}

/// A group with a member that stays and a guest that comes and goes.
pub(super) struct Race<'a> {
    pub(super) world: &'a World,
    pub(super) group_id: u64,
    staying_id: u64,
    pub(super) guest_id: u64,
    pub(super) staying: Watched,
    random: Random,
    removal_takes: Takes,
}

impl<'a> Race<'a> {
    async fn begin(world: &'a World, number: u64) -> Self {
        let group_id = 100 + number;
        let [staying_id, guest_id] = [1_000 + number, 2_000 + number];
        world.group(group_id, [staying_id, guest_id]).await;
        let staying = Watched::connect(world, staying_id, group_id).await;
        succeeds(staying.join()).await;
        Self {
            world,
            group_id,
            staying_id,
            guest_id,
            staying,
            random: Random::new(),
            removal_takes: Takes::at_first(Duration::from_millis(4)),
        }
    }

    /// All of them at once.
    pub(super) async fn all(world: &'a World) -> Vec<Self> {
        futures_util::future::join_all((1..=GROUPS).map(|number| Self::begin(world, number))).await
    }

    pub(super) async fn guest(&self) -> Watched {
        Watched::connect(self.world, self.guest_id, self.group_id).await
    }

    pub(super) async fn add(&self) {
        self.world.add(self.group_id, self.guest_id).await;
    }

    pub(super) async fn remove(&self) {
        let begin = Instant::now();
        self.world.remove(self.group_id, self.guest_id).await;
        self.removal_takes.note(begin.elapsed());
    }

    pub(super) fn moment(&mut self) -> Duration {
        self.random.moment(self.removal_takes.and_a_half())
    }

    /// The place of the last removal, which the one that stays has seen.
    pub(super) async fn removal(&self) -> u64 {
        succeeds(self.staying.send()).await;
        let last = self.staying.last_change_of(self.guest_id).unwrap();
        assert!(!last.is_member);
        last.seq
    }

    /// Holds what came to sockets of the guest against the log.
    pub(super) async fn check(&self, sockets: &[&Watched]) {
        let log = self.world.log(self.group_id).await;
        let changes = changes_of(&log, self.guest_id);
        for socket in sockets {
            socket.check_whatever_came(&changes);
        }
        self.staying.check(&changes_of(&log, self.staying_id));
    }
}

/// A send and what became of it.
struct Sent {
    id: String,
    answer: PendingAck,
}

fn send_as(socket: &Watched, group_id: u64, id: String) -> Sent {
    let message = json!({"group_id": group_id, "encrypted_content": id, "client_message_id": id});
    let answer = socket.client.request("send_message", message);
    Sent { id, answer }
}

/// The store decides: a message of the guest has its place before the removal and was acknowledged, or is nowhere and
/// was refused.
pub(super) async fn az_3_sends_at_the_removal_of_their_sender(target: &mut Target) {
    const ROUNDS: usize = 40;
    let world = &target.world;
    let mut hold = Hold::open(world).await;
    let mut races = Race::all(world).await;
    let mut guests = Vec::new();
    for race in &races {
        guests.push([race.guest().await, race.guest().await]);
    }
    let mut answers: HashMap<String, Option<u64>> = HashMap::new();
    for round in 0..ROUNDS {
        // Every second time the store stands still while all of it is under way.
        let holds = round % 2 == 0;
        for guests in &guests {
            succeeds(guests[0].join()).await;
        }
        if holds {
            hold.take().await;
        }
        let racing = races.iter_mut().zip(&guests).map(async |(race, guests)| {
            let [early, late, later] = [race.moment(), race.moment(), race.moment()];
            let sends = async {
                let mut sent = Vec::new();
                for (burst, moment) in [early, late, later].into_iter().enumerate() {
                    sleep(moment / 3).await;
                    for (socket, guest) in guests.iter().enumerate() {
                        for number in 0..3 {
                            let id = format!("{}-{round}-{burst}-{socket}-{number}", race.group_id);
                            sent.push(send_as(guest, race.group_id, id));
                        }
                    }
                    drop(race.staying.send());
                }
                sent
            };
            let removal = async {
                sleep(late).await;
                race.remove().await;
                // Told and evicted before this was answered.
                [0, 1].map(|guest| guests[guest].behind_removal(Watched::send))
            };
            tokio::join!(sends, removal)
        });
        let release = async {
            if holds {
                sleep(Duration::from_millis(8)).await;
                hold.release().await;
            }
        };
        let (outcomes, ()) = tokio::join!(futures_util::future::join_all(racing), release);
        for (sent, behind) in outcomes {
            for Sent { id, answer } in sent {
                let seq = either(answer).await.map(|ack| number(&ack["message"]["seq"]));
                answers.insert(id, seq);
            }
            for request in behind {
                refused(request).await;
            }
        }
        for (race, guests) in races.iter().zip(&guests) {
            let removal = race.removal().await;
            for guest in guests {
                guest.settle().await;
                guest.check_outside(removal);
            }
            race.add().await;
        }
    }
    for (race, guests) in races.iter().zip(&guests) {
        race.check(&guests.iter().collect::<Vec<_>>()).await;
        let log = world.log(race.group_id).await;
        let mut is_member = false;
        for entry in &log {
            if entry["user_id"] == race.guest_id {
                is_member = entry["type"] == "member_added";
            }
            if entry["sender_id"] == race.guest_id {
                assert!(is_member, "stored for somebody outside: {entry}");
                let said = answers.remove(entry["client_message_id"].as_str().unwrap());
                assert_eq!(said, Some(entry["seq"].as_u64()), "{entry}");
            }
        }
    }
    // What is left was not stored, and nobody was told that it was.
    let refused = answers.len();
    assert!(
        answers.values().all(Option::is_none),
        "acknowledged and nowhere: {answers:?}"
    );
    let all = ROUNDS * usize::try_from(GROUPS).unwrap() * 18;
    println!("{refused} of {all} sends were refused");
    assert!(
        refused > all / 50 && refused < all - all / 50,
        "hardly a race: {refused} of {all}"
    );
}

/// Joins, resumptions after a lost connection, and a removal that is undone at once, also while the store stands still.
pub(super) async fn az_5_joins_at_a_removal(target: &mut Target) {
    const ROUNDS: usize = 30;
    let world = &target.world;
    let mut hold = Hold::open(world).await;
    let mut races = Race::all(world).await;
    let mut joins = [0; 2];
    for round in 0..ROUNDS {
        let (holds, undoes) = (round % 2 == 0, round % 3 == 0);
        let mut sockets = Vec::new();
        for race in &races {
            let [lost, stays, comes_back] = [race.guest().await, race.guest().await, race.guest().await];
            let seen = number(&succeeds(lost.join()).await["head_seq"]);
            succeeds(stays.join()).await;
            succeeds(race.staying.send()).await;
            lost.client.kill().await;
            succeeds(race.staying.send()).await;
            sockets.push((seen, stays, comes_back));
        }
        if holds {
            hold.take().await;
        }
        let racing = races
            .iter_mut()
            .zip(&sockets)
            .map(async |(race, (seen, stays, comes_back))| {
                let [early, late, later] = [race.moment(), race.moment(), race.moment()];
                let resume = json!({"group_id": race.group_id, "after_seq": seen});
                let joining = async {
                    sleep(early).await;
                    let first = comes_back.client.request("join_group", &resume);
                    let second = stays.join();
                    drop(race.staying.send());
                    [first, second]
                };
                let removal = async {
                    sleep(late).await;
                    race.remove().await;
                };
                let undoing = async {
                    if undoes {
                        sleep(later).await;
                        race.add().await;
                    }
                };
                tokio::join!(joining, removal, undoing).0
            });
        let release = async {
            if holds {
                sleep(Duration::from_millis(8)).await;
                hold.release().await;
            }
        };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(racing), release);
        for ((race, (seen, stays, comes_back)), [resumed, joined]) in races.iter().zip(&sockets).zip(answers)
        {
            succeeds(race.staying.send()).await;
            let last = race.staying.last_change_of(race.guest_id).unwrap();
            let resumed = either(resumed).await;
            joins[usize::from(resumed.is_some())] += 1;
            if let Some(ack) = resumed {
                whole_page(&ack, *seen);
                let head = number(&ack["head_seq"]);
                assert!(
                    last.is_member || head < last.seq,
                    "joined at {head}, removed at {}",
                    last.seq
                );
            }
            either(joined).await;
            for socket in [stays, comes_back] {
                socket.settle().await;
                if !last.is_member {
                    socket.check_outside(last.seq);
                }
            }
            race.check(&[stays, comes_back]).await;
            if !last.is_member {
                race.add().await;
            }
        }
    }
    println!("{} resumptions were refused, {} in time", joins[0], joins[1]);
    assert!(joins.iter().all(|outcome| *outcome >= 1), "no race: {joins:?}");
}

/// Everything between what was seen and the head, each once.
fn whole_page(ack: &Value, seen: u64) {
    assert_eq!(
        (&ack["recovered"], &ack["has_more"]),
        (&json!(true), &json!(false)),
        "{ack}"
    );
    let entries = ack["entries"].as_array().unwrap().iter();
    let places: Vec<u64> = entries.map(|entry| number(&entry["seq"])).collect();
    let expected: Vec<u64> = (seen + 1..=number(&ack["head_seq"])).collect();
    assert_eq!(places, expected);
}
