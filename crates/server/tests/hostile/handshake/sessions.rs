//! Where a token may stand, and what one session may try.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use sealroom_testkit::client::{
    Client,
    http::{self, HttpResponse},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{answered, is_sound, signer};
use crate::{
    common::TestServer,
    peer::{Came, Frame, Peer},
    signer::{Signer, claims},
    target::{GROUP, MALLORY, Target, eventually},
};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// A session that polls.
pub(super) struct Polling {
    server: SocketAddr,
    path: String,
}

impl Polling {
    async fn open(server: SocketAddr) -> Self {
        let opened = http::request(server, "GET", POLLING, None, None).await.unwrap();
        let open: Value = serde_json::from_str(opened.text().strip_prefix('0').unwrap()).unwrap();
        let path = format!("{POLLING}&sid={}", open["sid"].as_str().unwrap());
        Self { server, path }
    }

    /// What came; `None` once the session is gone.
    pub(super) async fn poll(&self) -> Option<String> {
        let answer = http::request(self.server, "GET", &self.path, None, None)
            .await
            .unwrap();
        (answer.status == 200).then(|| answer.text())
    }

    pub(super) async fn post(&self, body: &str) -> HttpResponse {
        let headers = [("Content-Type", "text/plain;charset=UTF-8")];
        http::request_with(self.server, "POST", &self.path, &headers, body.as_bytes())
            .await
            .unwrap()
    }

    /// Everything that came up to the end of the session.
    async fn rest(&self) -> String {
        let mut rest = String::new();
        while let Some(text) = self.poll().await {
            rest.push_str(&text);
        }
        rest
    }
}

/// A session that polls, past CONNECT.
pub(super) async fn polling(server: SocketAddr, token: &str) -> Polling {
    let session = Polling::open(server).await;
    assert_eq!(session.post(&connect(token)).await.status, 200);
    while !session.poll().await.unwrap().contains("40{") {}
    session
}

fn connect(token: &str) -> String {
    format!("40{}", json!({"token": token}))
}

/// Only `auth`, and where that has none the one `Authorization` header; never where others can read it.
pub(super) async fn hs_18_only_auth_and_the_header(target: &mut Target) {
    let good = signer(target).token(&claims(MALLORY));
    let (bearer, twice) = (format!("Bearer {good}"), format!("Bearer {good}, Bearer {good}"));
    let socket = |query: &str| format!("/socket.io/?EIO=4&transport=websocket{query}");
    let quoted = format!("\"{good}\"");
    let headers = [
        ("Authorization", &*bearer, ""),
        ("authorization", &*format!("bearer   {good}"), ""),
        ("Authorization", &*good, "token_missing"),
        ("Authorization", &*format!("Token {good}"), "token_missing"),
        ("Authorization", &*format!("Basic {good}"), "token_missing"),
        ("Authorization", "Bearer", "token_missing"),
        ("Authorization", "Bearer ", "token_missing"),
        ("Authorization", &*twice, "token_invalid"),
        ("Authorization", &*format!("Bearer {quoted}"), "token_invalid"),
        ("Authorization", "Bearer undefined", "token_invalid"),
        ("Proxy-Authorization", &*bearer, "token_missing"),
        ("X-Authorization", &*bearer, "token_missing"),
        ("X-Forwarded-Authorization", &*bearer, "token_missing"),
        ("X-Auth-Token", &*good, "token_missing"),
        ("X-User-Id", "1", "token_missing"),
        (
            "Cookie",
            &*format!("token={good}; Authorization={bearer}; access_token={good}"),
            "token_missing",
        ),
        ("Sec-WebSocket-Protocol", &*good, "token_missing"),
    ];
    for (name, value, code) in headers {
        let client = Client::builder(target.addr()).header(name, value).connect().await;
        let heard = client.map_or_else(|error| error.message, |_| String::new());
        // A subprotocol that the server does not choose ends the handshake of a client that keeps RFC 6455.
        if name != "Sec-WebSocket-Protocol" {
            assert_eq!(heard, code, "{name}: {value}");
        }
        assert!(!heard.is_empty() || code.is_empty(), "{name}: {value}");
    }
    for key in [
        "token",
        "auth",
        "access_token",
        "authorization",
        "auth%5Btoken%5D",
        "jwt",
    ] {
        let path = socket(&format!("&{key}={good}"));
        let error = Client::builder(target.addr())
            .path(&path)
            .connect()
            .await
            .unwrap_err();
        assert_eq!((error.refused, &*error.message), (true, "token_missing"), "{key}");
        let me = format!("/api/v1/me?{key}={good}");
        let me = http::request(target.addr(), "GET", &me, None, None)
            .await
            .unwrap();
        assert!(me.status == 401 || me.status == 400, "{key}: {}", me.text());
        assert!(!me.text().contains(&good), "{}", me.text());
    }
    // `auth` decides, where it says anything.
    for (auth, code) in [
        (json!({"token": null}), ""),
        (json!([]), ""),
        (json!({"token": "x"}), "token_invalid"),
        (json!({"token": ""}), "token_invalid"),
        (json!({"token": 5}), "token_invalid"),
    ] {
        let client = Client::builder(target.addr())
            .header("Authorization", &bearer)
            .auth(auth.clone());
        let heard = client
            .connect()
            .await
            .map_or_else(|error| error.message, |_| String::new());
        assert_eq!(heard, code, "{auth}");
    }
    // Of two headers none is right: a proxy in front may have looked at the other one.
    let two = Client::builder(target.addr())
        .header("Authorization", &bearer)
        .header("Authorization", &bearer);
    assert_eq!(two.connect().await.unwrap_err().message, "token_invalid");
    // The log says everything that it can, and no part of a token.
    let log = target.world.server.log();
    let signature = good.rsplit('.').next().unwrap();
    assert!(
        !log.contains(signature) && !log.contains(&good),
        "a token is in the log"
    );
}

