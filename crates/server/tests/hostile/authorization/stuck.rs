//! Removals of somebody who does not read.

use std::time::Duration;

use sealroom_testkit::client::Client;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::races::{Race, either, refused, succeeds};
use crate::{
    target::{ALICE, GROUP, MALLORY, Target, eventually},
    watched::Watched,
    world::{send, succeed},
};

const GUEST: u64 = 30;
/// Enough of them fill what the kernel takes for a client that does not read.
const LARGE: usize = 50_000;
const PAGE: usize = 6;

/// The guest's first socket reads nothing while messages, its removal and more messages come.
pub(super) async fn az_4_a_removal_with_deliveries_that_are_stuck(target: &mut Target) {
    const ROUNDS: usize = 40;
    let world = &target.world;
    let races = Race::all(world).await;
    let large = "x".repeat(LARGE);
    let racing = races.into_iter().map(async |mut race| {
        let stuck = Watched::connect_narrow(world, race.guest_id, race.group_id).await;
        let awake = race.guest().await;
        for _ in 0..PAGE {
            succeeds(race.staying.say(&large)).await;
        }
        for round in 0..ROUNDS {
            for guest in [&stuck, &awake] {
                succeeds(guest.join()).await;
            }
            stuck.client.pause_reading();
            // For this socket alone; what follows waits behind it in the server.
            let page = stuck.page_after(2, PAGE);
            let mut sent: Vec<_> = (0..3).map(|_| race.staying.send()).collect();
            let [early, late] = [race.moment(), race.moment()];
            let others = async {
                sleep(early).await;
                let of_guest = [stuck.send(), awake.send(), stuck.join(), stuck.page()];
                let of_staying = [race.staying.send(), race.staying.say(&large), race.staying.send()];
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
            let ((of_guest, of_staying), [behind_stuck, behind_awake]) = tokio::join!(others, removal);
            sent.extend(of_staying);
            sent.extend((0..3).map(|_| race.staying.send()));
            for send in sent {
                succeeds(send).await;
            }
            let removal = race.removal().await;
            // The other socket has all of it; this one reads only now, in every second race after its user is back.
            refused(behind_awake).await;
            awake.settle().await;
            awake.check_outside(removal);
            if round % 2 == 1 {
                race.add().await;
                succeeds(race.staying.send()).await;
            }
            stuck.client.resume_reading();
            // A machine under load may come to it only when the user is back.
            for request in of_guest.into_iter().chain([page, behind_stuck]) {
                either(request).await;
            }
            stuck.settle().await;
            if round % 2 == 0 {
                stuck.check_outside(removal);
                race.add().await;
            } else {
                stuck.check_outside_or_back(removal);
            }
        }
        race.check(&[&stuck, &awake]).await;
    });
    futures_util::future::join_all(racing).await;
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
    let removal = u64::try_from(world.log(GROUP).await.len()).unwrap();
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
