//! Requests that are too many, or ask for too much.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ROOM;
use crate::{
    peer::Peer,
    target::{ALICE, GROUP, MALLORY, Target},
    world::{ask, number, send, succeed, verdict},
};

pub(super) async fn rs_8_floods_of_events(target: &mut Target) {
    let before = target.memory();
    let other = target.world.joined(ALICE, GROUP).await;
    for event in [
        "join_group",
        "leave_group",
        "get_entries",
        "mark_read",
        "typing",
        "nothing",
    ] {
        let flood = target.world.socket(MALLORY).await;
        let payload = json!({"group_id": GROUP, "seq": 1, "is_typing": true});
        // A burst is served, and a little more than that is refused.
        let asked: Vec<_> = (0..300).map(|_| flood.request(event, &payload)).collect();
        let (mut served, mut limited) = (0, 0);
        for asked in asked {
            let ack = asked.answer().await.unwrap();
            if ack["code"] == "rate_limited" {
                assert!(
                    number(&ack["retry_after_ms"]) > 0 && ack["retryable"] == true,
                    "{ack}"
                );
                limited += 1;
            } else {
                served += 1;
            }
        }
        assert!(
            served < 300 && limited > 0,
            "{event}: {served} served, {limited} refused"
        );
        // Much more closes the socket, and nobody else feels it.
        for _ in 0..5_000 {
            flood.emit(event, &payload);
        }
        let begin = Instant::now();
        send(&other, GROUP, "beside a flood").await;
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "{event}: {:?}",
            begin.elapsed()
        );
        flood.wait_closed().await.unwrap();
    }
    // Sends have a rate of their own, and nobody is closed for them.
    let flood = target.world.socket(MALLORY).await;
    let message = json!({"group_id": GROUP, "encrypted_content": "x"});
    let asked: Vec<_> = (0..3_000)
        .map(|_| flood.request("send_message", &message))
        .collect();
    let mut stored = 0;
    for asked in asked {
        let ack = asked.answer().await.unwrap();
        assert!(ack["success"] == true || ack["code"] == "rate_limited", "{ack}");
        stored += u64::from(ack["success"] == true);
    }
    assert!((64..=400).contains(&stored), "{stored}");
    assert!(target.memory().saturating_sub(before) < ROOM);
}

pub(super) async fn rs_9_too_many_groups_and_members(target: &mut Target) {
    // GROUP has four members, and two places more.
    for user_id in [50, 51] {
        target.world.add(GROUP, user_id).await;
    }
    let path = format!("/groups/{GROUP}/members/52");
    let answer = target.world.admin("PUT", &path, json!({"role": "member"})).await;
    assert_eq!(
        (verdict(&answer), &answer.json()["limit"]),
        ((409, "limit_exceeded".into()), &json!(6))
    );
    let body = json!({"name": "crowd", "members": (60..70).collect::<Vec<u64>>()});
    let answer = target.world.user(53, "POST", "/groups", body).await;
    assert_eq!(verdict(&answer), (409, "limit_exceeded".into()));

    // MALLORY is in one group, and may be in seven more.
    let mut groups = vec![GROUP];
    loop {
        let answer = target
            .world
            .user(MALLORY, "POST", "/groups", json!({"name": "mine"}))
            .await;
        if answer.status != 201 {
            assert_eq!(
                (verdict(&answer), &answer.json()["limit"]),
                ((409, "limit_exceeded".into()), &json!(8))
            );
            break;
        }
        groups.push(number(&answer.json()["group_id"]));
    }
    assert_eq!(groups.len(), 8);
    let client = target.world.socket(MALLORY).await;
    for (place, group_id) in groups.iter().enumerate() {
        let ack = ask(&client, "join_group", json!({"group_id": group_id})).await;
        if place < 5 {
            assert_eq!(ack["success"], true, "{ack}");
        } else {
            assert_eq!(
                (&ack["code"], &ack["limit"]),
                (&json!("limit_exceeded"), &json!(5)),
                "{ack}"
            );
        }
    }
    // A million groups that are not there take no place.
    for group_id in 1_000_000..1_000_500 {
        let ack = ask(&client, "join_group", json!({"group_id": group_id})).await;
        assert_eq!(ack["code"], "not_a_member");
    }
}

/// The pages of one user hold up no other user.
pub(super) async fn rs_12_many_pages_at_once(target: &mut Target) {
    let writer = target.world.socket(MALLORY).await;
    let message = json!({"group_id": GROUP, "encrypted_content": "x".repeat(20_000)}).to_string();
    for _ in 0..10 {
        let sends: Vec<_> = (0..50)
            .map(|_| writer.request("send_message", &message))
            .collect();
        for send in sends {
            assert_eq!(send.answer().await.unwrap()["success"], true);
        }
    }
    let alice = target.world.joined(ALICE, GROUP).await;
    let one = json!({"group_id": GROUP, "limit": 1});
    let calm = median(&alice, &one).await;
    let before = target.memory();
    // From its first page on, 512 KiB each.
    let pages = async {
        let path = format!("/groups/{GROUP}/entries?after_seq=4&limit=500");
        let pages = (0..300).map(|_| target.world.user(MALLORY, "GET", &path, None::<Value>));
        for page in join_all(pages).await {
            assert!(matches!(page.status, 200 | 429 | 503), "{}", page.text());
        }
    };
    let (busy, ()) = tokio::join!(median(&alice, &one), pages);
    println!("a small page takes {calm:.1?}, and {busy:.1?} beside 300 large ones of somebody else");
    assert!(busy < calm * 10 + Duration::from_secs(1), "{calm:?} {busy:?}");
    assert!(target.memory().saturating_sub(before) < 2 * ROOM);
}

async fn median(client: &sealroom_testkit::client::Client, page: &Value) -> Duration {
    let mut took = Vec::new();
    for _ in 0..15 {
        let begin = Instant::now();
        succeed(client, "get_entries", page.clone()).await;
        took.push(begin.elapsed());
    }
    took.sort();
    took[7]
}

pub(super) async fn rs_15_a_log_that_nobody_can_fill(target: &mut Target) {
    let before = target.world.server.log().len();
    let token = target.world.token(MALLORY);
    for _ in 0..30 {
        let mut peer = Peer::connected(target.addr(), &token).await;
        for _ in 0..100 {
            peer.say("42[\"send_message\",{\"group_id\":\"x\"}]").await;
        }
        peer.say("4\u{1}").await;
        let mut bad = Peer::websocket(target.addr()).await;
        bad.say("40{\"token\":\"x\"}").await;
        bad.write(&[0xff; 64]).await;
        let mut none = Peer::connect(target.addr()).await;
        none.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n").await;
        none.status().await;
        let mut lost = Peer::connect(target.addr()).await;
        lost.write(b"GET /socket.io/?EIO=3 HTTP/1.1\r\nHost: x\r\n\r\n")
            .await;
        lost.status().await;
    }
    let log = target.world.server.log();
    assert!(log.len() < before + 2_000, "{}", &log[before..]);
}
