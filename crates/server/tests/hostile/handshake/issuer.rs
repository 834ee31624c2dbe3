//! An issuer of keys over HTTP that does what it is told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// What it does with whoever asks.
#[derive(Debug, Clone)]
pub(super) enum Behaviour {
    /// Gives these keys.
    Publish(Vec<Value>),
    /// Answers with these bytes, and closes.
    Say(String),
    /// Takes the request and says nothing.
    Hang,
    /// Begins an answer that never ends.
    Drip,
}

/// Listens until it is dropped.
pub(super) struct Issuer {
    pub(super) addr: SocketAddr,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    asked: usize,
}

impl Issuer {
    pub(super) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { behaviour, asked: 0 }));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let state = state.clone();
            async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let behaviour = {
                        let mut state = state.lock();
                        state.asked += 1;
                        state.behaviour.clone()
                    };
                    connections.spawn(serve(stream, behaviour));
                }
            }
        });
        Self {
            addr,
            state,
            _tasks: tasks,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/jwks.json", self.addr)
    }

    pub(super) fn now(&self, behaviour: Behaviour) {
        self.state.lock().behaviour = behaviour;
    }

    /// How many connections it took.
    pub(super) fn asked(&self) -> usize {
        self.state.lock().asked
    }
}

/// An answer with a status and a body.
pub(super) fn answer(status: &str, body: &str) -> String {
    let head = "Content-Type: application/json\r\nConnection: close";
    format!(
        "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour) {
    let _ = stream.read(&mut [0; 4096]).await;
    let text = match behaviour {
        Behaviour::Publish(keys) => answer("200 OK", &json!({"keys": keys}).to_string()),
        Behaviour::Say(text) => text,
        Behaviour::Hang => return sleep(Duration::from_mins(1)).await,
        Behaviour::Drip => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"keys\":[";
            let _ = stream.write_all(head).await;
            while stream.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
            return;
        }
    };
    let _ = stream.write_all(text.as_bytes()).await;
}
