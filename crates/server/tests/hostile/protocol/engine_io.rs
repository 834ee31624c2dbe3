//! Sessions of Engine.IO that are used by more than one, or after their end.

use std::time::Duration;

use futures_util::future::join_all;
use sealroom_testkit::client::http::request_with;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{POLLING, Polling, WEBSOCKET, refusal, sid};
use crate::{
    peer::{Came, Peer},
    target::{ALICE, GROUP, MALLORY, Target},
    world::{send, succeed},
};

/// A message without an ack.
fn message(content: &str) -> String {
    let message = json!(["send_message", {"group_id": GROUP, "encrypted_content": content}]);
    format!("42{message}")
}

/// What was stored of the messages, by their contents.
async fn contents(target: &Target) -> Vec<String> {
    let log = target.world.log(GROUP).await;
    log.iter()
        .filter_map(|entry| entry["encrypted_content"].as_str().map(ToOwned::to_owned))
        .collect()
}

pub(super) async fn pr_4_two_polls_at_once(target: &mut Target) {
    let witness = target.world.joined(ALICE, GROUP).await;
    for _ in 0..5 {
        let session = Polling::connected(target, MALLORY).await;
        let other = Polling::connected(target, MALLORY).await;
        // Both wait, whichever comes first: one is refused, and the session ends, which the other one hears.
        let (first, second) = tokio::join!(session.get(), session.get());
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{} {}", first.text(), second.text());
        assert!(session.is_over().await);
        // The user's other session goes on.
        other.post("420[\"get_entries\",{\"group_id\":1}]").await;
        other.packet("430[{\"success\":true").await;
        other.post("1").await;
    }
    send(&witness, GROUP, "not disturbed").await;
    assert_eq!(witness.closed(), None);
}

pub(super) async fn pr_5_posts_at_once_and_after_the_end(target: &mut Target) {
    // Many at once, as many as may wait for their acks: each event is answered once.
    let session = Polling::connected(target, MALLORY).await;
    let posts = (0..12).map(|post| {
        let events = (0..5).map(|event| {
            let id = post * 5 + event;
            format!("42{id}[\"send_message\",{{\"group_id\":1,\"encrypted_content\":\"{id}\"}}]")
        });
        session.post(events.collect::<Vec<_>>().join("\u{1e}"))
    });
    for posted in join_all(posts).await {
        assert_eq!((posted.status, &*posted.text()), (200, "ok"));
    }
    let mut acks = Vec::new();
    while acks.len() < 60 {
        let came = session.get().await;
        assert_eq!(came.status, 200, "{}", came.text());
        let came = came.text();
        for packet in came.split('\u{1e}') {
            if let Some((id, _)) = packet
                .strip_prefix("43")
                .and_then(|ack| ack.split_once("[{\"success\":true"))
            {
                acks.push(id.parse::<u32>().unwrap());
            }
        }
    }
    acks.sort_unstable();
    assert!(acks.into_iter().eq(0..60));
    assert_eq!(contents(target).await.len(), 60);

    // After the end.
    assert_eq!(session.post("1").await.status, 200);
    assert!(session.is_over().await);
    assert_eq!(
        refusal(&session.post(message("after the end")).await),
        (400, "1".into())
    );
    // Behind the end, in the same body.
    let session = Polling::connected(target, MALLORY).await;
    session
        .post(format!("1\u{1e}{}", message("behind the end")))
        .await;
    assert!(session.is_over().await);

    // While a body still comes the user is cut off: what was whole before counts, and nothing that comes later.
    let session = Polling::connected(target, MALLORY).await;
    let [first, second] = ["before", "revoked"].map(message);
    let mut peer = Peer::connect(target.addr()).await;
    let length = first.len() + 1 + second.len();
    let path = session.path();
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{first}\u{1e}");
    peer.write(head.as_bytes()).await;
    while !contents(target).await.contains(&"before".to_owned()) {
        sleep(Duration::from_millis(10)).await;
    }
    let revoked = target
        .world
        .admin("POST", &format!("/users/{MALLORY}/revoke"), None)
        .await;
    assert_eq!(revoked.status, 204, "{}", revoked.text());
    while !session.is_over().await {
        sleep(Duration::from_millis(10)).await;
    }
    peer.write(second.as_bytes()).await;
    let (status, body) = peer.answer().await;
    println!(
        "the rest of a body of a session that is over: {status:?} {:?}",
        String::from_utf8_lossy(&body)
    );
    let stored = contents(target).await;
    assert_eq!(
        (stored.len(), stored.last().unwrap().as_str()),
        (61, "before"),
        "{stored:?}"
    );
}

