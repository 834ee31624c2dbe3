//! What a token needs to be checked is away: nobody comes in, and nobody is told to stay away for good.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use sealroom_testkit::client::{Client, http};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use super::{
    USER, answered, heard, is_sound,
    issuer::{Behaviour, Issuer, answer},
    signer, store,
};
use crate::{
    common::{Store, TestServer},
    signer::{Signer, claims},
    target::{MALLORY, Target},
    world::verdict,
};

const SECOND: Duration = Duration::from_secs(1);

/// A client that comes again where the keys are not there yet.
pub(super) async fn comes_in(server: SocketAddr, token: &str) {
    let begin = Instant::now();
    while let Err(error) = Client::connect(server, token).await {
        assert!(!error.refused && begin.elapsed() < 8 * SECOND, "{error}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Not let in and not refused: the transport is closed without `CONNECT_ERROR`, and HTTP says to come again.
async fn nobody_knows(server: SocketAddr, token: &str, why: &str) {
    let begin = Instant::now();
    let me = http::request(server, "GET", "/api/v1/me", Some(token), None);
    let (socket, me) = tokio::join!(Client::connect(server, token), me);
    let error = socket.expect_err(why);
    assert!(!error.refused, "{why}: {error}");
    let me = me.unwrap();
    assert_eq!(verdict(&me), (503, "unavailable".to_owned()), "{why}");
    assert!(me.header("Retry-After").is_some(), "{why}: {me:?}");
    assert!(begin.elapsed() < 8 * SECOND, "{why}: {:?}", begin.elapsed());
}

pub(super) async fn hs_24_an_issuer_that_does_not_answer(target: &mut Target) {
    match store(target) {
        // The store has no part in it, and these are many servers.
        Store::Sqlite => the_issuer_is_away().await,
        Store::Postgres => the_users_are_away(target).await,
    }
}

async fn the_issuer_is_away() {
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(4 << 20));
    let symmetric = json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "k", "alg": "HS256"}]}).to_string();
    let cut = answer(
        "200 OK",
        &json!({"keys": [Signer::eddsa().listed("k")]}).to_string(),
    );
    let behaviours = [
        ("it takes the request and is silent", Behaviour::Hang),
        ("it never ends", Behaviour::Drip),
        (
            "an error",
            Behaviour::Say(answer("500 Internal Server Error", "{}")),
        ),
        ("not there", Behaviour::Say(answer("404 Not Found", "<html>"))),
        (
            "a page",
            Behaviour::Say(answer("200 OK", "<html>sign in first</html>")),
        ),
        ("no list", Behaviour::Say(answer("200 OK", "{\"keys\":5}"))),
        ("no keys", Behaviour::Publish(Vec::new())),
        ("a secret for all", Behaviour::Say(answer("200 OK", &symmetric))),
        ("far too much", Behaviour::Say(answer("200 OK", &long))),
        ("cut off", Behaviour::Say(cut[..cut.len() - 20].to_owned())),
        ("no HTTP", Behaviour::Say("\u{0}\u{1}\u{2}\r\n\r\n".into())),
        ("nothing", Behaviour::Say(String::new())),
        (
            "a way to itself",
            Behaviour::Say("HTTP/1.1 302 Found\r\nLocation: /jwks.json\r\nContent-Length: 0\r\n\r\n".into()),
        ),
    ];
    let mut servers = JoinSet::new();
    for (why, behaviour) in behaviours {
        let issuer = Issuer::start(behaviour).await;
        let server = TestServer::start_with(&[("SEALROOM_JWKS_URL", &issuer.url())]);
        servers.spawn(async move {
            let key = Signer::eddsa();
            let token = |kid: &str| key.token_with(&json!({"alg": "EdDSA", "kid": kid}), &claims(USER));
            nobody_knows(server.addr, &token("k"), why).await;
            // What the secret beside it opens stays open, and what it does not open stays shut.
            let secret = Signer::Hs256(server.secret.clone());
            assert_eq!(
                heard(server.addr, &secret.token(&claims(USER))).await,
                "",
                "{why}"
            );
            let forged = Signer::Hs256(key.pem()).token(&claims(USER));
            assert_eq!(heard(server.addr, &forged).await, "token_invalid", "{why}");
            // It is asked again by itself.
            issuer.now(Behaviour::Publish(vec![key.listed("k")]));
            if why == "an error" {
                comes_in(server.addr, &token("k")).await;
                assert_eq!(heard(server.addr, &token("k")).await, "");
            }
            is_sound(&server);
        });
    }
    while let Some(server) = servers.join_next().await {
        server.unwrap();
    }

    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{nobody}/jwks.json");
    let server = TestServer::start_with(&[("SEALROOM_JWKS_URL", &url)]);
    let token = Signer::eddsa().token(&claims(USER));
    nobody_knows(server.addr, &token, "nobody listens").await;
    is_sound(&server);
}

/// The store does not say whether a token was taken back, for as long as somebody else holds its table.
async fn the_users_are_away(target: &Target) {
    let database = target.world.server.database().unwrap();
    let good = signer(target).token(&claims(MALLORY));
    let other = database.client().await;
    other
        .batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    nobody_knows(target.addr(), &good, "the table of users is locked").await;
    // What needs no store is told at once.
    let begin = Instant::now();
    assert_eq!(
        answered(target.addr(), json!({"token": format!("{good}A")})).await,
        "token_invalid"
    );
    assert!(begin.elapsed() < 2 * SECOND);
    other.batch_execute("ROLLBACK").await.unwrap();
    comes_in(target.addr(), &good).await;
}
