//! Requests to a real server, which answers byte by byte what a test wants.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::time::Duration;

use sealroom_hooks::{Answer, HttpPost, Post as _, RetryAfter, SignedRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::task::TaskTracker;

fn request() -> SignedRequest {
    SignedRequest {
        id: "msg_5_7_1_message".to_owned(),
        timestamp: 1_614_265_330,
        signature: "v1,aaaa v1,bbbb".to_owned(),
        body: br#"{"type":"message.created"}"#.to_vec(),
    }
}

/// Reads one request, head and body.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        if stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
        let so_far = String::from_utf8(text.clone()).unwrap();
        if so_far.contains("\r\n\r\n") && so_far.ends_with('}') {
            return Some(so_far);
        }
    }
}

/// A server that gives this answer to each request of each connection; the requests, by connection.
async fn server(answer: impl Into<Vec<u8>>) -> (String, JoinHandle<Vec<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in?key=SECRET", listener.local_addr().unwrap());
    let answer = answer.into();
    let task = TaskTracker::new().spawn(async move {
        let mut connections = Vec::new();
        // Until nobody comes any more.
        while let Ok(accepted) = timeout(Duration::from_millis(700), listener.accept()).await {
            let (mut stream, _) = accepted.unwrap();
            let mut requests = Vec::new();
            while let Ok(Some(request)) = timeout(Duration::from_millis(300), read(&mut stream)).await {
                requests.push(request);
                // The client may hang up on a long answer.
                let _ = stream.write_all(&answer).await;
            }
            connections.push(requests);
        }
        connections
    });
    (url, task)
}

#[tokio::test]
async fn the_request_as_it_is_on_the_wire() {
    let (url, server) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let post = HttpPost::new(&url).unwrap();
    assert!(post.is_unprotected());
    for _ in 0..2 {
        let answer = post.post(&request()).await.unwrap();
        assert_eq!(
            answer,
            Answer {
                status: 200,
                retry_after: None
            }
        );
    }
    let connections = server.await.unwrap();
    assert_eq!(connections.len(), 1, "the connection is used again");
    assert_eq!(connections[0].len(), 2);
    let text = &connections[0][0];
    assert!(text.starts_with("POST /in?key=SECRET HTTP/1.1\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n{\"type\":\"message.created\"}"), "{text}");
    for header in [
        "content-type: application/json",
        "webhook-id: msg_5_7_1_message",
        "webhook-timestamp: 1614265330",
        "webhook-signature: v1,aaaa v1,bbbb",
        concat!("user-agent: sealroom/", env!("CARGO_PKG_VERSION")),
        "content-length: 26",
    ] {
        assert!(text.contains(&format!("\r\n{header}\r\n")), "{header}\n{text}");
    }
}

#[tokio::test]
async fn every_status_is_an_answer_and_redirects_are_not_followed() {
    for (head, status, retry_after) in [
        ("HTTP/1.1 204 No Content\r\n", 204, None),
        (
            "HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n",
            301,
            None,
        ),
        (
            "HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n",
            307,
            None,
        ),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n", 410, None),
        (
            "HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 0\r\n",
            429,
            Some(7),
        ),
        (
            "HTTP/1.1 503 No\r\nretry-after: soon\r\ncontent-length: 0\r\n",
            503,
            None,
        ),
    ] {
        let (url, server) = server(format!("{head}\r\n")).await;
        let answer = HttpPost::new(&url).unwrap().post(&request()).await.unwrap();
        let retry_after = retry_after.map(|seconds| RetryAfter::Delay(Duration::from_secs(seconds)));
        assert_eq!(answer, Answer { status, retry_after });
        let requests: usize = server.await.unwrap().iter().map(Vec::len).sum();
        assert_eq!(requests, 1, "{head}");
    }
}

#[tokio::test]
async fn long_endless_and_broken_bodies_change_nothing() {
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}",
        "x".repeat(1 << 20)
    );
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx";
    let broken = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    for answer in [long.as_str(), endless, broken] {
        let (url, server) = server(answer).await;
        let asked = Instant::now();
        let answer = HttpPost::new(&url).unwrap().post(&request()).await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(asked.elapsed() < Duration::from_secs(5));
        server.abort();
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_address() {
    // Nobody listens there any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/in?key=SECRET", listener.local_addr().unwrap());
    drop(listener);
    let (nonsense, server) = server("what?\r\n\r\n").await;
    for url in [nobody, nonsense] {
        let error = HttpPost::new(&url).unwrap().post(&request()).await.unwrap_err();
        let mut text = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            text = format!("{text} {error}");
            source = error.source();
        }
        assert!(!text.contains("SECRET"), "{text}");
    }
    server.abort();
}
