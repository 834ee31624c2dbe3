//! The end of a token on an open socket.

use std::time::{Duration, Instant};

use sealroom_testkit::client::Kind;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    common::Store,
    probe::EVENTS,
    world::{World, succeed},
};

on_each_store!(from_its_end_on_everything_is_refused_and_10_s_later_the_socket_is_ended);
async fn from_its_end_on_everything_is_refused_and_10_s_later_the_socket_is_ended(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let token = world.token_for(1, Duration::from_secs(2));
    let client = sealroom_testkit::client::Client::connect(world.addr(), &token)
        .await
        .unwrap();
    succeed(&client, "join_group", json!({"group_id": 1})).await;
    let request = json!({"group_id": 1, "encrypted_content": "x"});
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
    let refused = sealroom_testkit::client::Client::connect(world.addr(), &token).await;
    assert_eq!(refused.unwrap_err().message, "token_expired");

    sleep(Duration::from_secs(8).saturating_sub(end.elapsed())).await;
    assert_eq!(client.closed(), None, "there is time to refresh");
    client.wait_closed().await.unwrap();
    let after = end.elapsed().as_secs_f64();
    assert!((9.0..13.0).contains(&after), "ended after {after} s");
    // Told to stay away, not only cut off.
    let kinds: Vec<_> = client
        .received()
        .iter()
        .map(sealroom_testkit::client::Received::kind)
        .collect();
    assert_eq!(kinds.last_chunk(), Some(&[Kind::Disconnect, Kind::Closed]));
    // Nothing that it tried is in the log.
    assert_eq!(world.log(1).await.len(), 2);
}
