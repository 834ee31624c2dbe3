//! Whatever is in the place of an event's payload: one answer, and the socket lives on.

use serde_json::json;

use crate::{
    common::Store,
    probe::{EVENTS, Probe, works},
    world::World,
};

/// What stands behind an event's name instead of one object.
fn malformed() -> Vec<String> {
    let hundred = ",{\"group_id\":1}".repeat(100);
    let deep = format!(",{}{}", "[".repeat(1000), "]".repeat(1000));
    let fixed = [
        "",
        ",null",
        ",5",
        ",5.5",
        ",-1e400",
        ",\"\"",
        ",\"{\\\"group_id\\\":1}\"",
        ",true",
        ",false",
        ",[]",
        ",[1]",
        ",[1,\"x\"]",
        ",[{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        ",[[[1]]]",
        ",{\"group_id\":1,\"encrypted_content\":\"x\"},{}",
        ",{\"group_id\":1,\"encrypted_content\":\"x\"},null",
        ",null,{\"group_id\":1,\"encrypted_content\":\"x\"}",
    ];
    fixed
        .into_iter()
        .map(String::from)
        .chain([hundred, deep])
        .collect()
}

on_each_store!(malformed_payloads_are_answered_once_and_the_socket_lives_on);
async fn malformed_payloads_are_answered_once_and_the_socket_lives_on(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let mut probe = Probe::connect(&world, 1, 1).await;
    for event in EVENTS {
        for args in malformed() {
            probe.invalid(event, &args, None).await;
        }
        // An object, but without anything that counts.
        for args in [",{}", ",{\"_placeholder\":true,\"num\":0}", ",{\"GROUP_ID\":1}"] {
            probe.invalid(event, args, Some("group_id")).await;
        }
    }
    works(&world, 2, 1).await;
    assert_eq!(probe.client.closed(), None);
}

on_each_store!(binary_attachments_are_refused_and_forged_ones_are_no_attachments);
async fn binary_attachments_are_refused_and_forged_ones_are_no_attachments(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let mut probe = Probe::connect(&world, 1, 1).await;
    let payloads = [
        r#"{"_placeholder":true,"num":0}"#,
        r#"{"group_id":1,"encrypted_content":{"_placeholder":true,"num":0}}"#,
        r#"{"group_id":1,"encrypted_content":"x","more":{"_placeholder":true,"num":0}}"#,
    ];
    for event in EVENTS {
        for payload in payloads {
            let ack = probe
                .ask_frames(|client, id| {
                    client.raw(format!("451-{id}[\"{event}\",{payload}]"));
                    client.raw_binary([1, 2, 3]);
                })
                .await;
            assert_eq!(ack["code"], "invalid_data", "{event} {payload}");
            let error = probe
                .tell_frames(|client| {
                    client.raw(format!("451-[\"{event}\",{payload}]"));
                    client.raw_binary([1, 2, 3]);
                })
                .await;
            assert_eq!(
                error,
                json!({"event": event, "code": "invalid_data", "error": "Invalid data"})
            );
        }
    }
    // The same text without an attachment.
    let forged = r#",{"group_id":1,"encrypted_content":{"_placeholder":true,"num":0}}"#;
    probe
        .invalid("send_message", forged, Some("encrypted_content"))
        .await;
    let forged = r#",{"group_id":{"_placeholder":true,"num":0}}"#;
    for event in EVENTS {
        probe.invalid(event, forged, Some("group_id")).await;
    }
    works(&world, 2, 1).await;
}
