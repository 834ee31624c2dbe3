//! Pages of a log, and where a join begins.

use std::ops::RangeInclusive;

use sealroom_testkit::client::Client;
use serde_json::{Value, json};

use crate::{
    common::Store,
    world::{World, number, succeed},
};

/// Entries of the group's log, two of them its members.
const HEAD: u64 = 520;

async fn world_with_a_log(store: Store) -> (World, Client) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let client = world.socket(1).await;
    let mut sent = 2;
    while sent < HEAD {
        let sends: Vec<_> = (sent..HEAD.min(sent + 50))
            .map(|number| {
                let message = json!({"group_id": 1, "encrypted_content": number.to_string()});
                client.request("send_message", message)
            })
            .collect();
        for send in sends {
            assert_eq!(send.answer().await.unwrap()["success"], true);
            sent += 1;
        }
    }
    (world, client)
}

/// The places of the entries in an answer.
fn places(ack: &Value) -> Vec<u64> {
    let entries = ack["entries"].as_array().unwrap();
    entries.iter().map(|entry| number(&entry["seq"])).collect()
}

on_each_store!(pages_are_ascending_and_capped);
async fn pages_are_ascending_and_capped(store: Store) {
    let (_world, client) = world_with_a_log(store).await;
    let none = RangeInclusive::new(1, 0);
    let rows: [(Value, RangeInclusive<u64>, bool); 16] = [
        (json!({}), 421..=520, true),
        (json!({"limit": 1}), 520..=520, true),
        (json!({"limit": 501}), 21..=520, true),
        (json!({"limit": 1_000_000_000}), 21..=520, true),
        (json!({"after_seq": 0}), 1..=100, true),
        (json!({"after_seq": 0, "limit": 501}), 1..=500, true),
        (json!({"after_seq": 20, "limit": 500}), 21..=520, false),
        (json!({"after_seq": 519}), 520..=520, false),
        (json!({"after_seq": 520}), none.clone(), false),
        (json!({"after_seq": 521}), none.clone(), false),
        (
            json!({"after_seq": 9_007_199_254_740_991_u64}),
            none.clone(),
            false,
        ),
        (json!({"before_seq": 0}), none.clone(), false),
        (json!({"before_seq": 1}), none, false),
        (json!({"before_seq": 3}), 1..=2, false),
        (json!({"before_seq": 520, "limit": 2}), 518..=519, true),
        (
            json!({"before_seq": 9_007_199_254_740_991_u64, "limit": 2}),
            519..=520,
            true,
        ),
    ];
    for (mut request, expected, has_more) in rows {
        request["group_id"] = json!(1);
        let ack = succeed(&client, "get_entries", request.clone()).await;
        assert!(
            places(&ack).into_iter().eq(expected),
            "{request}: {:?}",
            places(&ack)
        );
        assert_eq!(
            (&ack["has_more"], &ack["head_seq"]),
            (&json!(has_more), &json!(HEAD)),
            "{request}"
        );
    }
}

on_each_store!(a_join_recovers_only_from_a_place_of_the_same_log);
async fn a_join_recovers_only_from_a_place_of_the_same_log(store: Store) {
    let (world, client) = world_with_a_log(store).await;
    let log_id = json!(world.log_id(1).await);
    let most = 9_007_199_254_740_991_u64;
    let none = RangeInclusive::new(1, 0);
    let rows: [(Value, RangeInclusive<u64>, bool, bool); 10] = [
        (json!({}), none.clone(), false, false),
        (json!({"log_id": log_id}), none.clone(), false, false),
        (json!({"after_seq": 0}), 1..=100, true, true),
        (json!({"after_seq": 0, "limit": 501}), 1..=500, true, true),
        (
            json!({"after_seq": 518, "log_id": log_id}),
            519..=520,
            true,
            false,
        ),
        (
            json!({"after_seq": HEAD, "log_id": log_id}),
            none.clone(),
            true,
            false,
        ),
        (json!({"after_seq": HEAD + 1}), none.clone(), false, false),
        (
            json!({"after_seq": most, "log_id": log_id}),
            none.clone(),
            false,
            false,
        ),
        (
            json!({"after_seq": 5, "log_id": "another log"}),
            none.clone(),
            false,
            false,
        ),
        (
            json!({"after_seq": 5, "log_id": "é".repeat(64)}),
            none,
            false,
            false,
        ),
    ];
    for (mut request, expected, recovered, has_more) in rows {
        request["group_id"] = json!(1);
        // Joined once more without having left, and with having left.
        for _ in 0..2 {
            let ack = succeed(&client, "join_group", request.clone()).await;
            assert!(
                places(&ack).into_iter().eq(expected.clone()),
                "{request}: {:?}",
                places(&ack)
            );
            let rest = json!([ack["recovered"], ack["has_more"], ack["head_seq"], ack["log_id"]]);
            assert_eq!(rest, json!([recovered, has_more, HEAD, log_id]), "{request}");
        }
        for _ in 0..2 {
            let ack = succeed(&client, "leave_group", json!({"group_id": 1})).await;
            assert_eq!(ack, json!({"success": true, "group_id": 1}));
        }
    }
}

on_each_store!(a_page_ends_at_its_bytes_with_at_least_one_entry);
async fn a_page_ends_at_its_bytes_with_at_least_one_entry(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1]).await;
    let client = world.joined(1, 1).await;
    let content = "x".repeat(65_536);
    for _ in 0..20 {
        succeed(
            &client,
            "send_message",
            json!({"group_id": 1, "encrypted_content": content}),
        )
        .await;
    }
    for request in [
        json!({"group_id": 1, "limit": 500}),
        json!({"group_id": 1, "limit": 500, "after_seq": 1}),
        json!({"group_id": 1, "limit": 500, "before_seq": 20}),
    ] {
        let ack = succeed(&client, "get_entries", request).await;
        let entries = places(&ack).len();
        assert!((1..=8).contains(&entries), "{entries} entries of 64 KiB");
        assert_eq!(ack["has_more"], true);
    }
    let ack = succeed(
        &client,
        "join_group",
        json!({"group_id": 1, "after_seq": 0, "limit": 500}),
    )
    .await;
    assert!(places(&ack).len() <= 9 && ack["has_more"] == true);
    assert_eq!(world.log(1).await.len(), 21);
}
