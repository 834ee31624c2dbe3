//! Engine.IO, Socket.IO and WebSocket, spoken wrong.

mod engine_io;
mod frames;
mod heartbeats;
mod http;
mod packets;
mod upgrades;

use std::net::SocketAddr;

use engine_io::{pr_4_two_polls_at_once, pr_5_posts_at_once_and_after_the_end, pr_6_session_ids};
use frames::{pr_16_frames_that_are_none, pr_17_frames_without_end, pr_19_ends};
use heartbeats::pr_18_heartbeats;
use http::{
    pr_1_versions_and_transports, pr_2_methods, pr_3_session_ids_that_are_none,
    pr_20_heads_that_are_too_much, pr_21_paths_beside_the_path,
};
use packets::{
    pr_9_packets_of_engine_io, pr_10_bodies_of_polling, pr_11_packets_of_socket_io, pr_12_events_and_connect,
    pr_13_ack_ids, pr_14_acks_for_nothing, pr_15_attachments,
};
use sealroom_testkit::client::http::{HttpResponse, request_with};
use serde_json::{Value, json};
use upgrades::{pr_7_upgrades, pr_8_websockets_that_are_none};

use crate::target::Target;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

rows! {
    played {
        "PR-1" => pr_1_versions_and_transports,
        "PR-2" => pr_2_methods with [("SEALROOM_ALLOWED_ORIGINS", "https://app.example")],
        "PR-3" => pr_3_session_ids_that_are_none,
        "PR-4" => pr_4_two_polls_at_once,
        "PR-5" => pr_5_posts_at_once_and_after_the_end,
        "PR-6" => pr_6_session_ids,
        "PR-7" => pr_7_upgrades,
        "PR-8" => pr_8_websockets_that_are_none,
        "PR-9" => pr_9_packets_of_engine_io,
        "PR-10" => pr_10_bodies_of_polling,
        "PR-11" => pr_11_packets_of_socket_io,
        "PR-12" => pr_12_events_and_connect with [("SEALROOM_LIMIT_SOCKETS_PER_USER", "off")],
        "PR-13" => pr_13_ack_ids,
        "PR-14" => pr_14_acks_for_nothing,
        "PR-15" => pr_15_attachments,
        "PR-16" => pr_16_frames_that_are_none,
        "PR-17" => pr_17_frames_without_end,
        "PR-18" => pr_18_heartbeats,
        "PR-19" => pr_19_ends with [("SEALROOM_LIMIT_SOCKETS_PER_USER", "3")],
        "PR-20" => pr_20_heads_that_are_too_much,
        "PR-21" => pr_21_paths_beside_the_path,
    }
    not_played {
        "PR-22": "Held by tests/interop.rs, which plays the official clients of JavaScript, Python and Rust on each transport; \
                  that Engine.IO 3 is refused is a part of PR-1.",
    }
}

/// A refusal of Engine.IO: its status, and the code of its body.
fn refusal(answer: &HttpResponse) -> (u16, String) {
    let code = match answer.text().as_str() {
        "" => String::new(),
        _ => answer.json()["code"].as_str().unwrap().to_owned(),
    };
    (answer.status, code)
}

/// A session over polling, request by request.
struct Polling {
    server: SocketAddr,
    sid: String,
}

impl Polling {
    async fn open(server: SocketAddr) -> Self {
        let open = request_with(server, "GET", POLLING, &[], b"").await.unwrap();
        let sid = sid(&open.text());
        Self { server, sid }
    }

    /// The same past CONNECT and the first ping.
    async fn connected(target: &Target, user_id: u64) -> Self {
        let session = Self::open(target.addr()).await;
        let connect = format!("40{}", json!({"token": target.world.token(user_id)}));
        assert_eq!(session.post(connect).await.status, 200);
        let mut came = Vec::new();
        while !["40", "2"]
            .iter()
            .all(|begin| came.iter().any(|packet: &String| packet.starts_with(begin)))
        {
            came.extend(session.packet("").await);
        }
        assert_eq!(session.post("3").await.status, 200);
        session
    }

    fn path(&self) -> String {
        format!("{POLLING}&sid={}", self.sid)
    }

    /// The path at which it may become a WebSocket.
    fn upgrade(&self) -> String {
        format!("{WEBSOCKET}&sid={}", self.sid)
    }

    async fn get(&self) -> HttpResponse {
        request_with(self.server, "GET", &self.path(), &[], b"")
            .await
            .unwrap()
    }

    async fn post(&self, body: impl AsRef<[u8]>) -> HttpResponse {
        request_with(self.server, "POST", &self.path(), &[], body.as_ref())
            .await
            .unwrap()
    }

    /// Polls until a packet comes that begins with this; gives what came up to it.
    async fn packet(&self, begin: &str) -> Vec<String> {
        let mut came = Vec::new();
        loop {
            let polled = self.get().await;
            assert_eq!(polled.status, 200, "{}", polled.text());
            let text = polled.text();
            came.extend(text.split('\u{1e}').map(ToOwned::to_owned));
            if came.iter().any(|packet| packet.starts_with(begin)) {
                return came;
            }
        }
    }

    /// Whether it is there no more.
    async fn is_over(&self) -> bool {
        refusal_or_ok(&self.post("3").await) == (400, "1".to_owned())
    }
}

fn refusal_or_ok(answer: &HttpResponse) -> (u16, String) {
    if answer.status == 200 {
        return (200, answer.text());
    }
    refusal(answer)
}

/// The `sid` of a packet that ends in an object.
fn sid(packet: &str) -> String {
    let object = packet.find('{').map(|begin| &packet[begin..]);
    let object: Value =
        serde_json::from_str(object.unwrap_or_else(|| panic!("no object: {packet}"))).unwrap();
    object["sid"].as_str().unwrap().to_owned()
}
