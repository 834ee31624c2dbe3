//! Whether the server still works.

use serde_json::json;

use crate::world::{World, succeed};

/// A new client joins, sends and receives.
pub(crate) async fn works(world: &World, user_id: u64, group_id: u64) {
    let client = world.joined(user_id, group_id).await;
    let message = json!({"group_id": group_id, "encrypted_content": "still here"});
    let ack = succeed(&client, "send_message", message).await;
    assert_eq!(client.next_event("new_message").await.unwrap(), ack["message"]);
}
