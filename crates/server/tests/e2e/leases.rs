//! The end of a token on an open socket, what is heard before it, and another token in time.

use std::time::{Duration, Instant};

use sealroom_testkit::client::{Client, ClientError, Kind, Received};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    common::Store,
    world::{EVENTS, World, ask, heard, mint, minter, succeed},
};

const SECOND: Duration = Duration::from_secs(1);

/// A socket of a user whose token lasts so long.
async fn socket_for(world: &World, user_id: u64, ttl: Duration) -> Client {
    let token = world.token_for(user_id, ttl);
    Client::connect(world.addr(), &token).await.unwrap()
}

/// Waits until the socket's token no longer counts.
async fn expired(client: &Client) {
    let begin = Instant::now();
    while ask(client, "get_entries", json!({"group_id": 1})).await["code"] != "token_expired" {
        assert!(begin.elapsed() < 5 * SECOND, "the token still counts");
        sleep(Duration::from_millis(20)).await;
    }
}

on_each_store!(a_socket_goes_by_the_last_token_that_it_was_given);
async fn a_socket_goes_by_the_last_token_that_it_was_given(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, 1..=4).await;
    world.group(2, [5]).await;
    // Each waits for the clock most of the time, so they do it together.
    tokio::join!(
        from_its_end_on_everything_is_refused_and_10_s_later_the_socket_is_ended(&world),
        a_refreshed_socket_outlives_its_first_token(&world),
        a_shorter_token_shortens_the_lease(&world),
        a_token_that_ends_within_a_minute_is_told_of_once(&world),
    );
}

async fn from_its_end_on_everything_is_refused_and_10_s_later_the_socket_is_ended(world: &World) {
    let token = world.token_for(5, 2 * SECOND);
    let client = Client::connect(world.addr(), &token).await.unwrap();
    succeed(&client, "join_group", json!({"group_id": 2})).await;
    let request = json!({"group_id": 2, "encrypted_content": "x", "seq": 1, "is_typing": true});
    let expired = json!({
        "success": false, "error": "Token expired", "code": "token_expired", "retryable": false,
    });
    let begin = Instant::now();
    let end = loop {
        let ack = client.emit_with_ack("get_entries", &request).await.unwrap();
        if ack["success"] != true {
            assert_eq!(ack, expired);
            break Instant::now();
        }
        assert!(begin.elapsed() < Duration::from_secs(3), "the token still counts");
        sleep(Duration::from_millis(20)).await;
    };
    for event in EVENTS {
        assert_eq!(
            client.emit_with_ack(event, &request).await.unwrap(),
            expired,
            "{event}"
        );
        client.emit(event, &request);
        let error = client.next_event("request_error").await.unwrap();
        let told = json!({"event": event, "code": "token_expired", "error": "Token expired"});
        assert_eq!(error, told);
    }
    // Shape and name do not matter any more.
    for (event, payload) in [("send_message", "5"), ("nothing", "{}")] {
        assert_eq!(
            client.emit_with_ack(event, payload).await.unwrap(),
            expired,
            "{event}"
        );
    }
    let refused = Client::connect(world.addr(), &token).await;
    assert_eq!(refused.unwrap_err().message, "token_expired");

    sleep(Duration::from_secs(8).saturating_sub(end.elapsed())).await;
    assert_eq!(client.closed(), None, "there is time to refresh");
    client.wait_closed().await.unwrap();
    let after = end.elapsed().as_secs_f64();
    assert!((9.0..13.0).contains(&after), "ended after {after} s");
    // Told to stay away, not only cut off.
    let kinds: Vec<_> = client.received().iter().map(Received::kind).collect();
    assert_eq!(kinds.last_chunk(), Some(&[Kind::Disconnect, Kind::Closed]));
    // Nothing that it tried is in the log.
    assert_eq!(world.log(2).await.len(), 1);
}

async fn a_refreshed_socket_outlives_its_first_token(world: &World) {
    let early = socket_for(world, 1, 2 * SECOND).await;
    let late = socket_for(world, 1, 2 * SECOND).await;
    let speaker = world.socket(2).await;
    for client in [&early, &late] {
        succeed(client, "join_group", json!({"group_id": 1})).await;
    }
    let token = world.token(1);
    let me = world.call("GET", "/me", &token, None).await.json();
    let ack = succeed(&early, "refresh_token", json!({"token": token})).await;
    assert_eq!(ack, json!({"success": true, "expires_at": me["expires_at"]}));

    // This alone is served then.
    expired(&late).await;
    let ack = ask(
        &late,
        "refresh_token",
        json!({"token": world.token_for(1, SECOND) + "x"}),
    )
    .await;
    assert_eq!(ack["code"], "token_invalid", "{ack}");
    succeed(&late, "refresh_token", json!({"token": token})).await;
    // Both are still where they were, joined and all.
    let message = json!({"group_id": 1, "encrypted_content": "to both"});
    let sent = succeed(&speaker, "send_message", message).await["message"].take();
    for client in [&early, &late] {
        assert_eq!(client.next_event("new_message").await.unwrap(), sent);
        succeed(client, "mark_read", json!({"group_id": 1, "seq": 1})).await;
    }
    // Past the moment at which the first token would have ended them.
    sleep(12 * SECOND).await;
    for client in [&early, &late] {
        assert_eq!(client.closed(), None);
        succeed(client, "get_entries", json!({"group_id": 1})).await;
    }
}