/// Over polling a session id is a bearer secret, as the protocol has it. It is told once, to its own client.
pub(super) async fn pr_6_session_ids(target: &mut Target) {
    let witness = target.world.joined(ALICE, GROUP).await;
    let session = Polling::open(target.addr()).await;
    let connect = format!("40{}", json!({"token": target.world.token(MALLORY)}));
    session.post(connect).await;
    let mut heard = session.packet("40").await;
    // The answer to CONNECT is its client's own.
    heard.retain(|packet| !packet.starts_with("40"));
    for event in [
        "420[\"join_group\",{\"group_id\":1}]",
        "421[\"send_message\",{\"group_id\":1,\"encrypted_content\":\"x\"}]",
        "422[\"nothing\",{}]",
        "423[\"send_message\",{\"group_id\":\"x\"}]",
        "424[\"typing\",{\"group_id\":1,\"is_typing\":true}]",
    ] {
        session.post(event).await;
        heard.extend(session.packet(&format!("43{}", &event[2..3])).await);
    }
    witness.next_event("new_message").await.unwrap();
    for received in witness.take_received() {
        heard.push(received.frame().to_string());
    }
    let [first, log] = ["/groups/1/members", "/groups/1/entries"].map(str::to_owned);
    for path in [first, log, "/me".into()] {
        let answer = target.world.user(ALICE, "GET", &path, None::<Value>).await;
        heard.push(answer.text());
        heard.extend(answer.headers.into_iter().map(|(_, value)| value));
    }
    heard.push(target.world.server.log());
    for text in heard {
        assert!(!text.contains(&session.sid), "{text}");
    }

    // A page of another origin does not get in with it, whatever it asks.
    for origin in ["https://evil.example", "null"] {
        let evil = [("Origin", origin)];
        for method in ["GET", "POST"] {
            let body = message("hijacked");
            let answer = request_with(target.addr(), method, &session.path(), &evil, body.as_bytes())
                .await
                .unwrap();
            assert_eq!(answer.status, 403, "{method} {origin}");
        }
        let mut peer = Peer::connect(target.addr()).await;
        let answer = peer.ask_upgrade_with(&session.upgrade(), &evil).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin}: {answer}");
    }

    // The id of a WebSocket opens nothing for anybody, and its session goes on.
    let mut websocket = Peer::connect(target.addr()).await;
    websocket.upgrade(WEBSOCKET).await;
    let Came::Text(open) = websocket.next().await else {
        panic!("no open packet");
    };
    let stolen = sid(&open);
    let connect = format!("40{}", json!({"token": target.world.token(MALLORY)}));
    websocket.say(&connect).await;
    let connected = websocket.packet().await;
    assert!(connected.starts_with("40"), "{connected}");
    for _ in 0..3 {
        for method in ["GET", "POST"] {
            let path = format!("{POLLING}&sid={stolen}");
            let body = message("hijacked");
            let answer = request_with(target.addr(), method, &path, &[], body.as_bytes())
                .await
                .unwrap();
            assert_eq!(refusal(&answer), (400, "3".to_owned()), "{method}");
        }
        let mut peer = Peer::connect(target.addr()).await;
        let answer = peer.ask_upgrade(&format!("{WEBSOCKET}&sid={stolen}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    websocket.say("427[\"get_entries\",{\"group_id\":1}]").await;
    assert!(websocket.packet().await.starts_with("437[{\"success\":true"));
    let own = Polling {
        server: target.addr(),
        sid: session.sid.clone(),
    };
    own.post("428[\"get_entries\",{\"group_id\":1}]").await;
    own.packet("438[{\"success\":true").await;
    assert_eq!(contents(target).await, ["x"]);
    succeed(&witness, "get_entries", json!({"group_id": GROUP})).await;
}