/// CONNECT again and again over one session: five are answered, and the session ends.
pub(super) async fn hs_23_one_session_tries_again_and_again(target: &mut Target) {
    bad_tokens_end_a_websocket(target).await;
    bad_tokens_end_a_polling_session(target).await;
    a_second_connect_changes_nothing(target).await;
    whoever_corrects_itself_stays(target).await;
    coming_and_going_leaves_nothing(target).await;
    coming_and_going_counts_for_its_address().await;
}

async fn bad_tokens_end_a_websocket(target: &Target) {
    // All at once, one after the other, and with different causes.
    for pause in [Duration::ZERO, Duration::from_millis(2)] {
        let mut peer = Peer::websocket(target.addr()).await;
        let begin = Instant::now();
        let attempts = [
            connect("x"),
            "40".into(),
            "40{}".into(),
            "40{\"token\":5}".into(),
            "40[]".into(),
        ];
        for attempt in attempts.iter().cycle().take(1000) {
            if !peer.try_write(&Frame::text(attempt).bytes()).await {
                break;
            }
            sleep(pause).await;
            if begin.elapsed() > Duration::from_secs(3) {
                break;
            }
        }
        let mut refused = 0;
        let ended = async {
            loop {
                match peer.next().await {
                    Came::Text(text) if text.starts_with("44{\"message\":\"token_") => refused += 1,
                    Came::Text(text) if text == "2" => {}
                    Came::Close(_) | Came::Gone => break,
                    other => panic!("{other:?}"),
                }
            }
        };
        timeout(Duration::from_secs(3), ended).await.expect("it goes on");
        assert!(refused <= 5, "{refused} answers");
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }
    // Up to five are answered, each with its own code.
    let mut peer = Peer::websocket(target.addr()).await;
    for (attempt, code) in [
        (connect("x"), "token_invalid"),
        ("40".into(), "token_missing"),
        ("40{\"token\":{}}".into(), "token_invalid"),
        ("40[]".into(), "token_missing"),
        (connect(""), "token_invalid"),
    ] {
        peer.say(&attempt).await;
        assert_eq!(peer.packet().await, format!("44{{\"message\":\"{code}\"}}"));
    }
    // The sixth is not looked at, even if it is right.
    peer.say(&connect(&target.world.token(MALLORY))).await;
    let ended = async {
        loop {
            match peer.next().await {
                Came::Text(text) => assert!(!text.starts_with("40"), "{text}"),
                Came::Close(_) | Came::Gone => break,
                Came::Other(..) => {}
            }
        }
    };
    timeout(Duration::from_secs(2), ended).await.expect("it goes on");
}

async fn bad_tokens_end_a_polling_session(target: &Target) {
    let session = Polling::open(target.addr()).await;
    let many = vec![connect("x"); 1000].join("\u{1e}");
    assert_eq!(session.post(&many).await.status, 200);
    let rest = timeout(Duration::from_secs(3), session.rest())
        .await
        .expect("it goes on");
    let refused = rest.matches("44{\"message\":\"token_invalid\"}").count();
    assert!(refused <= 5, "{rest}");
    assert!(!rest.contains("40{"), "{rest}");
    assert_eq!(
        session.post(&connect(&target.world.token(MALLORY))).await.status,
        400
    );
}

