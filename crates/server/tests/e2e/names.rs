//! Frames that are no events.

use std::time::Duration;

use sealroom_testkit::client::{RawClient, RawFrame};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    common::Store,
    probe::works,
    raw::connected,
    world::{World, succeed},
};

on_each_store!(frames_that_are_no_events_disturb_nobody_else);
async fn frames_that_are_no_events_disturb_nobody_else(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let witness = world.joined(1, 1).await;
    let texts = [
        "",
        "4",
        "42",
        "42[",
        "42{}",
        "42[]",
        "42[5]",
        "42[null,{}]",
        "42[[]]",
        "42[\"x\"",
        "42\"x\"",
        "42[\"send_message\",{]",
        "42[\"send_message\",{\"group_id\":1]",
        "42[\"send_message\",}",
        "4299999999999999999999[\"x\"]",
        "42-1[\"x\"]",
        "42/,[\"x\"]",
        "42/other,1[\"x\",{}]",
        "40/other,{}",
        "41/other,",
        "43",
        "430",
        "430[]",
        "43[",
        "44",
        "44{}",
        "45",
        "45-",
        "450-[\"x\"]",
        "451-",
        "451-[\"x\",{\"_placeholder\":true,\"num\":7}]",
        "452-[\"x\",1]",
        "4599999999999999999999-[\"x\"]",
        "46",
        "46[]",
        "47",
        "49",
        "0",
        "0{}",
        "1",
        "2",
        "2probe",
        "3",
        "3probe",
        "5",
        "6",
        "7",
        "b",
        "bAAAA",
        "é",
        "\u{1e}",
        "4\u{1e}4",
        "nul \u{0}",
    ];
    for text in texts {
        let mut client = connected(&world, 2).await;
        client.send(text).await.unwrap();
        read_on(client).await;
    }
    for bytes in [&[][..], &[0], &[4, 2], &[0xff; 1000]] {
        let mut client = connected(&world, 2).await;
        client.send_binary(bytes).await.unwrap();
        read_on(client).await;
    }
    // Below the WebSocket: a text that is not UTF-8, an unknown opcode, a frame without a mask, plain nonsense.
    let masked = |head: u8, byte: u8| vec![head, 0x81, 0, 0, 0, 0, byte];
    for bytes in [
        masked(0x81, 0xff),
        masked(0x83, b'x'),
        vec![0x81, 1, b'4'],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ] {
        let mut client = connected(&world, 2).await;
        client.send_bytes(&bytes).await.unwrap();
        read_on(client).await;
    }
    works(&world, 2, 1).await;
    assert_eq!(
        witness.next_event("new_message").await.unwrap()["encrypted_content"],
        "still here"
    );
    succeed(&witness, "get_entries", json!({"group_id": 1})).await;
    assert!(!world.server.log().contains("panick"), "{}", world.server.log());
}

/// Waits until the server has read what was sent: until it closes, or answers a further request. Whether the socket
/// lives on is its own affair; it must not take anybody along.
async fn read_on(mut client: RawClient) {
    if client.send(r#"421["get_entries",{"group_id":1}]"#).await.is_ok() {
        let answered = async {
            loop {
                match client.next().await {
                    Ok(RawFrame::Text(text)) if text.starts_with("431[") => break,
                    Ok(RawFrame::Close(_)) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        };
        // A packet that waits for its attachment may leave it without an answer.
        let _ = timeout(Duration::from_millis(300), answered).await;
    }
    client.kill();
}
