//! The Socket.IO client against a tiny server.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed check ends the test"
)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use sealroom_testkit::client::{Client, ClientError, Kind, RawClient, RawFrame, Received, http};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

type Peer = WebSocketStream<TcpStream>;

/// A listener, and where.
async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Connects a client, and gives the server's end of the connection behind the handshake.
async fn connected() -> (Client, Peer) {
    let (listener, addr) = listen().await;
    let (client, peer) = tokio::join!(Client::connect(addr, "secret"), async {
        let mut peer = greeted(&listener).await;
        assert_eq!(next_text(&mut peer).await, r#"40{"token":"secret"}"#);
        // What follows at once must not be lost.
        peer.feed(text(r#"40{"sid":"s"}"#)).await.unwrap();
        send(&mut peer, r#"42["early",1]"#).await;
        peer
    });
    let client = client.unwrap();
    assert_eq!(client.connect_ack(), &json!({"sid": "s"}));
    assert_eq!(client.next_event("early").await, Ok(json!(1)));
    (client, peer)
}

/// Accepts a WebSocket and sends Engine.IO's open packet.
async fn greeted(listener: &TcpListener) -> Peer {
    let (tcp, _) = listener.accept().await.unwrap();
    let mut peer = accept_async(tcp).await.unwrap();
    send(
        &mut peer,
        r#"0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#,
    )
    .await;
    peer
}

fn text(frame: &str) -> Message {
    Message::Text(frame.into())
}

async fn send(peer: &mut Peer, frame: &str) {
    peer.send(text(frame)).await.unwrap();
}

async fn next_text(peer: &mut Peer) -> String {
    match peer.next().await {
        Some(Ok(Message::Text(text))) => text.as_str().into(),
        other => panic!("expected a text, got {other:?}"),
    }
}

/// Answers each `42<id>["echo",X]` by an event with X and then the ack with X, until the client goes.
async fn echo(mut peer: Peer) {
    while let Some(Ok(Message::Text(frame))) = peer.next().await {
        let Some(packet) = frame.strip_prefix("42") else {
            continue;
        };
        let (id, args) = packet.split_at(packet.find('[').unwrap());
        let args: Vec<Value> = serde_json::from_str(args).unwrap();
        peer.feed(text(&format!(r#"42["echoed",{}]"#, args[1])))
            .await
            .unwrap();
        send(&mut peer, &format!("43{id}[{}]", args[1])).await;
    }
}

#[tokio::test]
async fn events_and_acks_are_recorded_in_their_order() {
    let (client, peer) = connected().await;
    let _server = JoinSet::from_iter([echo(peer)]);
    for number in 0..3 {
        let ack = client.emit_with_ack("echo", json!({"n": number})).await;
        assert_eq!(ack, Ok(json!({"n": number})));
    }
    let kinds: Vec<Kind> = client.received().iter().map(Received::kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::Event,
            Kind::Event,
            Kind::Ack(0),
            Kind::Event,
            Kind::Ack(1),
            Kind::Event,
            Kind::Ack(2)
        ]
    );
    for number in 0..3 {
        assert_eq!(client.next_event("echoed").await, Ok(json!({"n": number})));
    }
    let none = client
        .next_event_within("echoed", Duration::from_millis(20))
        .await;
    assert_eq!(none, Ok(None));
    assert_eq!(client.events().len(), 4);
    assert_eq!(client.take_received().len(), 7);
    assert!(client.received().is_empty());
    client.emit("echo", "\"no ack asked\"");
    assert_eq!(client.next_event("echoed").await, Ok(json!("no ack asked")));
}

#[tokio::test]
async fn many_requests_are_in_flight_at_once() {
    let (client, peer) = connected().await;
    let _server = JoinSet::from_iter([echo(peer)]);
    let requests: Vec<_> = (0..1_000)
        .map(|number| client.request("echo", json!(number)))
        .collect();
    for (number, request) in requests.into_iter().enumerate() {
        assert_eq!(request.answer().await, Ok(json!(number)));
    }
    let echoed: Vec<Value> = client
        .events()
        .iter()
        .filter(|event| event.is_event("echoed"))
        .map(Received::payload)
        .collect();
    assert_eq!(echoed, (0..1_000).map(Value::from).collect::<Vec<_>>());
    let args = client.request_args("echo", &[json!(1), json!("two")]);
    assert_eq!(args.received().await.unwrap().frame(), "431000[1]");
}

#[tokio::test]
async fn an_observer_gets_everything_instead_of_the_record() {
    let (listener, addr) = listen().await;
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let builder = Client::builder(addr).token("t").observer(move |received| {
        counter.fetch_add(usize::from(received.is_event("echoed")), Ordering::SeqCst);
    });
    let (client, peer) = tokio::join!(builder.connect(), async {
        let mut peer = greeted(&listener).await;
        next_text(&mut peer).await;
        send(&mut peer, "40{}").await;
        peer
    });
    let client = client.unwrap();
    let _server = JoinSet::from_iter([echo(peer)]);
    for _ in 0..10 {
        client.emit_with_ack("echo", "null").await.unwrap();
    }
    assert_eq!(seen.load(Ordering::SeqCst), 10);
    assert!(client.received().is_empty());
}

#[tokio::test]
async fn a_refusal_has_the_servers_message() {
    let (listener, addr) = listen().await;
    let (refused, ()) = tokio::join!(Client::builder(addr).connect(), async {
        let mut peer = greeted(&listener).await;
        assert_eq!(next_text(&mut peer).await, "40");
        send(&mut peer, r#"44{"message":"token_missing"}"#).await;
    });
    let refused = refused.unwrap_err();
    assert!(refused.refused);
    assert_eq!(refused.message, "token_missing");
}

#[tokio::test]
async fn a_handshake_that_http_refuses_has_a_status() {
    let (listener, addr) = listen().await;
    let (refused, ()) = tokio::join!(Client::connect(addr, "t"), async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4_096];
        let _ = tcp.read(&mut request).await.unwrap();
        let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        tcp.write_all(answer.as_bytes()).await.unwrap();
    });
    let refused = refused.unwrap_err();
    assert_eq!((refused.status, refused.refused), (Some(503), false));
    let (listener, addr) = listen().await;
    drop(listener);
    assert!(!Client::connect(addr, "t").await.unwrap_err().refused);
}

#[tokio::test]
async fn pings_are_answered() {
    let (client, mut peer) = connected().await;
    for _ in 0..3 {
        send(&mut peer, "2").await;
        assert_eq!(next_text(&mut peer).await, "3");
    }
    assert_eq!(client.closed(), None);
}

#[tokio::test]
async fn raw_frames_leave_as_they_are() {
    let (client, mut peer) = connected().await;
    client.raw("42{\"not\":\"an event\"}");
    client.raw_binary([1, 2, 3]);
    assert_eq!(next_text(&mut peer).await, "42{\"not\":\"an event\"}");
    assert_eq!(
        peer.next().await.unwrap().unwrap(),
        Message::Binary(vec![1, 2, 3].into())
    );
    peer.send(Message::Binary(vec![0; 7].into())).await.unwrap();
    send(&mut peer, r#"42["after"]"#).await;
    client.next_event("after").await.unwrap();
    assert!(
        client
            .received()
            .iter()
            .any(|received| received.kind() == Kind::Binary(7))
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_fills_the_pipe() {
    const FRAMES: usize = 400;
    let (client, mut peer) = connected().await;
    client.pause_reading();
    // Lets the task of the connection see it.
    tokio::task::yield_now().await;
    let frame = format!(r#"42["big","{}"]"#, "x".repeat(100_000));
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let mut server = JoinSet::new();
    server.spawn(async move {
        for _ in 0..FRAMES {
            send(&mut peer, &frame).await;
            counter.fetch_add(1, Ordering::SeqCst);
        }
        peer
    });
    // Sending goes on meanwhile.
    client.emit("still", "1");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stuck = written.load(Ordering::SeqCst);
    assert!(stuck < FRAMES, "the server could write everything");
    assert!(client.events().len() <= 2, "one frame may have been on its way");
    client.resume_reading();
    for _ in 0..FRAMES {
        client.next_event("big").await.unwrap();
    }
    let mut peer = server.join_next().await.unwrap().unwrap();
    assert_eq!(next_text(&mut peer).await, r#"42["still",1]"#);
}

#[tokio::test]
async fn a_killed_client_resets_its_connection() {
    for paused in [false, true] {
        let (client, mut peer) = connected().await;
        if paused {
            client.pause_reading();
        }
        client.kill().await;
        let end = timeout(Duration::from_secs(5), peer.next()).await.unwrap();
        let reset = matches!(&end, Some(Err(Error::Io(error)))
            if error.kind() == std::io::ErrorKind::ConnectionReset);
        assert!(reset, "{end:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_says_so() {
    let (client, mut peer) = connected().await;
    let (left, ()) = tokio::join!(client.disconnect(), async {
        assert_eq!(next_text(&mut peer).await, "41");
        assert!(matches!(peer.next().await, Some(Ok(Message::Close(_)))));
        // The reply leaves with the next read.
        assert!(peer.next().await.is_none());
    });
    left.unwrap();
}

#[tokio::test]
async fn a_dropped_client_is_gone() {
    let (client, mut peer) = connected().await;
    drop(client);
    let end = timeout(Duration::from_secs(5), peer.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
}

#[tokio::test]
async fn the_end_of_the_connection_ends_every_wait() {
    let (client, mut peer) = connected().await;
    let pending = client.request("never", "null");
    let reason = CloseFrame {
        code: CloseCode::Policy,
        reason: "enough".into(),
    };
    let (event, ()) = tokio::join!(client.next_event("never"), async {
        send(&mut peer, "41").await;
        peer.close(Some(reason)).await.unwrap();
    });
    assert_eq!(event, Err(ClientError::Closed));
    assert_eq!(pending.answer().await, Err(ClientError::Closed));
    let late = client.emit_with_ack("late", "null").await;
    assert_eq!(late, Err(ClientError::Closed));
    let closed = client.wait_closed().await.unwrap();
    assert_eq!((closed.code, &*closed.reason), (Some(1008), "enough"));
    let received = client.received();
    let last: Vec<Kind> = received.iter().rev().take(2).map(Received::kind).collect();
    assert_eq!(last, [Kind::Closed, Kind::Disconnect]);
}

#[tokio::test]
async fn a_raw_client_does_nothing_by_itself() {
    let (listener, addr) = listen().await;
    let (client, mut peer) = tokio::join!(RawClient::connect(addr), greeted(&listener));
    let mut client = client.unwrap();
    assert!(client.next_text().await.unwrap().starts_with("0{"));
    send(&mut peer, "2").await;
    assert_eq!(client.next_text().await.unwrap(), "2");
    client.send("40{}").await.unwrap();
    assert_eq!(next_text(&mut peer).await, "40{}", "there was no pong before");
    client.send_binary([9]).await.unwrap();
    assert_eq!(
        peer.next().await.unwrap().unwrap(),
        Message::Binary(vec![9].into())
    );
    // A frame with a reserved opcode: not a WebSocket any more.
    client.send_bytes(&[0x83, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert!(matches!(peer.next().await, Some(Err(Error::Protocol(_)))));
    drop(peer);
    assert_eq!(client.next().await.unwrap(), RawFrame::Close(None));
}

#[tokio::test]
async fn http_requests_carry_what_they_are_given() {
    let (listener, addr) = listen().await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut requests = Vec::new();
        for _ in 0..2 {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let length = tcp.read(&mut request).await.unwrap();
            requests.push(String::from_utf8(request[..length].to_vec()).unwrap());
            let answer = "HTTP/1.1 201 Created\r\nLocation: /x\r\nContent-Length: 8\r\n\r\n{\"a\": 1}";
            tcp.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    let created = http::request(addr, "POST", "/groups", Some("t"), Some(json!({"name": "x"})))
        .await
        .unwrap();
    assert_eq!((created.status, created.json()), (201, json!({"a": 1})));
    assert_eq!(created.header("location"), Some("/x"));
    http::request(addr, "GET", "/me?x=1", None, None).await.unwrap();
    let requests = server.join_next().await.unwrap().unwrap();
    assert_eq!(
        requests[0],
        format!(
            "POST /groups HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nAuthorization: Bearer t\r\n\
             Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{{\"name\":\"x\"}}"
        )
    );
    assert_eq!(
        requests[1],
        format!("GET /me?x=1 HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    );
}
