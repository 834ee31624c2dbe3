//! Logs whose old entries are forgotten.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    common::Store,
    world::{World, ask, heard, send, succeed, verdict},
};

/// Sends so many messages to the group, whose contents are their numbers.
async fn talk(world: &World, user_id: u64, group_id: u64, count: u64) {
    let client = world.socket(user_id).await;
    for number in 0..count {
        send(&client, group_id, &format!("message {number}")).await;
    }
}

/// Waits until the log of a group begins with this place.
async fn begins_with(world: &World, group_id: u64, first: u64) {
    let begin = Instant::now();
    let path = format!("/groups/{group_id}/entries?after_seq=0");
    loop {
        let answer = world.admin("GET", &path, None).await;
        if answer.status == 410 {
            assert_eq!(verdict(&answer).1, "history_trimmed");
            let found = answer.json()["first_seq"].as_u64().unwrap();
            if found == first {
                return;
            }
            assert!(found < first, "{found} instead of {first}");
        }
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "the log begins with {}",
            answer.text()
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// What an owner decides of a group.
async fn keep(world: &World, user_id: u64, group_id: u64, retention: Value) {
    let path = format!("/groups/{group_id}");
    let answer = world
        .user(user_id, "PATCH", &path, json!({"retention": retention}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// A group with an owner, which is user 1.
async fn owned(world: &World, members: impl IntoIterator<Item = u64>) -> u64 {
    let members: Vec<_> = members.into_iter().collect();
    let new = json!({"name": "owned", "members": members});
    let created = world.user(1, "POST", "/groups", new).await;
    assert_eq!(created.status, 201, "{}", created.text());
    created.json()["group_id"].as_u64().unwrap()
}

on_each_store!(a_group_keeps_its_last_entries_and_says_so_to_whoever_lacks_others);
async fn a_group_keeps_its_last_entries_and_says_so_to_whoever_lacks_others(store: Store) {
    let mut world = World::start_on(store).await;
    let group_id = owned(&world, [2]).await;
    let whole = owned(&world, []).await;
    let listener = world.joined(2, group_id).await;
    talk(&world, 1, group_id, 8).await;
    talk(&world, 1, whole, 3).await;
    let draft = json!({"group_id": group_id, "encrypted_content": "x", "client_message_id": "m1"});
    // At the fourth place from the end, 11, and soon forgotten.
    let writer = world.socket(1).await;
    succeed(&writer, "send_message", draft.clone()).await;
    talk(&world, 1, group_id, 3).await;
    keep(&world, 1, group_id, json!({"count": 3})).await;
    begins_with(&world, group_id, 12).await;

    let join = |after: u64| json!({"group_id": group_id, "after_seq": after});
    for after in [0, 5, 10] {
        let ack = succeed(&writer, "join_group", join(after)).await;
        let told = [
            &ack["recovered"],
            &ack["entries"],
            &ack["has_more"],
            &ack["head_seq"],
        ];
        assert_eq!(
            told,
            [&json!(false), &json!([]), &json!(false), &json!(14)],
            "{after}"
        );
        let page = ask(&writer, "get_entries", join(after)).await;
        let expected = json!({
            "success": false, "error": "History was trimmed", "code": "history_trimmed", "retryable": false,
            "first_seq": 12,
        });
        assert_eq!(page, expected);
        let path = format!("/groups/{group_id}/messages?after_seq={after}");
        assert_eq!(
            verdict(&world.user(2, "GET", &path, None).await),
            (410, "history_trimmed".into())
        );
    }
    for (after, left) in [(11, 3), (13, 1), (14, 0)] {
        let ack = succeed(&writer, "join_group", join(after)).await;
        assert_eq!(
            (&ack["recovered"], ack["entries"].as_array().unwrap().len()),
            (&json!(true), left)
        );
    }
    // Read backwards it only ends sooner.
    let page = json!({"group_id": group_id, "before_seq": 13});
    let page = succeed(&writer, "get_entries", page).await;
    assert_eq!(
        (page["entries"].as_array().unwrap().len(), &page["has_more"]),
        (1, &json!(false))
    );
    let messages = world
        .user(2, "GET", &format!("/groups/{group_id}/messages"), None)
        .await
        .json();
    assert_eq!(
        (
            messages["messages"].as_array().unwrap().len(),
            &messages["has_more"]
        ),
        (3, &json!(false))
    );
    // Whoever listens has missed nothing, and what is gone cannot be edited, nor is a retry of it one.
    assert_eq!(heard(&listener, "new_message").await.len(), 12);
    let gone = json!({"group_id": group_id, "seq": 11, "encrypted_content": "y"});
    assert_eq!(ask(&writer, "edit_message", gone).await["code"], "not_found");
    let again = succeed(&writer, "send_message", draft).await;
    assert_eq!(
        (&again["duplicate"], &again["message"]["seq"]),
        (&json!(false), &json!(15))
    );
    assert_eq!(world.log(whole).await.len(), 4, "another group keeps everything");

    world.server.restart();
    let client = world.socket(2).await;
    let ack = succeed(&client, "join_group", join(0)).await;
    assert_eq!((&ack["recovered"], &ack["head_seq"]), (&json!(false), &json!(15)));
    let group = world
        .user(1, "GET", &format!("/groups/{group_id}"), None)
        .await
        .json();
    assert_eq!(group["retention"], json!({"age_s": null, "count": 3}));
}

on_each_store!(a_group_keeps_what_is_young);
async fn a_group_keeps_what_is_young(store: Store) {
    let world = World::start_with(store, &[("SEALROOM_RETENTION_AGE", "2s")]).await;
    let group_id = owned(&world, [2]).await;
    talk(&world, 1, group_id, 3).await;
    sleep(Duration::from_millis(2100)).await;
    talk(&world, 1, group_id, 2).await;
    // The server's rule, which it looks at now.
    keep(&world, 1, group_id, json!({})).await;
    begins_with(&world, group_id, 6).await;
    let client = world.socket(2).await;
    let ack = succeed(
        &client,
        "join_group",
        json!({"group_id": group_id, "after_seq": 5}),
    )
    .await;
    assert_eq!(
        (&ack["recovered"], ack["entries"].as_array().unwrap().len()),
        (&json!(true), 2)
    );
    // Everything may be too old: the last entry stays, at which the log goes on.
    sleep(Duration::from_millis(1100)).await;
    keep(&world, 1, group_id, json!({"age_s": 1})).await;
    begins_with(&world, group_id, 7).await;
    let ack = succeed(
        &client,
        "join_group",
        json!({"group_id": group_id, "after_seq": 7}),
    )
    .await;
    assert_eq!((&ack["recovered"], &ack["entries"]), (&json!(true), &json!([])));
    assert_eq!(send(&client, group_id, "next").await["seq"], 8);
}

on_each_store!(the_server_keeps_no_more_of_any_group_than_it_is_told);
async fn the_server_keeps_no_more_of_any_group_than_it_is_told(store: Store) {
    let mut world = World::start_with(store, &[("SEALROOM_RETENTION_COUNT", "4")]).await;
    let (group_id, small) = (owned(&world, []).await, owned(&world, []).await);
    keep(&world, 1, small, json!({"count": 2})).await;
    keep(&world, 1, group_id, json!({"count": 100})).await;
    for group_id in [group_id, small] {
        talk(&world, 1, group_id, 9).await;
    }
    // It looks when it starts.
    world.server.restart();
    begins_with(&world, group_id, 7).await;
    begins_with(&world, small, 9).await;
    assert_eq!(send(&world.socket(1).await, group_id, "next").await["seq"], 11);
}

on_each_store!(owners_decide_what_is_kept);
async fn owners_decide_what_is_kept(store: Store) {
    let world = World::start_on(store).await;
    let group_id = owned(&world, [2, 3]).await;
    let path = format!("/groups/{group_id}");
    let admin = json!({"role": "admin"});
    let member = format!("{path}/members/2");
    assert_eq!(world.user(1, "PUT", &member, admin).await.status, 200);
    let rule = json!({"retention": {"count": 5, "age_s": 3600}});
    for (user_id, code) in [(2, "forbidden"), (3, "forbidden"), (4, "not_a_member")] {
        let answer = world.user(user_id, "PATCH", &path, rule.clone()).await;
        assert_eq!(verdict(&answer), (403, code.into()), "user {user_id}");
    }
    let shown = world.user(1, "PATCH", &path, rule).await.json();
    assert_eq!(shown["retention"], json!({"count": 5, "age_s": 3600}));
    for retention in [
        json!(5),
        json!({"count": 0}),
        json!({"count": "5"}),
        json!({"age": 5}),
        json!([]),
    ] {
        let answer = world
            .user(1, "PATCH", &path, json!({"retention": retention}))
            .await;
        assert_eq!(verdict(&answer), (400, "invalid_data".into()), "{retention}");
    }
    let shown = world
        .user(1, "PATCH", &path, json!({"retention": {}}))
        .await
        .json();
    assert_eq!(shown.get("retention"), None, "{shown}");
}
