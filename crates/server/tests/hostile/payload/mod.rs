//! The shape of what clients send.

mod bodies;
mod events;
mod messages;
mod numbers;
mod pages;
mod shapes;
mod texts;
mod values;

use bodies::pl_15_bodies_that_lie;
use events::pl_12_events_that_there_are_not;
use messages::{pl_7_contents, pl_11_ids_of_messages};
use numbers::{pl_6_ids_have_one_spelling, pl_10_numbers_that_no_machine_has};
use pages::pl_14_pages_that_nobody_can_have;
use sealroom_testkit::client::http::{self, HttpResponse};
use serde_json::Value;
use shapes::{
    pl_1_anything_but_one_object, pl_2_attachments_and_forged_ones, pl_3_depth_without_end,
    pl_9_keys_that_come_twice,
};
use texts::{pl_5_no_text_at_all, pl_13_names_that_play_tricks};
use values::{pl_4_nul_in_any_string, pl_8_keys_that_say_who_and_when};

use crate::{
    peer::{Came, Frame, Peer},
    target::{GROUP, MALLORY, Target},
};

rows! {
    played {
        "PL-1" => pl_1_anything_but_one_object,
        "PL-2" => pl_2_attachments_and_forged_ones,
        "PL-3" => pl_3_depth_without_end,
        "PL-4" => pl_4_nul_in_any_string,
        "PL-5" => pl_5_no_text_at_all,
        "PL-6" => pl_6_ids_have_one_spelling,
        "PL-7" => pl_7_contents,
        "PL-8" => pl_8_keys_that_say_who_and_when,
        "PL-9" => pl_9_keys_that_come_twice,
        "PL-10" => pl_10_numbers_that_no_machine_has,
        "PL-11" => pl_11_ids_of_messages,
        "PL-12" => pl_12_events_that_there_are_not,
        "PL-13" => pl_13_names_that_play_tricks,
        "PL-14" => pl_14_pages_that_nobody_can_have,
        "PL-15" => pl_15_bodies_that_lie,
    }
    not_played {}
}

/// The ack id of the good request behind what a row sends.
const MARKER: &str = "4399";

/// Plays these frames on a new socket. `closed`: the server closes it and serves none of them. Anything else: the packets
/// that come in short form, each with its code or `success`, and `open`, because a good request behind them is served.
async fn check(target: &Target, frames: &[Frame], expected: &str) {
    let mut peer = Peer::connected(target.addr(), &target.world.token(MALLORY)).await;
    for frame in frames {
        peer.frame(frame).await;
    }
    peer.say(&format!(
        "42{}[\"get_entries\",{{\"group_id\":{GROUP},\"limit\":1}}]",
        &MARKER[2..]
    ))
    .await;
    let mut came = Vec::new();
    loop {
        match peer.next().await {
            Came::Text(text) if text == "1" || text == "2" => {}
            Came::Text(text) if text.starts_with(MARKER) => {
                assert!(text.contains("\"success\":true"), "{text}");
                // It may be served before the connection that is to be closed is.
                if expected != "closed" {
                    came.push("open".to_owned());
                    break;
                }
            }
            // So may what was sent before the frame that ends it; but nothing of all this is a good request.
            Came::Text(text) if expected == "closed" => assert!(text.contains("\"success\":false"), "{text}"),
            Came::Text(text) => came.push(in_short(&text)),
            Came::Close(_) | Came::Gone => {
                came.push("closed".to_owned());
                break;
            }
            other @ Came::Other(..) => panic!("{other:?}"),
        }
    }
    let first = String::from_utf8_lossy(&frames[0].payload);
    assert_eq!(came.join(", "), expected, "{} frames, {first:.200}", frames.len());
}

/// The head of a packet, and the code in it.
fn in_short(packet: &str) -> String {
    let Some((head, rest)) = packet.split_once('[') else {
        return packet.to_owned();
    };
    let args: Vec<Value> = serde_json::from_str(&format!("[{rest}")).unwrap();
    let (name, object) = match args.as_slice() {
        [Value::String(name), object] => (format!(" {name}"), object),
        [object] => (String::new(), object),
        _ => panic!("{packet}"),
    };
    let code = object["code"].as_str().unwrap_or("success");
    format!("{head}{name} {code}")
}

/// An HTTP request of a user under `/api/v1`, with a body of any bytes that says it is JSON.
async fn http(target: &Target, token: &str, line: &str, body: &[u8]) -> HttpResponse {
    let (method, path) = line.split_once(' ').unwrap();
    let authorization = format!("Bearer {token}");
    let headers = [
        ("Authorization", &*authorization),
        ("Content-Type", "application/json"),
    ];
    http::request_with(target.addr(), method, &format!("/api/v1{path}"), &headers, body)
        .await
        .unwrap()
}

/// The code of a refusal and the key that it names.
fn refusal(answer: &HttpResponse) -> (u16, String, Option<String>) {
    let body = answer.json();
    let code = body["code"].as_str().unwrap_or_default().to_owned();
    (answer.status, code, body["field"].as_str().map(str::to_owned))
}

/// A good request with one key more, or another value for a key.
fn with(event: &str, key: &str, value: &str) -> String {
    let mut keys = vec![("group_id", "1")];
    if ["send_message", "edit_message"].contains(&event) {
        keys.push(("encrypted_content", "\"x\""));
    }
    if ["edit_message", "delete_message", "mark_read"].contains(&event) {
        keys.push(("seq", "1"));
    }
    if event == "typing" {
        keys.push(("is_typing", "true"));
    }
    if event == "refresh_token" {
        keys = vec![("token", "\"x\"")];
    }
    keys.retain(|(other, _)| *other != key);
    keys.push((key, value));
    let keys: Vec<_> = keys
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!(",{{{}}}", keys.join(","))
}
