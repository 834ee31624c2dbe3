//! Servers that start at the same time on an empty database.

use std::thread;

use serde_json::json;
use tokio::task::block_in_place;

use crate::{
    database::{self, Outside},
    world::{World, number, succeed},
};

const SERVERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_servers_that_start_at_once_write_one_schema() {
    let database = database::start();
    let servers = block_in_place(|| {
        thread::scope(|scope| {
            let starts: Vec<_> = (0..SERVERS)
                .map(|_| {
                    scope.spawn(|| {
                        crate::common::TestServer::start_with(&[("SEALROOM_DATABASE_URL", &database.url())])
                    })
                })
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect::<Vec<_>>()
        })
    });
    let worlds: Vec<_> = servers.into_iter().map(World::of).collect();
    // None of them ran into what another had just made.
    assert!(!database.log().contains("ERROR"), "{}", database.log());
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'groups'";
    assert_eq!(Outside::connect(&database).await.number(tables).await, 1);

    worlds[0].group(1, [1]).await;
    let log_id = worlds[0].log_id(1).await;
    for (index, world) in worlds.iter().enumerate() {
        assert_eq!(world.log_id(1).await, log_id);
        let client = world.socket(1).await;
        let message = json!({"group_id": 1, "encrypted_content": index.to_string()});
        let ack = succeed(&client, "send_message", message).await;
        assert_eq!(number(&ack["message"]["seq"]), u64::try_from(index).unwrap() + 2);
    }
    let log = worlds[0].log(1).await;
    assert_eq!(log.len(), 1 + SERVERS);
    for world in &worlds {
        assert!(world.log(1).await == log);
    }
}
