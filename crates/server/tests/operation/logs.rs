//! The log of a running server.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::{
    common::TestServer,
    world::{World, succeed},
};

/// At the most talkative level, too: one object a line, sockets by their numbers, nothing secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_is_one_object_a_line_without_secrets() {
    let settings = [("SEALROOM_LOG", "trace"), ("SEALROOM_LOG_FORMAT", "json")];
    let mut world = World::of(TestServer::start_with(&settings));
    world.group(1, [2]).await;
    let token = world.token(2);
    let client = world.joined(2, 1).await;
    succeed(
        &client,
        "send_message",
        json!({"group_id": 1, "encrypted_content": "content-canary"}),
    )
    .await;
    let sid = client.connect_ack()["sid"].as_str().unwrap().to_owned();
    block_in_place(|| world.server.terminate());

    let log = world.server.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    assert!(
        lines
            .iter()
            .all(|line| line["message"].is_string() && line["level"].is_string())
    );
    let sockets = |message: &str| -> BTreeSet<u64> {
        let lines = lines.iter().filter(|line| line["message"] == message);
        lines.map(|line| line["socket"].as_u64().unwrap()).collect()
    };
    assert_eq!(sockets("a socket is open"), [1].into());
    assert_eq!(sockets("closing a transport"), [1].into());
    for secret in [token.as_str(), &sid, "content-canary", &world.server.secret] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