/// While one is under way, and after it, for whomever and with whatever token.
async fn a_second_connect_changes_nothing(target: &Target) {
    let [mine, others] = [
        target.world.token(MALLORY),
        target.world.token(crate::target::ALICE),
    ];
    let mut peer = Peer::websocket(target.addr()).await;
    // Of several at once any may be the one that is looked at first, so these are the same.
    peer.write(&Frame::text(&connect(&mine)).bytes().repeat(5)).await;
    let first = peer.packet().await;
    assert!(first.starts_with("40{\"sid\":"), "{first}");
    for token in [&others, "x", &mine] {
        peer.say(&connect(token)).await;
    }
    let message = json!({"group_id": GROUP, "encrypted_content": "once"});
    peer.say(&format!("427[\"send_message\",{message}]")).await;
    // No second answer to CONNECT stands in front of these, and the user is who it was.
    let event = peer.packet().await;
    assert!(event.starts_with("42[\"new_message\","), "{event}");
    assert!(event.contains(&format!("\"sender_id\":{MALLORY},")), "{event}");
    let ack = peer.packet().await;
    assert!(ack.starts_with("437[{\"success\":true,"), "{ack}");
    // And it stays, past the time in which a refused session ends.
    sleep(Duration::from_millis(800)).await;
    peer.say(&format!(
        "428[\"get_entries\",{}]",
        json!({"group_id": GROUP, "limit": 1})
    ))
    .await;
    assert!(peer.packet().await.starts_with("438[{\"success\":true,"));
}

/// A client that is let in after it was refused is not closed for what came before.
async fn whoever_corrects_itself_stays(target: &Target) {
    let mut peer = Peer::websocket(target.addr()).await;
    for _ in 0..4 {
        peer.say(&connect("x")).await;
        assert_eq!(peer.packet().await, "44{\"message\":\"token_invalid\"}");
    }
    peer.say(&connect(&target.world.token(MALLORY))).await;
    let connected = peer.packet().await;
    assert!(connected.starts_with("40{"), "{connected}");
    sleep(Duration::from_millis(800)).await;
    peer.say(&format!(
        "421[\"get_entries\",{}]",
        json!({"group_id": GROUP, "limit": 1})
    ))
    .await;
    assert!(peer.packet().await.starts_with("431[{\"success\":true,"));
}

/// A user has 20 sockets at most: places that did not come back would be missed soon.
async fn coming_and_going_leaves_nothing(target: &Target) {
    const ROUNDS: usize = 100;
    let token = target.world.token(MALLORY);
    let before = (target.descriptors(), target.connections());
    let mut peer = Peer::websocket(target.addr()).await;
    for _ in 0..ROUNDS {
        // One that comes before the last one has left is ignored, so it asks until it hears something.
        let answer = loop {
            peer.say(&connect(&token)).await;
            if let Ok(answer) = timeout(Duration::from_millis(5), peer.packet()).await {
                break answer;
            }
        };
        assert!(answer.starts_with("40{"), "{answer}");
        peer.say("41").await;
    }
    drop(peer);
    for _ in 0..25 {
        assert_eq!(answered(target.addr(), json!({"token": token})).await, "");
    }
    eventually(Duration::from_secs(5), "its connections are closed", || {
        target.descriptors() <= before.0 && target.connections() <= before.1
    })
    .await;
}

/// What would be too many sessions is too many times in one session as well.
async fn coming_and_going_counts_for_its_address() {
    let server = TestServer::start_with(&[("SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS", "1:5")]);
    let token = Signer::Hs256(server.secret.clone()).token(&claims(MALLORY));
    let mut peer = Peer::websocket(server.addr).await;
    let mut accepted = 0;
    let ended = async {
        // One that comes before the last one has left is ignored, and counts for nothing.
        loop {
            peer.say(&connect(&token)).await;
            match timeout(Duration::from_millis(20), peer.packet_or_end()).await {
                Ok(Some(answer)) => {
                    assert!(answer.starts_with("40{"), "{answer}");
                    accepted += 1;
                    peer.say("41").await;
                }
                Ok(None) => break,
                Err(_nothing_came) => {}
            }
        }
    };
    timeout(Duration::from_secs(5), ended).await.expect("it goes on");
    // The session itself and its further CONNECTs, and one that the time until then gave back.
    assert!((3..=6).contains(&accepted), "{accepted} times");
    let opened = http::request(server.addr, "GET", POLLING, None, None)
        .await
        .unwrap();
    assert_eq!(opened.status, 429);
    is_sound(&server);
}
