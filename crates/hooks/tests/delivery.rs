//! What arrives, in which order, and what a receiver that fails changes about it. In simulated time.

#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{CANARY, Reply, SECRET, World, add, delete, named, pass, remove, user};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sealroom_domain::ports::{Clock as _, Memberships as _};
use sealroom_hooks::{EventType, HookOptions, Secrets};
use sha2::Sha256;
use tokio::time::Instant;

const MESSAGE: &str = "message.created";
const OFFLINE: &str = "user.offline_message";

/// The signature as the specification says, by other code than ours.
fn signature(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test(start_paused = true)]
async fn everything_arrives_signed_and_without_content() {
    let world = World::new();
    world.with_group(5, [1, 2, 3]).await;
    world.online.0.lock().insert(user(2));
    let other = format!("whsec_{}", STANDARD.encode([9; 64]));
    let secrets = Secrets::parse(&format!("{SECRET} {other}")).unwrap();
    let hooks = world.start_with(HookOptions::new(secrets));
    world
        .append(5, vec![named("c-1"), delete(1), add(4), remove(4), named("c-2")])
        .await;
    world.until_empty(Duration::from_secs(1)).await;
    hooks.close().await;

    let arrived = world.receiver.arrived();
    let kinds: Vec<(&str, i64)> = arrived.iter().map(|a| (a.kind.as_str(), a.seq)).collect();
    // The first message is gone by the time that it is told: nobody is called to read it.
    assert_eq!(
        kinds,
        [
            (MESSAGE, 1),
            ("member.added", 3),
            ("member.removed", 4),
            (MESSAGE, 5),
            (OFFLINE, 5)
        ]
    );
    let ids: HashSet<&str> = arrived.iter().map(|a| a.request.id.as_str()).collect();
    assert_eq!(ids.len(), arrived.len());
    for a in &arrived {
        let request = &a.request;
        let text = std::str::from_utf8(&request.body).unwrap();
        assert!(!text.contains(CANARY) && !text.contains("CANARY"), "{text}");
        assert!(!request.id.contains('.'), "{}", request.id);
        let signed = |secret| signature(secret, &request.id, request.timestamp, &request.body);
        assert_eq!(
            request.signature,
            format!("{} {}", signed(SECRET), signed(&other))
        );
        assert!((world.clock.now().whole_seconds() - request.timestamp).abs() <= 2);
    }
    assert_eq!(arrived[0].body["data"]["client_message_id"], "c-1");
    assert_eq!(arrived[0].body["data"]["content_bytes"], serde_json::Value::Null);
    assert_eq!(arrived[3].body["data"]["content_bytes"], CANARY.len());
    assert_eq!(arrived[4].body["data"]["user_ids"], serde_json::json!([3]));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_wanted_is_sent_and_the_rest_leaves_the_outbox() {
    let world = World::new();
    world.with_group(5, [1, 2]).await;
    let hooks = world.start_with(HookOptions {
        events: vec![EventType::MemberRemoved],
        ..World::options()
    });
    world.append(5, vec![named("c-1"), add(4), remove(4)]).await;
    world.until_empty(Duration::from_secs(1)).await;
    hooks.close().await;
    assert_eq!(world.receiver.taken(), [("member.removed".to_owned(), 5, 3)]);
}

#[tokio::test(start_paused = true)]
async fn an_append_is_told_at_once_and_one_of_another_server_within_two_seconds() {
    let world = World::new();
    world.with_group(5, [1]).await;
    let hooks = world.start();
    pass(10).await;
    let sent = Instant::now();
    world.send(5, 1).await;
    pass(5).await;
    assert!(world.receiver.arrived()[0].at - sent < Duration::from_millis(100));
    let foreign = World {
        wake: Arc::default(),
        ..world
    };
    let sent = Instant::now();
    foreign.send(5, 1).await;
    pass(5).await;
    assert!(foreign.receiver.arrived()[1].at - sent < Duration::from_secs(2));
    hooks.close().await;
}

#[tokio::test(start_paused = true)]
async fn groups_go_side_by_side_and_each_in_order_while_the_receiver_fails_now_and_then() {
    let world = World::new();
    for number in 1..=40 {
        world.with_group(number, [1]).await;
    }
    let mut turn = 0_u32;
    world.receiver.replies(move |_| {
        turn += 1;
        match turn % 7 {
            1 => Reply::Status(500),
            3 => Reply::LoseAnswer,
            5 if turn.is_multiple_of(5) => Reply::Hang,
            _ => Reply::Accept,
        }
    });
    let hooks = world.start();
    for _ in 0..10 {
        for number in 1..=40 {
            world.send(number, 3).await;
        }
        pass(1).await;
    }
    world.until_empty(Duration::from_hours(4)).await;
    hooks.close().await;
    for number in 1..=40 {
        let expected: Vec<i64> = (1..=30).collect();
        assert_eq!(
            world.receiver.taken_of(MESSAGE, number),
            expected,
            "group {number}"
        );
    }
    assert!(world.receiver.most_under_way() <= 8);
    assert!(world.receiver.most_under_way() >= 4);
    // A repetition has the same id and body, and comes only where an answer was lost.
    let mut first: HashMap<String, Arc<common::Arrived>> = HashMap::new();
    for arrived in world.receiver.arrived() {
        if let Some(before) = first.insert(arrived.request.id.clone(), Arc::clone(&arrived)) {
            assert_ne!(before.reply, Reply::Accept);
            assert_eq!(before.request.body, arrived.request.body);
            assert!(before.request.timestamp <= arrived.request.timestamp);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_backlog_of_a_dead_group_holds_up_nobody_and_stays_in_the_store() {
    let world = World::new();
    for number in 1..=4 {
        world.with_group(number, [1]).await;
    }
    for _ in 0..100 {
        world.send(1, 1000).await;
    }
    world.send(2, 10).await;
    world.receiver.replies(|a| {
        if a.group == 1 {
            Reply::Status(500)
        } else {
            Reply::Accept
        }
    });
    let hooks = world.start();
    pass(60).await;
    assert_eq!(world.receiver.taken_of(MESSAGE, 2).len(), 10);
    // Once over all of it, and then what is new; looking again at what may not have settled comes to an end.
    pass(120).await;
    let before = world.outbox.items.load(Ordering::SeqCst);
    for _ in 0..600 {
        let sent = Instant::now();
        world.send(3, 1).await;
        pass(1).await;
        let last = world.receiver.last_of(3);
        assert!(
            last.at - sent < Duration::from_millis(200),
            "{:?}",
            last.at - sent
        );
    }
    let items = world.outbox.items.load(Ordering::SeqCst) - before;
    assert!(items < 3 * 600, "{items} items were read for 600 messages");
    assert_eq!(world.receiver.taken_of(MESSAGE, 3).len(), 600);

    // When it lives again everything comes, in order, and in whole pages.
    let before = world.outbox.reads.load(Ordering::SeqCst);
    world.receiver.replies(|_| Reply::Accept);
    world.until_empty(Duration::from_hours(1)).await;
    hooks.close().await;
    assert_eq!(
        world.receiver.taken_of(MESSAGE, 1),
        (1..=100_000).collect::<Vec<i64>>()
    );
    let reads = world.outbox.reads.load(Ordering::SeqCst) - before;
    assert!(reads < 3 * 100_000 / 128 + 700, "{reads} reads");
}

#[tokio::test(start_paused = true)]
async fn many_groups_that_fail_do_not_hold_up_the_others() {
    let world = World::new();
    for number in 1..=200 {
        world.with_group(number, [1]).await;
        world.send(number, 20).await;
    }
    world.receiver.replies(|a| {
        if a.group % 2 == 1 {
            Reply::Status(500)
        } else {
            Reply::Accept
        }
    });
    let hooks = world.start();
    pass(1800).await;
    for number in (2..=200).step_by(2) {
        assert_eq!(
            world.receiver.taken_of(MESSAGE, number).len(),
            20,
            "group {number}"
        );
    }
    world.receiver.replies(|_| Reply::Accept);
    world.until_empty(Duration::from_mins(10)).await;
    hooks.close().await;
    for number in 1..=200 {
        assert_eq!(
            world.receiver.taken_of(MESSAGE, number),
            (1..=20).collect::<Vec<i64>>()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_are_not_there_are_named_once_each_a_thousand_at_a_time() {
    let world = World::new();
    world.with_group(5, 1..=2500).await;
    // Of the sender nobody is told, nor of those who are there: all of the second thousand among them.
    world.online.0.lock().extend((1002..=2001).map(user));
    let mut turn = 0;
    world.receiver.replies(move |a| {
        turn += 1;
        if a.kind == OFFLINE && turn % 2 == 0 {
            Reply::LoseAnswer
        } else {
            Reply::Accept
        }
    });
    let hooks = world.start_with(HookOptions {
        events: vec![EventType::UserOfflineMessage],
        ..World::options()
    });
    world.send(5, 2).await;
    world.until_empty(Duration::from_mins(1)).await;
    hooks.close().await;
    let mut named: HashMap<String, (i64, Vec<i64>)> = HashMap::new();
    for arrived in world.receiver.arrived() {
        let users: Vec<i64> = serde_json::from_value(arrived.body["data"]["user_ids"].clone()).unwrap();
        assert!(users.len() <= 1000);
        let id = arrived.request.id.clone();
        let before = named.insert(id, (arrived.seq, users.clone()));
        assert!(before.is_none_or(|before| before == (arrived.seq, users)));
    }
    assert_eq!(named.len(), 4, "two parts of each message");
    for seq in 1..=2 {
        let mut users: Vec<i64> = named
            .values()
            .filter(|(of, _)| *of == seq)
            .flat_map(|(_, users)| users.clone())
            .collect();
        users.sort_unstable();
        assert_eq!(users, (2..=1001).chain(2002..=2500).collect::<Vec<i64>>());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_called_where_all_are_there_or_nobody_else_is() {
    let world = World::new();
    world.with_group(1, [1, 2]).await;
    world.with_group(2, [1]).await;
    world.online.0.lock().insert(user(2));
    let hooks = world.start_with(HookOptions::new(Secrets::parse(SECRET).unwrap()));
    world.send(1, 1).await;
    world.send(2, 1).await;
    world.until_empty(Duration::from_secs(1)).await;
    // A member that was removed is not called either.
    world.store.remove(common::group(1), user(2)).await.unwrap();
    world.online.0.lock().clear();
    world.send(1, 1).await;
    world.until_empty(Duration::from_secs(1)).await;
    hooks.close().await;
    assert!(world.receiver.arrived().iter().all(|a| a.kind == MESSAGE));
    assert_eq!(world.receiver.count(), 3);
}
