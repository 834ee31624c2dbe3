//! A server that goes down on request.

use std::time::{Duration, Instant};

use sealroom_testkit::client::{Kind, http};
use serde_json::json;

use crate::{
    common::Store,
    reader::Reader,
    world::{World, number, send},
};

on_each_store!(a_drain_tells_the_clients_and_loses_nothing, worker_threads = 2);
async fn a_drain_tells_the_clients_and_loses_nothing(store: Store) {
    let mut world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let mut reader = Reader::new(&world, 2, 1);
    reader.connect().await.unwrap();
    reader.join(100).await.unwrap();
    let sender = world.joined(1, 1).await;
    send(&sender, 1, "before").await;
    // It holds up nobody, and takes no part in it.
    let stuck = world.joined(2, 1).await;
    stuck.pause_reading();
    // These are under way when it begins.
    let under_way: Vec<_> = (0..50)
        .map(|number: u64| {
            let message = json!({
                "group_id": 1, "encrypted_content": number.to_string(), "client_message_id": format!("m{number}"),
            });
            sender.request("send_message", message)
        })
        .collect();
    let begin = Instant::now();
    let status = world.server.terminate();
    assert_eq!(status.code(), Some(0), "{}", world.server.log());
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());

    sender.wait_closed().await.unwrap();
    reader.client().wait_closed().await.unwrap();
    let told = sender.events();
    let told: Vec<_> = told
        .iter()
        .filter(|one| one.is_event("server_draining"))
        .collect();
    assert_eq!(told.len(), 1);
    let payload = told[0].payload();
    assert_eq!(payload.as_object().unwrap().len(), 1, "{payload}");
    assert!(number(&payload["reconnect_after_ms"]) <= 15_000, "{payload}");
    // It comes back by itself: the namespace was not left.
    assert!(!sender.received().iter().any(|one| one.kind() == Kind::Disconnect));
    let mut acknowledged = Vec::new();
    for (number, request) in under_way.into_iter().enumerate() {
        if let Ok(ack) = request.answer().await {
            if ack["success"] == true {
                acknowledged.push(format!("m{number}"));
            } else {
                assert_eq!(
                    (&ack["code"], &ack["retryable"]),
                    (&json!("shutting_down"), &json!(true)),
                    "{ack}"
                );
            }
        }
    }
    reader.absorb();
    assert!(
        http::request(world.addr(), "GET", "/healthz", None, None)
            .await
            .is_err(),
        "it still serves"
    );

    world.server.restart();
    let log = world.log(1).await;
    for id in &acknowledged {
        assert!(
            log.iter().any(|entry| entry["client_message_id"] == **id),
            "{id} is lost"
        );
    }
    reader.connect().await.unwrap();
    reader.join(100).await.unwrap();
    reader.absorb();
    assert!(reader.copy.entries == log);
}
