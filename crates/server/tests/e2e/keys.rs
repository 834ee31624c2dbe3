//! Whose tokens are accepted, and what they must say.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;
use sealroom_testkit::client::{Client, ConnectError, http};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    common::{Store, TestServer},
    signer::{Signer, claims, in_seconds},
    world::{World, succeed, verdict},
};

/// The variable of the secret, which the tests' server has unless they say otherwise.
const NO_SECRET: (&str, &str) = ("SEALROOM_JWT_SECRET", "");

fn key_file(directory: &Path, signers: &[Signer]) -> String {
    let path = directory.join("keys.pem");
    let pem: String = signers.iter().map(Signer::pem).collect();
    std::fs::write(&path, pem).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What connecting and HTTP say to a token, which is the same.
async fn heard(addr: SocketAddr, token: &str) -> String {
    let code = match Client::connect(addr, token).await {
        Ok(_) => String::new(),
        Err(ConnectError {
            refused: true,
            message,
            ..
        }) => message,
        Err(error) => panic!("{error}"),
    };
    let me = http::request(addr, "GET", "/api/v1/me", Some(token), None)
        .await
        .unwrap();
    assert_eq!(verdict(&me).1, code, "over HTTP");
    code
}

on_each_store!(tokens_of_an_outside_issuer_open_what_is_theirs);
async fn tokens_of_an_outside_issuer_open_what_is_theirs(store: Store) {
    let directory = tempfile::tempdir().unwrap();
    let signers = Signer::public();
    let path = key_file(directory.path(), &signers);
    let keys = ("SEALROOM_JWT_PUBLIC_KEY_FILE", &*path);
    let alone = TestServer::start_on(store, &[keys, NO_SECRET]).await;
    let beside = TestServer::start_on(store, &[keys]).await;
    let secret = Signer::Hs256(beside.secret.clone());
    for signer in &signers {
        let algorithm = signer.algorithm();
        for server in [&alone, &beside] {
            assert_eq!(
                heard(server.addr, &signer.token(&claims(5))).await,
                "",
                "{algorithm}"
            );
            // The public key is no secret that anybody could sign with.
            let forged = Signer::Hs256(signer.pem()).token(&claims(5));
            assert_eq!(heard(server.addr, &forged).await, "token_invalid", "{algorithm}");
            let mislabelled = signer.token_with(&json!({"alg": "HS256"}), &claims(5));
            assert_eq!(
                heard(server.addr, &mislabelled).await,
                "token_invalid",
                "{algorithm}"
            );
        }
        let ended = json!({"user_id": 5, "exp": in_seconds(-1)});
        assert_eq!(
            heard(alone.addr, &signer.token(&ended)).await,
            "token_expired",
            "{algorithm}"
        );
    }
    for stranger in Signer::public() {
        let token = stranger.token(&claims(5));
        assert_eq!(
            heard(alone.addr, &token).await,
            "token_invalid",
            "{}",
            stranger.algorithm()
        );
    }
    // A secret opens only where it is set as well.
    assert_eq!(
        heard(alone.addr, &secret.token(&claims(5))).await,
        "token_invalid"
    );
    assert_eq!(heard(beside.addr, &secret.token(&claims(5))).await, "");
    // Their scope counts as that of any other token.
    let mut admin = claims(1_000_000);
    admin["scope"] = json!("read admin write");
    let token = signers[2].token(&admin);
    let put = http::request(
        alone.addr,
        "PUT",
        "/api/v1/groups/1",
        Some(&token),
        Some(json!({"name": "g"})),
    );
    assert_eq!(put.await.unwrap().status, 201);
    let generated = alone.data_dir.path().join("jwt-secret");
    assert!(!generated.exists(), "a secret that opens nothing was generated");
}

on_each_store!(claims_are_held_to_the_rules);
async fn claims_are_held_to_the_rules(store: Store) {
    let settings = [
        ("SEALROOM_JWT_ISSUER", "https://issuer.example"),
        ("SEALROOM_JWT_AUDIENCE", "chat"),
        ("SEALROOM_JWT_USER_CLAIM", "uid"),
    ];
    let server = TestServer::start_on(store, &settings).await;
    let signer = Signer::Hs256(server.secret.clone());
    let with = |more: Value| {
        let mut claims = json!({
            "uid": 5, "user_id": 6, "exp": in_seconds(600), "iss": "https://issuer.example", "aud": ["other", "chat"],
        });
        for (key, value) in more.as_object().unwrap() {
            claims[key] = value.clone();
        }
        // A claim that is to be absent.
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| *value != json!("absent"));
        signer.token(&claims)
    };
    for good in [
        json!({}),
        json!({"aud": "chat", "sub": "6", "jti": "x", "iat": in_seconds(0), "nbf": in_seconds(0)}),
        json!({"iat": in_seconds(3), "nbf": in_seconds(3)}),
        json!({"uid": 9_007_199_254_740_991_u64, "user_id": "x"}),
    ] {
        assert_eq!(heard(server.addr, &with(good.clone())).await, "", "{good}");
    }
    let me = http::request(server.addr, "GET", "/api/v1/me", Some(&with(json!({}))), None)
        .await
        .unwrap();
    assert_eq!(me.json()["user_id"], 5);
    for bad in [
        json!({"iss": "https://other.example"}),
        json!({"iss": "absent"}),
        json!({"aud": "other"}),
        json!({"aud": "absent"}),
        json!({"uid": "absent"}),
        json!({"uid": "5"}),
        json!({"uid": 5.0}),
        json!({"uid": [5]}),
        json!({"uid": true}),
        json!({"uid": 0}),
        json!({"uid": -5}),
        json!({"uid": 9_007_199_254_740_992_u64}),
        json!({"exp": "absent"}),
        json!({"exp": "5000000000"}),
        json!({"nbf": in_seconds(60)}),
        json!({"iat": in_seconds(60)}),
        json!({"name": 5}),
        json!({"scope": ["admin"]}),
    ] {
        assert_eq!(
            heard(server.addr, &with(bad.clone())).await,
            "token_invalid",
            "{bad}"
        );
    }
    for ended in [json!({"exp": in_seconds(0)}), json!({"exp": in_seconds(-3)})] {
        assert_eq!(
            heard(server.addr, &with(ended.clone())).await,
            "token_expired",
            "{ended}"
        );
    }
}

