//! What is there besides the API, and what is never said.

use sealroom_testkit::client::http;
use serde_json::json;

use crate::{
    common::Store,
    world::{World, ask, send, verdict},
};

on_each_store!(probes_pages_and_refusals_of_the_transport_are_where_they_are_said_to_be);
async fn probes_pages_and_refusals_of_the_transport_are_where_they_are_said_to_be(store: Store) {
    let world = World::start_on(store).await;
    let get = async |path: &str| {
        http::request(world.addr(), "GET", path, None, None)
            .await
            .unwrap()
    };
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(path).await.status, 200, "{path}");
    }
    for path in ["/", "/docs"] {
        let page = get(path).await;
        let is_html = page
            .header("Content-Type")
            .is_some_and(|kind| kind.starts_with("text/html"));
        assert!(page.status == 200 && is_html, "{path}: {page:?}");
    }
    let openapi = get("/openapi.json").await.json();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1."));
    for path in ["/api/v1/nothing", "/api/v1/groups/x/y/z"] {
        let nothing = get(path).await;
        assert_eq!(
            (nothing.status, &nothing.json()["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
    }
    for query in [
        "",
        "?EIO=3&transport=polling",
        "?transport=polling",
        "?EIO=4",
        "?EIO=4&transport=carrier-pigeon",
        "?EIO=4&transport=polling&sid=unknown",
        "?EIO=4&transport=websocket",
    ] {
        let refused = get(&format!("/socket.io/{query}")).await;
        assert_eq!(refused.status, 400, "{query}: {}", refused.text());
    }
}

/// Only PostgreSQL lets somebody else change a row while the server runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_row_is_internal_and_can_be_found_in_the_log() {
    let world = World::start_on(Store::Postgres).await;
    world.group(1, [1]).await;
    let client = world.joined(1, 1).await;
    send(&client, 1, "before").await;
    let database = world.server.database().unwrap().client().await;
    let breaking = database.batch_execute("UPDATE entries SET sender_name = NULL WHERE kind = 1");
    breaking.await.unwrap();

    let refused = ask(&client, "get_entries", json!({"group_id": 1})).await;
    let id = refused["request_id"].as_str().unwrap_or_default();
    assert_eq!(
        (&refused["code"], &refused["error"], &refused["retryable"]),
        (&json!("internal"), &json!("Internal error"), &json!(true))
    );
    assert!(!id.is_empty(), "{refused}");
    world.server.wait_logged(id, |log| log.contains(id).then_some(()));

    let answer = world.user(1, "GET", "/groups/1/entries", None).await;
    assert_eq!(verdict(&answer), (500, "internal".into()));
    let problem = answer.json();
    let id = problem["request_id"].as_str().unwrap_or_default();
    assert!(!id.is_empty(), "{problem}");
    world.server.wait_logged(id, |log| log.contains(id).then_some(()));
    for internal in ["sender_name", "entries", "SELECT"] {
        assert!(
            !problem["detail"].as_str().unwrap().contains(internal),
            "{problem}"
        );
    }
    // The rest of it goes on.
    send(&client, 1, "after").await;
}
