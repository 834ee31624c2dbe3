//! Pages over HTTP, and the name of the log.

use serde_json::{Value, json};

use crate::{
    common::Store,
    world::{World, number, send, succeed, verdict},
};

/// The places of what a page holds.
fn places(page: &Value, key: &str) -> Vec<u64> {
    let items = page[key].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|item| number(&item["seq"])).collect()
}

on_each_store!(messages_are_read_as_they_stand_in_pages);
async fn messages_are_read_as_they_stand_in_pages(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let client = world.socket(1).await;
    // Messages at 3 to 12; then 5 is deleted at 13, and 7 is edited at 14.
    for number in 3..=12 {
        send(&client, 1, &number.to_string()).await;
    }
    succeed(&client, "delete_message", json!({"group_id": 1, "seq": 5})).await;
    let edit = json!({"group_id": 1, "seq": 7, "encrypted_content": "seven"});
    succeed(&client, "edit_message", edit).await;
    let log_id = world.log_id(1).await;
    let rows = [
        ("", vec![3, 4, 6, 7, 8, 9, 10, 11, 12], false),
        ("?limit=3", vec![10, 11, 12], true),
        ("?limit=2&before_seq=10", vec![8, 9], true),
        ("?limit=3&before_seq=7", vec![3, 4, 6], false),
        ("?after_seq=0&limit=3", vec![3, 4, 6], true),
        ("?after_seq=6&limit=100", vec![7, 8, 9, 10, 11, 12], false),
        ("?after_seq=12", vec![], false),
        ("?before_seq=3", vec![], false),
        ("?before_seq=0", vec![], false),
    ];
    for (query, expected, has_more) in rows {
        let answer = world
            .user(2, "GET", &format!("/groups/1/messages{query}"), None)
            .await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let page = answer.json();
        assert_eq!(places(&page, "messages"), expected, "{query}");
        let rest = json!([page["has_more"], page["head_seq"], page["log_id"]]);
        assert_eq!(rest, json!([has_more, 14, log_id]), "{query}");
        for message in page["messages"].as_array().unwrap() {
            let content = if message["seq"] == 7 {
                "seven".into()
            } else {
                message["seq"].to_string()
            };
            assert_eq!(message["encrypted_content"], content);
            assert_eq!(
                message.get("edited_seq"),
                (message["seq"] == 7).then(|| json!(14)).as_ref()
            );
        }
    }
    for query in [
        "?limit=0",
        "?limit=x",
        "?after_seq=1&before_seq=5",
        "?after_seq=-1",
        "?limit=1&limit=2",
    ] {
        for route in ["messages", "entries"] {
            let answer = world
                .user(2, "GET", &format!("/groups/1/{route}{query}"), None)
                .await;
            assert_eq!(verdict(&answer), (400, "invalid_data".into()), "{route}{query}");
        }
    }
}

on_each_store!(entries_over_http_are_those_of_the_socket);
async fn entries_over_http_are_those_of_the_socket(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let client = world.socket(1).await;
    for number in 3..=9 {
        send(&client, 1, &number.to_string()).await;
    }
    for (query, request) in [
        ("", json!({})),
        ("?limit=3", json!({"limit": 3})),
        ("?after_seq=2&limit=3", json!({"after_seq": 2, "limit": 3})),
        ("?before_seq=5", json!({"before_seq": 5})),
        ("?after_seq=9", json!({"after_seq": 9})),
    ] {
        let mut request = request;
        request["group_id"] = json!(1);
        let mut ack = succeed(&client, "get_entries", request).await;
        ack.as_object_mut().unwrap().remove("success");
        let page = world
            .user(2, "GET", &format!("/groups/1/entries{query}"), None)
            .await
            .json();
        assert_eq!(page, ack, "{query}");
    }
}

on_each_store!(a_new_log_is_told_from_the_old_one);
async fn a_new_log_is_told_from_the_old_one(store: Store) {
    let mut world = World::start_on(store).await;
    world.group(1, [1]).await;
    let client = world.socket(1).await;
    send(&client, 1, "kept").await;
    let old = world.log_id(1).await;
    assert!((1..=64).contains(&old.len()), "{old}");
    world.server.restart();
    assert_eq!(world.log_id(1).await, old, "a restart makes no new log");

    assert!(world.server.terminate().success());
    world.server.run(&["new-log"]);
    world.server.restart();
    let new = world.log_id(1).await;
    assert_ne!(new, old);
    let client = world.socket(1).await;
    let join = |log_id: &str| json!({"group_id": 1, "after_seq": 1, "log_id": log_id});
    let ack = succeed(&client, "join_group", join(&old)).await;
    let told = [
        &ack["recovered"],
        &ack["entries"],
        &ack["log_id"],
        &ack["head_seq"],
    ];
    assert_eq!(told, [&json!(false), &json!([]), &json!(new), &json!(2)]);
    let ack = succeed(&client, "join_group", join(&new)).await;
    assert_eq!(
        (&ack["recovered"], places(&ack, "entries")),
        (&json!(true), vec![2])
    );
}
