//! What stands in the place of a payload: shapes, texts, numbers, and HTTP around them.

mod requests;
mod shapes;
mod texts;
mod values;

use std::time::Duration;

use sealroom_testkit::client::http::{self, HttpResponse};
use serde_json::{Value, json};

use self::{
    requests::pl_15_bodies_that_lie,
    shapes::{
        pl_1_no_object, pl_2_attachments_and_forged_ones, pl_3_depth, pl_9_keys_that_come_twice,
        pl_10_numbers_that_are_none, pl_12_names_of_events,
    },
    texts::{pl_4_no_text_holds_nul, pl_5_texts_that_are_no_unicode, pl_13_labels_of_any_script},
    values::{
        pl_6_ids_are_integers, pl_7_content_is_kept_byte_for_byte, pl_8_further_keys_change_nothing,
        pl_11_ids_of_clients, pl_14_pages,
    },
};
use crate::{
    peer::Peer,
    signer::{Signer, claims},
    target::{GROUP, MALLORY, Target},
    world::{World, verdict},
};

rows! {
    played {
        "PL-1" => pl_1_no_object,
        "PL-2" => pl_2_attachments_and_forged_ones,
        "PL-3" => pl_3_depth,
        "PL-4" => pl_4_no_text_holds_nul,
        "PL-5" => pl_5_texts_that_are_no_unicode,
        "PL-6" => pl_6_ids_are_integers,
        "PL-7" => pl_7_content_is_kept_byte_for_byte,
        "PL-8" => pl_8_further_keys_change_nothing,
        "PL-9" => pl_9_keys_that_come_twice,
        "PL-10" => pl_10_numbers_that_are_none,
        "PL-11" => pl_11_ids_of_clients,
        "PL-12" => pl_12_names_of_events,
        "PL-13" => pl_13_labels_of_any_script with [("SEALROOM_LOG", "trace"), ("SEALROOM_LOG_FORMAT", "json")],
        "PL-14" => pl_14_pages,
        "PL-15" => pl_15_bodies_that_lie,
    }
    not_played {}
}

/// Every event that there is, `refresh_token` included.
const EVENTS: [&str; 9] = [
    "join_group",
    "leave_group",
    "send_message",
    "edit_message",
    "delete_message",
    "get_entries",
    "mark_read",
    "typing",
    "refresh_token",
];

/// A good request of an event, as a JSON object behind a comma, with one key more or another value for a key.
fn with(event: &str, key: &str, value: &str) -> String {
    let mut keys = vec![("group_id", "1")];
    match event {
        "send_message" => keys.push(("encrypted_content", "\"x\"")),
        "edit_message" => keys.extend([("encrypted_content", "\"x\""), ("seq", "1")]),
        "delete_message" | "mark_read" => keys.push(("seq", "1")),
        "typing" => keys.push(("is_typing", "true")),
        "refresh_token" => keys = vec![("token", "\"x\"")],
        _ => {}
    }
    keys.retain(|(other, _)| *other != key);
    keys.push((key, value));
    let keys = keys.iter().map(|(key, value)| format!("\"{key}\":{value}"));
    format!(",{{{}}}", keys.collect::<Vec<_>>().join(","))
}

/// Writes these bytes on a socket past CONNECT, which must end it; gives the code of its close frame.
async fn ended_by(target: &Target, bytes: &[u8]) -> Option<u16> {
    let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
    peer.write(bytes).await;
    let (after, code) = peer.closed(Duration::from_secs(5)).await;
    assert!(after < Duration::from_secs(5), "{after:?}");
    code
}

/// A call of the host with a body that is written as it stands.
async fn sent(world: &World, method: &str, path: &str, body: impl AsRef<[u8]>) -> HttpResponse {
    sent_with(world, method, path, &[("Content-Type", "application/json")], body).await
}

async fn sent_with(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> HttpResponse {
    let mut claims = claims(1_000_000);
    claims["scope"] = json!("admin");
    let bearer = format!(
        "Bearer {}",
        Signer::Hs256(world.server.secret.clone()).token(&claims)
    );
    let headers = [&[("Authorization", &*bearer)], headers].concat();
    let path = format!("/api/v1{path}");
    http::request_with(world.addr(), method, &path, &headers, body.as_ref())
        .await
        .unwrap()
}

/// 400, `invalid_data`, and the key at fault where one is.
fn assert_invalid(answer: &HttpResponse, field: Option<&str>, what: &str) {
    assert_eq!(
        verdict(answer),
        (400, "invalid_data".to_owned()),
        "{what}: {}",
        answer.text()
    );
    if let Some(field) = field {
        assert_eq!(answer.json()["field"], field, "{what}");
    }
}

/// The messages of the group, without the entries of its members.
async fn messages(target: &Target) -> Vec<Value> {
    let mut log = target.world.log(GROUP).await;
    log.retain(|entry| entry["type"] == "new_message");
    log
}

/// A refusal as an ack carries it, without a key at fault.
fn refusal(code: &str, error: &str) -> Value {
    json!({"success": false, "error": error, "code": code, "retryable": false})
}
