//! The keys of an outside issuer rotate while clients chat: no connection is lost, and each token works in its time.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed check ends the test"
)]

#[expect(dead_code, reason = "each test binary uses its part")]
mod common;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealroom_domain::ports::Clock as _;
use sealroom_server::clock::SystemClock;
use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use common::TestServer;

const SENDERS: i64 = 20;
/// The server fetches ahead of time at most so often.
const NEXT_FETCH: Duration = Duration::from_secs(10);

/// A key of the issuer, under its name.
struct Key {
    kid: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid, pair }
    }

    fn jwk(&self) -> Value {
        // The last 64 bytes of the point are its coordinates (SEC 1, section 2.3.3).
        let point = self.pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y})
    }

    fn token(&self, user_id: i64, scope: Option<&str>) -> String {
        let now = SystemClock.now().whole_seconds();
        let header = json!({"alg": "ES256", "kid": self.kid});
        let mut claims = json!({"user_id": user_id, "iat": now, "exp": now + 600});
        if let Some(scope) = scope {
            claims["scope"] = scope.into();
        }
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// An issuer that publishes what the test says; `None` while it is down.
#[derive(Clone, Default)]
struct Issuer {
    set: Arc<Mutex<Option<String>>>,
    fetches: Arc<Mutex<usize>>,
}

impl Issuer {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let issuer = self.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let set = issuer.set.lock().unwrap().clone();
                *issuer.fetches.lock().unwrap() += 1;
                // A connection that is dropped is an issuer that is down.
                let Some(set) = set else { continue };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{set}",
                    set.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    fn publish(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        *self.set.lock().unwrap() = Some(json!({"keys": keys}).to_string());
    }

    fn go_down(&self) {
        *self.set.lock().unwrap() = None;
    }
}

/// Sockets that send for as long as they live, and what became of each send.
struct Load {
    clients: Vec<Arc<Client>>,
    sending: Vec<tokio::task::JoinHandle<usize>>,
    stop: Arc<Mutex<bool>>,
}

impl Load {
    async fn start(server: &TestServer, key: &Key) -> Self {
        let stop = Arc::new(Mutex::new(false));
        let (mut clients, mut sending) = (Vec::new(), Vec::new());
        for user_id in 1..=SENDERS {
            let client = Client::connect(server.addr, &key.token(user_id, None))
                .await
                .unwrap();
            let client = Arc::new(client);
            clients.push(client.clone());
            let stop = stop.clone();
            sending.push(tokio::spawn(async move {
                let mut sent = 0;
                while !*stop.lock().unwrap() {
                    let message = json!({"group_id": 1, "encrypted_content": "x"});
                    let ack = client.emit_with_ack("send_message", message).await.unwrap();
                    assert_eq!(ack["success"], true, "{ack}");
                    sent += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                sent
            }));
        }
        Self {
            clients,
            sending,
            stop,
        }
    }

    async fn refresh(&self, key: &Key) {
        for (user_id, client) in (1..).zip(&self.clients) {
            let token = json!({"token": key.token(user_id, None)});
            let ack = client.emit_with_ack("refresh_token", token).await.unwrap();
            assert_eq!(ack["success"], true, "{ack}");
        }
    }

    async fn end(self) -> usize {
        *self.stop.lock().unwrap() = true;
        let mut sent = 0;
        for task in self.sending {
            sent += task.await.unwrap();
        }
        for client in &self.clients {
            assert_eq!(client.closed(), None, "a connection was lost");
        }
        sent
    }
}

async fn connects(server: &TestServer, token: &str) -> bool {
    match Client::connect(server.addr, token).await {
        Ok(_client) => true,
        Err(error) => {
            assert!(error.refused, "{error}");
            assert_eq!(error.message, "token_invalid");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_load_and_no_connection_is_lost() {
    let (old, new, made_up) = (Key::new("old"), Key::new("new"), Key::new("made-up"));
    let issuer = Issuer::default();
    issuer.publish(&[&old]);
    let url = issuer.start().await;
    let server = TestServer::start_with(&[("SEALROOM_JWKS_URL", &url)]);
    let admin = old.token(1000, Some("admin"));
    let call = async |method: &str, path: String, body: Value| {
        let answer = http::request(server.addr, method, &path, Some(&admin), Some(body))
            .await
            .unwrap();
        assert!(answer.status < 300, "{path}: {}", answer.text());
    };
    call("PUT", "/api/v1/groups/1".into(), json!({"name": "g"})).await;
    for user_id in 1..=SENDERS {
        call("PUT", format!("/api/v1/groups/1/members/{user_id}"), json!({})).await;
    }
    let load = Load::start(&server, &old).await;

    // Both are listed: a token of the new one makes the server look, and both work.
    issuer.publish(&[&old, &new]);
    let looked_at = Instant::now();
    assert!(connects(&server, &new.token(1, None)).await);
    assert!(connects(&server, &old.token(2, None)).await);
    load.refresh(&new).await;

    // The old one is gone from the set: it ends with the next look, which no flood of unknown names brings about
    // before its time.
    issuer.publish(&[&new]);
    let fetched = *issuer.fetches.lock().unwrap();
    for _ in 0..50 {
        assert!(!connects(&server, &made_up.token(1, None)).await);
    }
    assert!(*issuer.fetches.lock().unwrap() <= fetched + 1);
    while looked_at.elapsed() < NEXT_FETCH + Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!connects(&server, &made_up.token(1, None)).await);
    assert!(
        !connects(&server, &old.token(1, None)).await,
        "the issuer no longer lists it"
    );
    assert!(connects(&server, &new.token(1, None)).await);

    // An issuer that is down changes nothing for the keys that are known.
    issuer.go_down();
    assert!(connects(&server, &new.token(3, None)).await);
    let sent = load.end().await;
    assert!(sent > 1000, "only {sent} messages: that is no load");
}
