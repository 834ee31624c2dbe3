//! What makes a retry of a message harmless, and the epoch that it carries.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    common::Store,
    world::{World, succeed},
};

on_each_store!(key_epochs_are_kept);
async fn key_epochs_are_kept(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let sender = world.socket(1).await;
    let receiver = world.joined(2, 1).await;
    for key_epoch in [json!(0), json!(1), json!(9_007_199_254_740_991_u64), Value::Null] {
        let message = json!({"group_id": 1, "encrypted_content": "x", "key_epoch": key_epoch});
        let ack = succeed(&sender, "send_message", message).await;
        assert_eq!(ack["message"]["key_epoch"], key_epoch);
        assert_eq!(receiver.next_event("new_message").await.unwrap(), ack["message"]);
        let newest = json!({"group_id": 1, "limit": 1});
        let page = succeed(&sender, "get_entries", newest).await;
        assert_eq!(page["entries"][0]["key_epoch"], key_epoch);
    }
}

on_each_store!(a_retry_gives_the_first_result);
async fn a_retry_gives_the_first_result(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let sender = world.joined(1, 1).await;
    let other = world.joined(2, 1).await;
    let longest = format!("~!\"\\ {}", "x".repeat(59));
    for id in ["1", &longest] {
        let message =
            json!({"group_id": 1, "encrypted_content": "x", "client_message_id": id, "key_epoch": 3});
        let first = succeed(&sender, "send_message", message.clone()).await;
        assert_eq!(first["duplicate"], false);
        assert_eq!(first["message"]["client_message_id"], id);
        // On the same socket, on another one, with the keys in another order.
        let another = world.socket(1).await;
        for client in [&sender, &another] {
            let mut again = succeed(client, "send_message", message.clone()).await;
            assert_eq!(again["duplicate"].take(), true);
            assert_eq!(again["message"], first["message"]);
        }
        for (key, value) in [
            ("encrypted_content", json!("y")),
            ("key_epoch", json!(4)),
            ("key_epoch", Value::Null),
        ] {
            let mut conflicting = message.clone();
            conflicting[key] = value;
            let ack = sender.emit_with_ack("send_message", &conflicting).await.unwrap();
            let expected = json!({
                "success": false, "error": "client_message_id was used for another message",
                "code": "idempotency_conflict", "retryable": false,
            });
            assert_eq!(ack, expected);
        }
        for client in [&sender, &other] {
            assert_eq!(client.next_event("new_message").await.unwrap(), first["message"]);
        }
        // Each sender has ids of its own.
        let of_other = succeed(&other, "send_message", message).await;
        assert_eq!(of_other["duplicate"], false);
        for client in [&sender, &other] {
            assert_eq!(
                client.next_event("new_message").await.unwrap(),
                of_other["message"]
            );
        }
    }
    // Neither retries nor conflicts were delivered.
    for client in [&sender, &other] {
        succeed(client, "get_entries", json!({"group_id": 1})).await;
        let more = client
            .next_event_within("new_message", Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(more, None);
    }
    assert_eq!(world.log(1).await.len(), 2 + 4);
}
