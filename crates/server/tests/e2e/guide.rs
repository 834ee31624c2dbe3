//! What an unchanged client of the guide sends and gets, byte by byte.

use sealroom_testkit::client::RawClient;
use serde_json::{Value, json};

use crate::{
    common::Store,
    raw::{connected, next_packet},
    world::World,
};

/// The JSON behind a packet's head, which must be this.
fn behind<'a>(packet: &'a str, head: &str) -> &'a str {
    packet
        .strip_prefix(head)
        .unwrap_or_else(|| panic!("{packet} instead of {head}"))
}

/// The keys of an object in their order.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

on_each_store!(the_guides_client_gets_what_it_expects);
async fn the_guides_client_gets_what_it_expects(store: Store) {
    let world = World::start_on(store).await;
    world.group(5, [10]).await;
    let named = json!({"display_name": "Nguyễn Văn A"});
    assert_eq!(world.admin("PUT", "/users/10", named).await.status, 200);

    let mut client = RawClient::connect(world.addr()).await.unwrap();
    let open = client.next_text().await.unwrap();
    let open: Value = serde_json::from_str(behind(&open, "0")).unwrap();
    let times = (&open["pingInterval"], &open["pingTimeout"], &open["upgrades"]);
    assert_eq!(times, (&json!(25_000), &json!(20_000), &json!([])));
    client
        .send(format!("40{}", json!({"token": world.token(10)})))
        .await
        .unwrap();
    let connect: Value = serde_json::from_str(behind(&next_packet(&mut client).await, "40")).unwrap();
    assert_eq!(keys(&connect), ["sid"]);

    // Without an ack id nothing answers it.
    client.send(r#"42["join_group",{"group_id":5}]"#).await.unwrap();
    client.send(r#"420["join_group",{"group_id":5}]"#).await.unwrap();
    let ack = next_packet(&mut client).await;
    assert!(ack.starts_with(r#"430[{"success":true,"group_id":5,"#), "{ack}");

    client
        .send(r#"421["send_message",{"group_id":5,"encrypted_content":"eyJpdiI6…"}]"#)
        .await
        .unwrap();
    let event = next_packet(&mut client).await;
    let message = behind(&event, r#"42["new_message","#).strip_suffix(']').unwrap();
    let parsed: Value = serde_json::from_str(message).unwrap();
    let head = format!(
        r#"{{"id":{},"group_id":5,"sender_id":10,"sender_name":"Nguyễn Văn A","encrypted_content":"eyJpdiI6…","timestamp":{},"seq":2,"#,
        parsed["id"], parsed["timestamp"]
    );
    assert!(message.starts_with(&head), "{message}");
    let ack = next_packet(&mut client).await;
    assert_eq!(
        ack,
        format!(r#"431[{{"success":true,"message":{message},"duplicate":false}}]"#)
    );

    client
        .send(r#"422["send_message",{"group_id":9,"encrypted_content":"x"}]"#)
        .await
        .unwrap();
    assert_eq!(
        next_packet(&mut client).await,
        r#"432[{"success":false,"error":"Not a member of this group","code":"not_a_member","retryable":false}]"#
    );
    client.send(r#"42["send_message",{"group_id":5}]"#).await.unwrap();
    assert_eq!(
        next_packet(&mut client).await,
        r#"42["request_error",{"event":"send_message","code":"invalid_data","error":"Invalid data"}]"#
    );
    let mut stranger = RawClient::connect(world.addr()).await.unwrap();
    assert!(stranger.next_text().await.unwrap().starts_with('0'));
    stranger.send("40{}").await.unwrap();
    assert_eq!(
        next_packet(&mut stranger).await,
        r#"44{"message":"token_missing"}"#
    );
}

on_each_store!(an_ack_begins_with_success_whatever_it_answers);
async fn an_ack_begins_with_success_whatever_it_answers(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1]).await;
    let mut client = connected(&world, 1).await;
    let token = json!({"token": world.token(1)});
    // Every event, served and then refused.
    let rows = [
        ("send_message", json!({"group_id": 1, "encrypted_content": "x"})),
        ("join_group", json!({"group_id": 1})),
        (
            "edit_message",
            json!({"group_id": 1, "seq": 2, "encrypted_content": "y"}),
        ),
        ("get_entries", json!({"group_id": 1})),
        ("mark_read", json!({"group_id": 1, "seq": 1})),
        ("typing", json!({"group_id": 1, "is_typing": true})),
        ("delete_message", json!({"group_id": 1, "seq": 2})),
        ("refresh_token", token),
        ("leave_group", json!({"group_id": 1})),
    ];
    for (event, payload) in rows {
        for (payload, is_right) in [(payload, true), (json!({}), false)] {
            client.send(format!("427[\"{event}\",{payload}]")).await.unwrap();
            let ack = loop {
                let packet = next_packet(&mut client).await;
                if packet.starts_with("43") {
                    break packet;
                }
            };
            let head = format!("437[{{\"success\":{is_right}");
            assert!(ack.starts_with(&head) && ack.ends_with("}]"), "{event}: {ack}");
        }
    }
}
