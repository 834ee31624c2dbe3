//! The fetch over HTTP, from a server that answers as it is told.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use sealroom_auth::{
    Algorithm, FetchError, FetchJwks, FetchedJwks, HttpJwks, IssuerKeys, IssuerOptions, MAX_JWKS_BYTES,
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use super::fake::{set, verdict, verifier_of};
use crate::signer::Signer;

/// Answers each path with bytes; an unknown path is never answered.
pub(super) struct Server {
    pub(super) address: String,
    pub(super) requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let answers = Arc::new(answers);
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                connections.spawn(async move { serve(stream, &*answers, &seen).await });
            }
        });
        Self {
            address,
            requests,
            _tasks: tasks,
        }
    }

    async fn fetch(&self, path: &str) -> Result<FetchedJwks, FetchError> {
        HttpJwks::new(&format!("{}{path}", self.address))
            .unwrap()
            .fetch()
            .await
    }
}

/// Reads one request and answers it. The client may have heard enough before the answer is all sent.
pub(super) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: &(dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync),
    seen: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    seen.lock().push(request);
    match answers(&path) {
        Some(answer) => {
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
        None => std::future::pending().await,
    }
}

pub(super) fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(super) fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

pub(super) fn word(outcome: &Result<FetchedJwks, FetchError>) -> String {
    match outcome {
        Ok(fetched) => format!("{} bytes", fetched.body.len()),
        Err(FetchError::Status { status }) => format!("status {status}"),
        Err(FetchError::TooLarge) => "too large".to_owned(),
        Err(FetchError::Failed { .. }) => "failed".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn answers_of_every_kind() {
    let server = Server::start(|path| {
        let chunked = |count: usize| {
            let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
                chunk.repeat(count)
            )
            .into_bytes()
        };
        Some(match path {
            "/keys" => ok("", b"{}"),
            "/keys?tenant=5" => ok("", b"tenant"),
            "/longest" => ok("", &vec![b' '; MAX_JWKS_BYTES]),
            "/too-long" => ok("", &vec![b' '; MAX_JWKS_BYTES + 1]),
            "/claims-to-be-huge" => b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx".to_vec(),
            "/chunks" => chunked(2),
            "/endless-chunks" => chunked(10_000),
            "/cut" => b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx".to_vec(),
            "/closed" => Vec::new(),
            "/no-http" => b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
            "/long-header" => ok(&format!("x: {}\r\n", "x".repeat(1_000_000)), b"{}"),
            "/created" => b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
            "/no-content" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            "/error" => b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
            "/moved" => redirect("/keys"),
            "/moved-3" => redirect("/moved-2"),
            "/moved-2" => redirect("/moved"),
            "/moved-4" => redirect("/moved-3"),
            "/loop" => redirect("/loop"),
            "/to-file" => redirect("file:///etc/passwd"),
            "/to-data" => redirect("data:application/json,%7B%7D"),
            "/to-nowhere" => redirect("http://127.0.0.1:1/keys"),
            "/without-location" => b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
            _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        })
    })
    .await;
    for (path, expected) in [
        ("/keys", "2 bytes"),
        ("/keys?tenant=5", "6 bytes"),
        ("/longest", "262144 bytes"),
        ("/too-long", "too large"),
        ("/claims-to-be-huge", "failed"),
        ("/chunks", "16384 bytes"),
        ("/endless-chunks", "too large"),
        ("/cut", "failed"),
        ("/closed", "failed"),
        ("/no-http", "failed"),
        ("/long-header", "failed"),
        ("/created", "status 201"),
        ("/no-content", "status 204"),
        ("/error", "status 500"),
        ("/unknown", "status 404"),
        ("/moved", "2 bytes"),
        ("/moved-3", "2 bytes"),
        ("/moved-4", "failed"),
        ("/loop", "failed"),
        ("/to-file", "status 302"),
        ("/to-data", "status 302"),
        ("/to-nowhere", "failed"),
        ("/without-location", "status 302"),
    ] {
        let outcome = server.fetch(path).await;
        assert_eq!(word(&outcome), expected, "{path}: {outcome:?}");
        // What an issuer sent, or where, is in no error.
        if let Err(error) = outcome {
            let text = format!("{error} {error:?}");
            assert!(
                !text.contains("127.0.0.1:1/") && !text.contains("passwd"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_request_asks_and_says_nothing_else() {
    let server =
        Server::start(|_| Some(ok("cache-control: max-age=600\r\nset-cookie: a=b\r\n", b"{}"))).await;
    let client = HttpJwks::new(&format!("{}/keys", server.address)).unwrap();
    assert!(client.is_unprotected());
    for _ in 0..2 {
        let fetched = client.fetch().await.unwrap();
        assert_eq!(fetched.max_age, Some(Duration::from_mins(10)));
    }
    let requests = server.requests.lock().clone();
    assert_eq!(requests.len(), 2);
    for request in requests {
        let mut names: Vec<String> = request
            .lines()
            .skip(1)
            .filter_map(|line| Some(line.split_once(':')?.0.to_ascii_lowercase()))
            .collect();
        names.sort();
        assert!(request.starts_with("GET /keys HTTP/1.1\r\n"), "{request}");
        assert_eq!(names, ["accept", "host", "user-agent"], "{request}");
    }
}

/// The clock jumps as soon as nothing else happens: an issuer that never answers costs no real time here.
#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_or_never_ends_is_given_up_after_5_s() {
    let server = Server::start(|_| None).await;
    let start = tokio::time::Instant::now();
    assert_eq!(word(&server.fetch("/keys").await), "failed");
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = HttpJwks::new(&format!("http://{address}/keys")).unwrap();
    assert_eq!(word(&client.fetch().await), "failed");
}

#[tokio::test]
async fn keys_rotate_over_http() {
    let [old, new] = Signer::two(Algorithm::Es256);
    let published = Arc::new(Mutex::new(vec![old.listed("old")]));
    let answer = Arc::clone(&published);
    let server =
        Server::start(move |_| Some(ok("content-type: application/json\r\n", &set(&answer.lock())))).await;
    let keys = IssuerKeys::start(
        HttpJwks::new(&format!("{}/.well-known/jwks.json", server.address)).unwrap(),
        &IssuerOptions::default(),
    );
    assert!(!keys.is_ready());
    let verifier = verifier_of(keys.into());
    assert_eq!(verdict(&verifier, &old.named("old")).await, "ok");
    *published.lock() = vec![new.listed("new"), json!({"kty": "oct"})];
    assert_eq!(verdict(&verifier, &new.named("new")).await, "ok");
    assert_eq!(verdict(&verifier, &old.named("old")).await, "invalid");
    assert_eq!(server.requests.lock().len(), 2);
}