on_each_store!(users_are_made_known_by_the_host_where_tokens_do_not);
async fn users_are_made_known_by_the_host_where_tokens_do_not(store: Store) {
    let world = World::start_with(store, &[("SEALROOM_PROVISION_USERS", "off")]).await;
    assert_eq!(heard(world.addr(), &world.token(5)).await, "token_invalid");
    let put = world
        .admin("PUT", "/users/5", json!({"display_name": "Five"}))
        .await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(heard(world.addr(), &world.token(5)).await, "");
    assert_eq!(heard(world.addr(), &world.token(6)).await, "token_invalid");
    world.group(1, [5]).await;
    let unknown = world.admin("PUT", "/groups/1/members/6", None).await;
    assert_eq!(verdict(&unknown), (404, "not_found".into()));
    let unknown = json!({"name": "g", "members": [6]});
    assert_eq!(
        verdict(&world.user(5, "POST", "/groups", unknown).await),
        (404, "not_found".into())
    );
}

/// An issuer that publishes its keys over HTTP.
struct Issuer {
    addr: SocketAddr,
    published: Arc<Mutex<Value>>,
    /// Ends with the issuer.
    _tasks: JoinSet<()>,
}

impl Issuer {
    async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let published = Arc::new(Mutex::new(json!({"keys": keys})));
        let (mut tasks, to_publish) = (JoinSet::new(), published.clone());
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let body = to_publish.lock().to_string();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
                let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self {
            addr,
            published,
            _tasks: tasks,
        }
    }

    fn publish(&self, keys: &[Value]) {
        *self.published.lock() = json!({"keys": keys});
    }
}

