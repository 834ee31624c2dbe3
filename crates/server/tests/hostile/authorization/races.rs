//! Removals against everything that may happen at the same time, while somebody does not read or the store stands still.
//!
//! Every socket is watched: what came to it is held against the log, in the order in which it came. Ten thousand races of
//! the plain kind are in the tests of the program; here each has something that is stuck.

use std::{collections::HashMap, time::Duration};

use sealroom_testkit::client::{Client, PendingAck};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    hold::Hold,
    random::Random,
    target::{ALICE, GROUP, MALLORY, Target, eventually},
    watched::{Watched, changes_of},
    world::{World, number, send, succeed},
};

const GUEST: u64 = 30;
/// Groups that race at once, for the store's lanes to have each other to wait for.
const GROUPS: u64 = 4;
/// Enough of them fill what the kernel takes for a client that does not read.
const LARGE: usize = 50_000;

async fn succeeds(request: PendingAck) -> Value {
    let ack = request.answer().await.unwrap();
    assert_eq!(ack["success"], true, "{ack}");
    ack
}

async fn refused(request: PendingAck) {
    let ack = request.answer().await.unwrap();
    assert_eq!(ack["code"], "not_a_member", "{ack}");
}

/// Either of both; gives the ack of a success.
async fn either(request: PendingAck) -> Option<Value> {
    let ack = request.answer().await.unwrap();
    if ack["success"] == true {
        return Some(ack);
    }
    assert_eq!(ack["code"], "not_a_member", "{ack}");
    None
}

/// A group with a member that stays and a guest that comes and goes.
struct Race<'a> {
    world: &'a World,
    group_id: u64,
    staying_id: u64,
    guest_id: u64,
    staying: Watched,
    random: Random,
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
        }
    }

    /// All of them at once.
    async fn all(world: &'a World) -> Vec<Self> {
        futures_util::future::join_all((1..=GROUPS).map(|number| Self::begin(world, number))).await
    }

    async fn guest(&self) -> Watched {
        Watched::connect(self.world, self.guest_id, self.group_id).await
    }

    async fn add(&self) {
        self.world.add(self.group_id, self.guest_id).await;
    }

    async fn remove(&self) {
        self.world.remove(self.group_id, self.guest_id).await;
    }

    fn moment(&mut self) -> Duration {
        self.random.moment(Duration::from_millis(6))
    }

    /// The place of the last removal, which the one that stays has seen.
    async fn removal(&self) -> u64 {
        succeeds(self.staying.send()).await;
        let last = self.staying.last_change_of(self.guest_id).unwrap();
        assert!(!last.is_member);
        last.seq
    }

    /// Holds what came to sockets of the guest against the log.
    async fn check(&self, sockets: &[&Watched]) {
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

/// The guest's first socket reads nothing while messages, its removal and more messages come.
pub(super) async fn az_4_a_removal_with_deliveries_that_are_stuck(target: &mut Target) {
    const ROUNDS: usize = 20;
    let world = &target.world;
    let races = Race::all(world).await;
    let large = "x".repeat(LARGE);
    let racing = races.into_iter().map(async |mut race| {
        let stuck = Watched::connect_narrow(world, race.guest_id, race.group_id).await;
        let awake = race.guest().await;
        for round in 0..ROUNDS {
            for guest in [&stuck, &awake] {
                succeeds(guest.join()).await;
            }
            stuck.client.pause_reading();
            let mut sent: Vec<_> = (0..6).map(|_| race.staying.say(&large)).collect();
            let [early, late] = [race.moment(), race.moment()];
            let others = async {
                sleep(early).await;
                let of_guest = [stuck.send(), awake.send(), stuck.join(), stuck.page()];
                let of_staying = [
                    race.staying.say(&large),
                    race.staying.send(),
                    race.staying.say(&large),
                ];
                (of_guest, of_staying)
            };
            let removal = async {
                sleep(late).await;
                let begin = Instant::now();
                race.remove().await;
                let took = begin.elapsed();
                assert!(
                    took < Duration::from_secs(4),
                    "the removal waited for a reader: {took:?}"
                );
                [
                    stuck.behind_removal(Watched::send),
                    awake.behind_removal(Watched::join),
                ]
            };
            let ((of_guest, of_staying), behind) = tokio::join!(others, removal);
            sent.extend(of_staying);
            sent.extend((0..3).map(|_| race.staying.say(&large)));
            for send in sent {
                succeeds(send).await;
            }
            let removal = race.removal().await;
            // The other socket has all of it; this one reads only now, in every second race after its user is back.
            awake.settle().await;
            awake.check_outside(removal);
            if round % 2 == 1 {
                race.add().await;
                succeeds(race.staying.say(&large)).await;
            }
            stuck.client.resume_reading();
            for request in behind {
                refused(request).await;
            }
            for request in of_guest {
                either(request).await;
            }
            stuck.settle().await;
            stuck.check_outside(removal);
            if round % 2 == 0 {
                race.add().await;
            }
        }
        race.check(&[&stuck, &awake]).await;
    });
    futures_util::future::join_all(racing).await;
}

/// Joins, resumptions after a lost connection, and a removal that is undone at once, also while the store stands still.
pub(super) async fn az_5_joins_at_a_removal(target: &mut Target) {
    const ROUNDS: usize = 40;
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
    assert!(
        joins.iter().all(|outcome| *outcome >= 5),
        "hardly a race: {joins:?}"
    );
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

/// The sockets of a removed member are full to the brim. Nobody waits for them, and they are ended.
pub(super) async fn az_7_a_removal_of_somebody_whose_sockets_are_full(target: &mut Target) {
    let world = &target.world;
    let writer = world.joined(MALLORY, GROUP).await;
    let others = world.joined(ALICE, GROUP).await;
    world.add(GROUP, GUEST).await;
    let before = target.connections();
    let mut stuck = Vec::new();
    for _ in 0..4 {
        let client = Client::builder(target.addr())
            .token(&world.token(GUEST))
            .receive_buffer(4096)
            .connect()
            .await
            .unwrap();
        succeed(&client, "join_group", json!({"group_id": GROUP})).await;
        client.pause_reading();
        stuck.push(client);
    }
    let large = "x".repeat(LARGE);
    for _ in 0..20 {
        send(&writer, GROUP, &large).await;
    }
    let begin = Instant::now();
    world.remove(GROUP, GUEST).await;
    let took = begin.elapsed();
    assert!(
        took < Duration::from_secs(2),
        "the removal waited for them: {took:?}"
    );
    let removal = world.log(GROUP).await.len() as u64;
    // The others go on at once.
    let begin = Instant::now();
    let message = send(&writer, GROUP, "after the removal").await;
    loop {
        let heard = others.next_event("new_message").await.unwrap();
        if heard == message {
            break;
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    // One of them reads again before it is given up: it ends with its removal.
    let last = stuck.pop().unwrap();
    last.resume_reading();
    let told = last.next_event("removed_from_group").await.unwrap();
    assert_eq!(told, json!({"group_id": GROUP, "reason": "removed"}));
    let within = Duration::from_secs(30);
    eventually(within, "the full sockets are gone", || {
        target.connections() <= before + 1
    })
    .await;
    for client in stuck.iter().chain([&last]) {
        client.resume_reading();
        if std::ptr::eq(client, &raw const last) {
            succeed(client, "leave_group", json!({"group_id": 9_000_000})).await;
        } else {
            client.wait_closed().await.unwrap();
        }
        for event in client.events() {
            let seq = event.payload()["seq"].as_u64().unwrap_or(0);
            assert!(seq <= removal, "{seq} after the removal at {removal}");
        }
    }
}
