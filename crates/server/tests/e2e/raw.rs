//! Sockets that do nothing by themselves.

use sealroom_testkit::client::RawClient;
use serde_json::json;

use crate::world::World;

/// A socket of a user past its handshake.
pub(crate) async fn connected(world: &World, user_id: u64) -> RawClient {
    let mut client = RawClient::connect(world.addr()).await.unwrap();
    assert!(client.next_text().await.unwrap().starts_with('0'));
    client
        .send(format!("40{}", json!({"token": world.token(user_id)})))
        .await
        .unwrap();
    let answer = next_packet(&mut client).await;
    assert!(answer.starts_with("40"), "{answer}");
    client
}

/// The next text that is no ping.
pub(crate) async fn next_packet(client: &mut RawClient) -> String {
    loop {
        let text = client.next_text().await.unwrap();
        if text != "2" {
            return text;
        }
    }
}