on_each_store!(a_bad_refresh_changes_nothing);
async fn a_bad_refresh_changes_nothing(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1]).await;
    let client = world.socket(1).await;
    let good = world.token(1);
    let ended = world.token_for(1, SECOND);
    let foreign = mint(&minter("hK8#tQ2!vB7^nM4&xZ9*cL1@rF5%wD3$"), 1, SECOND);
    sleep(SECOND).await;
    for token in [
        &world.token(2),
        &ended,
        &foreign,
        "",
        "x",
        &format!("{good}x"),
        &format!("Bearer {good}"),
    ] {
        let ack = ask(&client, "refresh_token", json!({"token": token})).await;
        let expected = if token.is_empty() {
            "invalid_data"
        } else {
            "token_invalid"
        };
        let found = ack["code"].as_str().unwrap();
        assert!(found == expected || found == "token_invalid", "{token}: {ack}");
        assert_eq!(ack["retryable"], false);
    }
    for payload in ["{}", "{\"token\":null}", "{\"token\":5}", "{\"token\":[\"x\"]}"] {
        let ack = client.emit_with_ack("refresh_token", payload).await.unwrap();
        assert_eq!(
            (&ack["code"], &ack["field"]),
            (&json!("invalid_data"), &json!("token")),
            "{payload}"
        );
    }
    client.emit("refresh_token", json!({"token": world.token(2)}));
    let told = client.next_event("request_error").await.unwrap();
    assert_eq!(
        (&told["event"], &told["code"]),
        (&json!("refresh_token"), &json!("token_invalid"))
    );
    // The lease that it had stands, and the socket is still the same user's.
    let message = json!({"group_id": 1, "encrypted_content": "x"});
    let ack = succeed(&client, "send_message", message).await;
    assert_eq!(ack["message"]["sender_id"], 1);
}

async fn a_shorter_token_shortens_the_lease(world: &World) {
    let client = world.socket(3).await;
    succeed(
        &client,
        "refresh_token",
        json!({"token": world.token_for(3, 2 * SECOND)}),
    )
    .await;
    expired(&client).await;
    client.next_event("token_expiring").await.unwrap();
    let begin = Instant::now();
    match client.wait_closed().await {
        Ok(_) => {}
        // As patient as the grace is long.
        Err(ClientError::Timeout) => drop(client.wait_closed().await.unwrap()),
        Err(error) => panic!("{error}"),
    }
    let after = begin.elapsed().as_secs_f64();
    assert!((8.0..13.0).contains(&after), "ended after {after} s");
    let kinds: Vec<_> = client.received().iter().map(Received::kind).collect();
    assert_eq!(kinds.last_chunk(), Some(&[Kind::Disconnect, Kind::Closed]));
}

async fn a_token_that_ends_within_a_minute_is_told_of_once(world: &World) {
    let short = socket_for(world, 4, 30 * SECOND).await;
    let soon = socket_for(world, 4, 64 * SECOND).await;
    let long = world.socket(4).await;
    let begin = Instant::now();
    let told = short
        .next_event_within("token_expiring", 2 * SECOND)
        .await
        .unwrap();
    assert!(told.is_some(), "not told at once");
    let told = soon.next_event("token_expiring").await.unwrap();
    // Whole seconds are cut off from the end of a token, and the server looks once a second.
    let after = begin.elapsed().as_secs_f64();
    assert!((2.0..6.5).contains(&after), "told after {after} s");
    let text = told["expires_at"].as_str().unwrap();
    assert!(text.len() == 24 && text.strip_suffix(".000Z").is_some(), "{told}");
    assert_eq!(told.as_object().unwrap().len(), 1);

    // With another token it begins anew: not yet for a long one, once for a short one.
    let me = world
        .call("GET", "/me", &world.token_for(4, 20 * SECOND), None)
        .await
        .json();
    succeed(&soon, "refresh_token", json!({"token": world.token(4)})).await;
    let next = json!({"token": world.token_for(4, 20 * SECOND)});
    succeed(&short, "refresh_token", next).await;
    let again = short.next_event("token_expiring").await.unwrap();
    assert!(is_about(&again["expires_at"], &me["expires_at"]), "{again} {me}");
    sleep(2 * SECOND).await;
    assert_eq!(heard(&short, "token_expiring").await.len(), 2);
    assert_eq!(heard(&soon, "token_expiring").await.len(), 1);
    assert_eq!(heard(&long, "token_expiring").await.len(), 0);
}

/// Whether two times are the same but for their last seconds.
fn is_about(one: &Value, other: &Value) -> bool {
    let minute = |time: &Value| time.as_str().unwrap()[..17].to_owned();
    let second = |time: &Value| time.as_str().unwrap()[17..19].parse::<i32>().unwrap();
    minute(one) != minute(other) || (second(one) - second(other)).abs() <= 2
}
