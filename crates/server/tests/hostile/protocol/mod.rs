//! Engine.IO, Socket.IO and WebSocket, spoken wrong.

mod engine_io;
mod http;

use std::net::SocketAddr;

use engine_io::{pr_4_two_polls_at_once, pr_5_posts_at_once_and_after_the_end, pr_6_session_ids};
use http::{
    pr_1_versions_and_transports, pr_2_methods, pr_3_session_ids_that_are_none,
    pr_20_heads_that_are_too_much, pr_21_paths_beside_the_path,
};
use sealroom_testkit::client::http::{HttpResponse, request_with};
use serde_json::{Value, json};

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
        "PR-20" => pr_20_heads_that_are_too_much,
        "PR-21" => pr_21_paths_beside_the_path,
    }
    not_played {}
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
        let [polled, posted] = [self.get().await, self.post("3").await];
        let over = (400, "1".to_owned());
        refusal_or_ok(&polled) == over && refusal_or_ok(&posted) == over
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
