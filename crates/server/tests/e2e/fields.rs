//! What an outsider hears of a group.

use serde_json::json;

use crate::{
    common::Store,
    world::{EVENTS, World},
};

on_each_store!(an_outsider_hears_the_same_as_for_a_group_that_does_not_exist);
async fn an_outsider_hears_the_same_as_for_a_group_that_does_not_exist(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 3]).await;
    world.group(5, [3]).await;
    let outsider = world.socket(1).await;
    for event in EVENTS {
        let mut answers = Vec::new();
        for group_id in [5, 6] {
            let request = json!({
                "group_id": group_id, "encrypted_content": "x", "after_seq": 0, "seq": 1, "is_typing": true,
            });
            let request = outsider.request(event, request);
            let id = request.id();
            let frame = request.received().await.unwrap().frame().to_owned();
            let prefix = format!("43{id}");
            answers.push(frame.strip_prefix(&prefix).unwrap().to_owned());
        }
        let [present, absent] = [&answers[0], &answers[1]];
        if event == "leave_group" {
            // Harmless, and tells nothing.
            assert_eq!(*present, "[{\"success\":true,\"group_id\":5}]");
            assert_eq!(*absent, "[{\"success\":true,\"group_id\":6}]");
        } else {
            assert!(present.contains("\"not_a_member\""), "{present}");
            assert_eq!(present, absent);
        }
    }
    for group_id in [5, 6] {
        outsider.emit("join_group", json!({"group_id": group_id}));
        assert_eq!(
            outsider.next_event("request_error").await.unwrap(),
            json!({"event": "join_group", "code": "not_a_member", "error": "Not a member of this group"})
        );
    }
}
