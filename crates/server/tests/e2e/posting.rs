//! Messages over HTTP.

use sealroom_testkit::client::http::{self, HttpResponse};
use serde_json::{Value, json};

use crate::{
    common::Store,
    world::{World, heard, succeed, verdict},
};

async fn post(world: &World, token: &str, key: Option<&str>, body: &Value) -> HttpResponse {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Authorization", &*bearer), ("Content-Type", "application/json")];
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    let path = "/api/v1/groups/1/messages";
    http::request_with(world.addr(), "POST", path, &headers, body.to_string().as_bytes())
        .await
        .unwrap()
}

on_each_store!(a_posted_message_reaches_the_sockets_once);
async fn a_posted_message_reaches_the_sockets_once(store: Store) {
    let mut world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let (own, other) = (world.joined(1, 1).await, world.joined(2, 1).await);
    let token = world.token(1);
    let draft = json!({"encrypted_content": "posted", "key_epoch": 3});
    let first = post(&world, &token, Some("key 1"), &draft).await;
    let body = first.json();
    let message = &body["message"];
    assert_eq!((first.status, &body["duplicate"]), (201, &json!(false)));
    let told = [
        &message["client_message_id"],
        &message["key_epoch"],
        &message["seq"],
        &message["sender_id"],
    ];
    assert_eq!(told, [&json!("key 1"), &json!(3), &json!(3), &json!(1)]);
    // A retry, also over a socket, is the same message.
    let again = post(&world, &token, Some("key 1"), &draft).await;
    assert_eq!((again.status, &again.json()["duplicate"]), (200, &json!(true)));
    assert_eq!(again.json()["message"], *message);
    let mut draft_on_socket = draft.clone();
    draft_on_socket["group_id"] = json!(1);
    draft_on_socket["client_message_id"] = json!("key 1");
    let ack = succeed(&own, "send_message", draft_on_socket).await;
    assert_eq!((&ack["duplicate"], &ack["message"]), (&json!(true), message));
    for client in [&own, &other] {
        assert_eq!(heard(client, "new_message").await, std::slice::from_ref(message));
    }
    for other in [
        json!({"encrypted_content": "other", "key_epoch": 3}),
        json!({"encrypted_content": "posted"}),
    ] {
        let answer = post(&world, &token, Some("key 1"), &other).await;
        assert_eq!(verdict(&answer), (409, "idempotency_conflict".into()), "{other}");
    }
    // Without a key each is one of its own.
    for seq in [4, 5] {
        let answer = post(&world, &token, None, &draft).await;
        assert_eq!(
            (answer.status, &answer.json()["message"]["seq"]),
            (201, &json!(seq))
        );
    }
    world.server.restart();
    assert_eq!(post(&world, &token, Some("key 1"), &draft).await.status, 200);

    let long = "x".repeat(65);
    for (key, body, code) in [
        (Some(&*long), draft.clone(), "invalid_data"),
        (Some("é"), draft.clone(), "invalid_data"),
        (None, json!({}), "invalid_data"),
        (None, json!({"encrypted_content": ""}), "invalid_data"),
        (
            None,
            json!({"encrypted_content": "x", "client_message_id": "m"}),
            "invalid_data",
        ),
        (
            None,
            json!({"encrypted_content": "x".repeat(65_537)}),
            "payload_too_large",
        ),
    ] {
        let answer = post(&world, &token, key, &body).await;
        assert_eq!(verdict(&answer).1, code, "{key:?} {}", answer.text());
    }
    let outsider = post(&world, &world.token(3), None, &draft).await;
    assert_eq!(verdict(&outsider), (403, "not_a_member".into()));
    // Whoever may write to any group need not be a member.
    let admin = world.server.mint_admin();
    assert_eq!(post(&world, &admin, None, &draft).await.status, 201);
}
