//! What proxies say, and who may say it.

use std::time::Duration;

use sealroom_testkit::client::http::{self, HttpResponse};
use serde_json::{Value, json};

use super::sockets::Session;
use crate::{
    common::{Store, TestServer},
    peer::{Came, Peer},
    target::{GROUP, MALLORY, Target, eventually},
};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
/// A new handshake each second, and so many at once.
const RATE: (&str, &str) = ("SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS", "1:8");

async fn handshake(server: &TestServer, headers: &[(&str, &str)]) -> u16 {
    http::request_with(server.addr, "GET", POLLING, headers, b"")
        .await
        .unwrap()
        .status
}

/// Opens sessions until no more are given to these headers' address.
async fn exhaust(server: &TestServer, headers: &[(&str, &str)]) {
    for _ in 0..60 {
        match handshake(server, headers).await {
            200 => {}
            429 => return,
            other => panic!("{headers:?}: {other}"),
        }
    }
    panic!("{headers:?} are never too many");
}

/// Whether these headers come from an address that was exhausted just now. One more may have become free by now, so
/// several are asked for; a new address would get all of them.
async fn is_exhausted(server: &TestServer, headers: &[(&str, &str)]) -> bool {
    let mut refused = false;
    for _ in 0..4 {
        refused |= handshake(server, headers).await == 429;
    }
    refused
}

async fn start(target: &Target, settings: &[(&str, &str)]) -> TestServer {
    let store = match target.world.server.database() {
        Some(_) => Store::Postgres,
        None => Store::Sqlite,
    };
    TestServer::start_on(store, settings).await
}

pub(super) async fn tl_1_nobody_is_believed(target: &mut Target) {
    // By default nobody is a proxy, and with others named, this peer is none.
    for settings in [
        &[RATE][..],
        &[RATE, ("SEALROOM_TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1,::1")],
    ] {
        let server = start(target, settings).await;
        exhaust(&server, &[]).await;
        for headers in [
            &[("X-Forwarded-For", "203.0.113.9")][..],
            &[("X-Forwarded-For", "10.0.0.1")],
            &[("X-Forwarded-For", "203.0.113.9, 10.0.0.1")],
            &[
                ("X-Forwarded-For", "203.0.113.9"),
                ("X-Forwarded-For", "10.0.0.1"),
            ],
            &[("Forwarded", "for=203.0.113.9;proto=https")],
            &[("X-Real-IP", "203.0.113.9")],
            &[("X-Client-IP", "203.0.113.9")],
            &[("True-Client-IP", "203.0.113.9")],
            &[("CF-Connecting-IP", "203.0.113.9")],
            &[
                ("X-Forwarded-Host", "203.0.113.9"),
                ("X-Forwarded-Proto", "https"),
            ],
        ] {
            assert!(is_exhausted(&server, headers).await, "{headers:?}");
        }
    }
    // Scheme and host of a stranger change no answer.
    let token = target.world.token(MALLORY);
    let bearer = format!("Bearer {token}");
    let body = json!({"name": "one"}).to_string();
    for (name, value) in [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Original-URL", "/healthz"),
        ("X-Rewrite-URL", "/healthz"),
        ("X-HTTP-Method-Override", "GET"),
        ("Forwarded", "for=1.2.3.4;host=evil.example;proto=https"),
    ] {
        let headers = [
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
            (name, value),
        ];
        let made = http::request_with(target.addr(), "POST", "/api/v1/groups", &headers, body.as_bytes())
            .await
            .unwrap();
        let group = made.json()["group_id"].as_u64().unwrap();
        let told = (
            made.status,
            made.header("Location"),
            made.header("Strict-Transport-Security"),
        );
        assert_eq!(
            told,
            (201, Some(&*format!("/api/v1/groups/{group}")), None),
            "{name}: {made:?}"
        );
        let answer = HttpResponse::text(&made);
        assert!(!answer.contains("evil"), "{name}: {answer}");
    }
}

