//! What users are called.

use sealroom_testkit::client::Client;
use serde_json::{Value, json};

use crate::{
    common::Store,
    signer::{Signer, claims},
    world::{World, heard, send, verdict},
};

on_each_store!(messages_bear_the_name_that_the_host_said_else_the_tokens);
async fn messages_bear_the_name_that_the_host_said_else_the_tokens(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let listener = world.joined(2, 1).await;
    let signer = Signer::Hs256(world.server.secret.clone());
    let mut named = claims(1);
    named["name"] = json!("From The Token");
    let named = signer.token(&named);
    let plain = world.socket(1).await;
    assert_eq!(send(&plain, 1, "a").await["sender_name"], "Unknown");
    let client = Client::connect(world.addr(), &named).await.unwrap();
    assert_eq!(send(&client, 1, "b").await["sender_name"], "From The Token");
    let me = world.call("GET", "/me", &named, None).await.json();
    let expected = json!({
        "user_id": 1, "display_name": "From The Token", "scope": null, "expires_at": me["expires_at"],
    });
    assert_eq!(me, expected);

    let put = world
        .admin("PUT", "/users/1", json!({"display_name": "Nguyễn Văn A"}))
        .await;
    assert_eq!(
        (put.status, put.json()),
        (200, json!({"user_id": 1, "display_name": "Nguyễn Văn A"}))
    );
    // On open sockets at once, and over HTTP; what was sent keeps the name that it had.
    for client in [&plain, &client] {
        assert_eq!(send(client, 1, "c").await["sender_name"], "Nguyễn Văn A");
    }
    let posted = world.call(
        "POST",
        "/groups/1/messages",
        &named,
        Some(json!({"encrypted_content": "d"})),
    );
    assert_eq!(posted.await.json()["message"]["sender_name"], "Nguyễn Văn A");
    let messages = heard(&listener, "new_message").await;
    let senders: Vec<_> = messages
        .iter()
        .map(|message| message["sender_name"].as_str().unwrap())
        .collect();
    assert_eq!(
        senders,
        [
            "Unknown",
            "From The Token",
            "Nguyễn Văn A",
            "Nguyễn Văn A",
            "Nguyễn Văn A"
        ]
    );
    let log = world.log(1).await;
    assert_eq!(log[2]["sender_name"], "Unknown");
}

on_each_store!(only_the_host_names_users_and_each_username_once);
async fn only_the_host_names_users_and_each_username_once(store: Store) {
    let world = World::start_on(store).await;
    let name = |username: Value| json!({"display_name": "A", "username": username});
    for (user_id, username, expected) in [
        (1, json!("an"), (200, "")),
        (1, json!("an"), (200, "")),
        (2, json!("an"), (409, "conflict")),
        (2, Value::Null, (200, "")),
        (1, json!("binh"), (200, "")),
        (2, json!("an"), (200, "")),
        (3, json!(""), (400, "invalid_data")),
        (3, json!(5), (400, "invalid_data")),
    ] {
        let path = format!("/users/{user_id}");
        let answer = world.admin("PUT", &path, name(username.clone())).await;
        assert_eq!(
            verdict(&answer),
            (expected.0, expected.1.to_owned()),
            "{user_id} {username}"
        );
    }
    for body in [
        json!({}),
        json!({"display_name": ""}),
        json!({"display_name": "x", "role": "admin"}),
    ] {
        let answer = world.admin("PUT", "/users/3", body.clone()).await;
        assert_eq!(verdict(&answer), (400, "invalid_data".into()), "{body}");
    }
    for (method, path) in [
        ("PUT", "/users/1"),
        ("DELETE", "/users/1"),
        ("POST", "/users/1/revoke"),
    ] {
        let body = (method == "PUT").then(|| name(Value::Null));
        let answer = world.user(1, method, path, body).await;
        assert_eq!(verdict(&answer), (403, "forbidden".into()), "{method} {path}");
    }
    let me = world.admin("GET", "/me", None).await.json();
    assert_eq!(
        (&me["scope"], &me["display_name"]),
        (&json!("admin"), &json!("Admin"))
    );
}