on_each_store!(
    keys_that_an_issuer_publishes_rotate_without_a_restart,
    worker_threads = 2
);
async fn keys_that_an_issuer_publishes_rotate_without_a_restart(store: Store) {
    let (old, new) = (Signer::eddsa(), Signer::eddsa());
    let by = |signer: &Signer, kid: &str| signer.token_with(&json!({"alg": "EdDSA", "kid": kid}), &claims(5));
    let issuer = Issuer::start(&[old.listed("old")]).await;
    let url = format!("http://{}/jwks.json", issuer.addr);
    let server = TestServer::start_on(store, &[("SEALROOM_JWKS_URL", &url), NO_SECRET]).await;
    connected(server.addr, &by(&old, "old")).await;
    assert_eq!(heard(server.addr, &by(&new, "old")).await, "token_invalid");
    issuer.publish(&[new.listed("new")]);
    assert_eq!(heard(server.addr, &by(&new, "new")).await, "");
    assert_eq!(heard(server.addr, &by(&old, "old")).await, "token_invalid");
}

on_each_store!(a_rotation_costs_no_connection_and_no_message, worker_threads = 2);
async fn a_rotation_costs_no_connection_and_no_message(store: Store) {
    const USERS: u64 = 20;
    const EACH: usize = 60;
    let (old, new) = (Signer::eddsa(), Signer::eddsa());
    let issuer = Issuer::start(&[old.listed("old")]).await;
    let url = format!("http://{}/jwks.json", issuer.addr);
    let world = World::start_with(store, &[("SEALROOM_JWKS_URL", &url)]).await;
    world.group(1, 1..=USERS).await;
    let token = |signer: &Signer, kid: &str, user_id| {
        signer.token_with(&json!({"alg": "EdDSA", "kid": kid}), &claims(user_id))
    };
    let mut clients = Vec::new();
    for user_id in 1..=USERS {
        let client = connected(world.addr(), &token(&old, "old", user_id)).await;
        succeed(&client, "join_group", json!({"group_id": 1})).await;
        clients.push(client);
    }
    let talking = async {
        for round in 0..EACH {
            let message = json!({"group_id": 1, "encrypted_content": round.to_string()});
            let sends: Vec<_> = clients
                .iter()
                .map(|client| client.request("send_message", &message))
                .collect();
            for send in sends {
                assert_eq!(send.answer().await.unwrap()["success"], true);
            }
        }
    };
    let rotating = async {
        // Both for a while, as issuers do it.
        issuer.publish(&[old.listed("old"), new.listed("new")]);
        for user_id in 1..=USERS {
            for (signer, kid) in [(&new, "new"), (&old, "old")] {
                assert_eq!(
                    heard(world.addr(), &token(signer, kid, user_id)).await,
                    "",
                    "{kid}"
                );
            }
        }
        for (client, user_id) in clients.iter().zip(1..) {
            let next = json!({"token": token(&new, "new", user_id)});
            succeed(client, "refresh_token", next).await;
        }
    };
    tokio::join!(talking, rotating);
    let expected = usize::try_from(USERS).unwrap() * EACH;
    for client in &clients {
        assert_eq!(client.closed(), None);
        for _ in 0..expected {
            client.next_event("new_message").await.unwrap();
        }
    }
}

/// A client that comes again where the keys were not fetched yet.
async fn connected(addr: SocketAddr, token: &str) -> Client {
    let begin = Instant::now();
    loop {
        match Client::connect(addr, token).await {
            Ok(client) => return client,
            Err(error) => {
                assert!(
                    !error.refused && begin.elapsed() < Duration::from_secs(5),
                    "{error}"
                );
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}