pub(super) async fn tl_2_the_last_address_that_is_no_proxy_counts(target: &mut Target) {
    let proxies = ("SEALROOM_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8, fd00::/8");
    let server = start(target, &[RATE, proxies]).await;
    let many = |address: &str, count: usize| vec![address; count].join(", ");
    let long_junk = format!("{}, 198.51.100.1", "x".repeat(10_000));
    // What stands in front of an address that nobody vouches for is not looked at.
    let client = [("X-Forwarded-For", "198.51.100.1")];
    for chain in [
        "198.51.100.1",
        " 198.51.100.1 ",
        "198.51.100.1:4711",
        "[::ffff:198.51.100.1]:443",
        "::ffff:198.51.100.1",
        "203.0.113.5, 198.51.100.1",
        "10.9.9.9, 198.51.100.1",
        "unknown, 198.51.100.1",
        "' OR 1=1 --, <script>, 198.51.100.1, 10.1.2.3",
        "198.51.100.1, 10.1.2.3",
        "198.51.100.1, 10.1.2.3:80, [fd00::1]:80, fd00::2",
        &many("203.0.113.7", 500).replace("203.0.113.7, 203.0.113.7", "203.0.113.7, 198.51.100.1"),
        &long_junk,
    ] {
        exhaust(&server, &client).await;
        assert!(
            is_exhausted(&server, &[("X-Forwarded-For", chain)]).await,
            "{chain}"
        );
    }
    let twice = [
        ("X-Forwarded-For", "203.0.113.6"),
        ("X-Forwarded-For", "198.51.100.1"),
    ];
    exhaust(&server, &client).await;
    assert!(
        is_exhausted(&server, &twice).await,
        "several headers are one chain"
    );

    // Another client is another one.
    exhaust(&server, &client).await;
    for chain in [
        "198.51.100.2",
        "198.51.100.1, 198.51.100.3",
        "2001:db8:0:1::1",
        "[2001:db8:0:2::1]:443",
    ] {
        assert!(
            !is_exhausted(&server, &[("X-Forwarded-For", chain)]).await,
            "{chain}"
        );
    }
    // With IPv6 a network of 64 bits is one.
    exhaust(&server, &[("X-Forwarded-For", "2001:db8:0:3::1")]).await;
    for (chain, is_same) in [
        ("2001:db8:0:3:ffff::2", true),
        ("[2001:db8:0:3::9]:1", true),
        ("2001:db8:0:4::1", false),
    ] {
        exhaust(&server, &[("X-Forwarded-For", "2001:db8:0:3::1")]).await;
        assert_eq!(
            is_exhausted(&server, &[("X-Forwarded-For", chain)]).await,
            is_same,
            "{chain}"
        );
    }

    // What a proxy writes and is no address is the proxy's own.
    for junk in [
        "",
        ",",
        "unknown",
        "_hidden",
        "198.51.100.8, ",
        "198.51.100.8, unknown",
        "198.51.100.8, 256.1.1.1",
        "198.51.100.8, 10.0.0.1.5",
        "198.51.100.8, [::1",
        "198.51.100.8, 1.2.3.4:99999",
        "198.51.100.8, \u{ff11}.2.3.4",
        "127.0.0.1",
        &"x".repeat(10_000),
    ] {
        exhaust(&server, &[]).await;
        assert!(
            is_exhausted(&server, &[("X-Forwarded-For", junk)]).await,
            "{junk}"
        );
    }
    // A chain of proxies alone is not followed for ever, and costs nothing that shows.
    let endless = format!("198.51.100.9, {}", many("10.0.0.2", 4000));
    exhaust(&server, &[("X-Forwarded-For", "10.0.0.2")]).await;
    assert!(is_exhausted(&server, &[("X-Forwarded-For", &endless)]).await);
}

/// nginx itself, with the documented configuration, is played by `operation::nginx`; here is what lets any proxy work.
pub(super) async fn tl_6_upgrades_that_are_left(target: &mut Target) {
    // A proxy cuts what is silent for a minute: a ping comes before.
    let open = http::request(target.addr(), "GET", POLLING, None, None)
        .await
        .unwrap()
        .text();
    let open: Value = serde_json::from_str(&open[1..]).unwrap();
    assert_eq!(
        (&open["pingInterval"], &open["pingTimeout"]),
        (&json!(25_000), &json!(20_000)),
        "{open}"
    );

    let before = target.connections();
    let token = target.world.token(MALLORY);
    let (mut session, sid) = Session::polling(target.addr(), &[]).await;
    session.connect(&token).await;
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
    // Left after the answer, and after the probe; the third is a proxy that does not relay an upgrade.
    let mut silent = Peer::connect(target.addr()).await;
    silent.upgrade(&path).await;
    let (mut second, other) = Session::polling(target.addr(), &[]).await;
    second.connect(&token).await;
    let mut probed = Peer::connect(target.addr()).await;
    probed
        .upgrade(&format!("/socket.io/?EIO=4&transport=websocket&sid={other}"))
        .await;
    probed.say("2probe").await;
    assert_eq!(probed.next().await, Came::Text("3probe".into()));
    let (mut third, plain) = Session::polling(target.addr(), &[]).await;
    third.connect(&token).await;
    let relayed = format!("/socket.io/?EIO=4&transport=websocket&sid={plain}");
    let answer = http::request_with(
        target.addr(),
        "GET",
        &relayed,
        &[("Sec-WebSocket-Version", "13")],
        b"",
    )
    .await;
    assert_eq!(answer.unwrap().status, 400);

    // That one polls on as if nothing had been.
    let mut refusals = super::refusals::Refusals::default();
    let message = json!(["send_message", {"group_id": GROUP, "encrypted_content": "x"}]);
    third.succeed(message, &mut refusals).await;
    // The others are reclaimed within the 10 s of an upgrade, and a little.
    for peer in [&mut silent, &mut probed] {
        peer.closed(Duration::from_secs(14)).await;
    }
    drop((silent, probed));
    eventually(Duration::from_secs(5), "the connections are given back", || {
        target.connections() <= before
    })
    .await;
}
