//! A group chat with socketioxide, and nothing behind it: tokens and memberships are checked, messages get their number
//! from a counter, and nothing is stored. Handlers are spawned, as the library does it for all that are async.
//!
//! It speaks the part of Sealroom's protocol that the load generator needs.

#![expect(
    clippy::print_stdout,
    reason = "whoever starts it waits for the line with its address"
)]

use std::{
    collections::{HashMap, HashSet},
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::put,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef, State as Shared, TryData},
    handler::ConnectHandler,
};
use tokio::net::TcpListener;

#[derive(Debug, Default)]
struct Group {
    head: AtomicU64,
    members: RwLock<HashSet<u64>>,
}

#[derive(Clone)]
struct Chat {
    key: DecodingKey,
    validation: Validation,
    groups: Arc<RwLock<HashMap<u64, Arc<Group>>>>,
    last_id: Arc<AtomicU64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Claims {
    user_id: u64,
    #[serde(default = "unknown")]
    name: String,
    #[serde(default)]
    scope: String,
}

#[derive(Debug, Deserialize)]
struct Credentials {
    token: String,
}

#[derive(Debug, Deserialize)]
struct Join {
    group_id: u64,
}

#[derive(Debug, Deserialize)]
struct Send {
    group_id: u64,
    encrypted_content: String,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    id: u64,
    group_id: u64,
    sender_id: u64,
    sender_name: &'a str,
    encrypted_content: &'a str,
    timestamp: &'a str,
    seq: u64,
    client_message_id: Option<&'a str>,
    key_epoch: Option<u64>,
}

fn unknown() -> String {
    "Unknown".to_owned()
}

impl Chat {
    fn verify(&self, token: &str) -> Option<Claims> {
        jsonwebtoken::decode(token, &self.key, &self.validation)
            .ok()
            .map(|token| token.claims)
    }

    /// The group, where this user is its member.
    fn group_of(&self, group_id: u64, user_id: u64) -> Option<Arc<Group>> {
        let group = self.groups.read().get(&group_id).cloned()?;
        let is_member = group.members.read().contains(&user_id);
        is_member.then_some(group)
    }
}

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("token_invalid")
    }
}

async fn authenticate(
    socket: SocketRef,
    Shared(chat): Shared<Chat>,
    TryData(credentials): TryData<Credentials>,
) -> Result<(), Refused> {
    let credentials = credentials.map_err(|_no_token| Refused)?;
    let claims = chat.verify(&credentials.token).ok_or(Refused)?;
    socket.extensions.insert(claims);
    Ok(())
}

fn not_a_member() -> Value {
    json!({"success": false, "error": "Not a member of this group", "code": "not_a_member", "retryable": false})
}

fn room(group_id: u64) -> String {
    format!("group_{group_id}")
}

async fn join_group(socket: SocketRef, Shared(chat): Shared<Chat>, Data(join): Data<Join>, ack: AckSender) {
    let Some(claims) = socket.extensions.get::<Claims>() else {
        return;
    };
    let answer = match chat.group_of(join.group_id, claims.user_id) {
        Some(group) => {
            socket.join(room(join.group_id));
            let head = group.head.load(Ordering::Relaxed);
            json!({"success": true, "group_id": join.group_id, "head_seq": head})
        }
        None => not_a_member(),
    };
    let _ = ack.send(&answer);
}

async fn send_message(socket: SocketRef, Shared(chat): Shared<Chat>, Data(send): Data<Send>, ack: AckSender) {
    let Some(claims) = socket.extensions.get::<Claims>() else {
        return;
    };
    let Some(group) = chat.group_of(send.group_id, claims.user_id) else {
        let _ = ack.send(&not_a_member());
        return;
    };
    let message = Message {
        id: chat.last_id.fetch_add(1, Ordering::Relaxed) + 1,
        group_id: send.group_id,
        sender_id: claims.user_id,
        sender_name: &claims.name,
        encrypted_content: &send.encrypted_content,
        timestamp: "2026-01-15T10:30:00.000Z",
        seq: group.head.fetch_add(1, Ordering::Relaxed) + 1,
        client_message_id: None,
        key_epoch: None,
    };
    // To everybody in the room, the sender included.
    let _ = socket
        .within(room(send.group_id))
        .emit("new_message", &message)
        .await;
    let _ = ack.send(&json!({"success": true, "message": message, "duplicate": false}));
}

fn is_admin(chat: &Chat, headers: &HeaderMap) -> bool {
    let token = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    token
        .and_then(|token| chat.verify(token))
        .is_some_and(|claims| claims.scope == "admin")
}

async fn put_group(State(chat): State<Chat>, headers: HeaderMap, Path(group_id): Path<u64>) -> StatusCode {
    if !is_admin(&chat, &headers) {
        return StatusCode::FORBIDDEN;
    }
    chat.groups.write().entry(group_id).or_default();
    StatusCode::OK
}

async fn put_member(
    State(chat): State<Chat>,
    headers: HeaderMap,
    Path((group_id, user_id)): Path<(u64, u64)>,
) -> StatusCode {
    if !is_admin(&chat, &headers) {
        return StatusCode::FORBIDDEN;
    }
    let group = chat.groups.write().entry(group_id).or_default().clone();
    group.members.write().insert(user_id);
    StatusCode::OK
}

#[expect(clippy::disallowed_methods, reason = "it is a program, like the server")]
fn secret() -> Result<String, env::VarError> {
    env::var("PEER_SECRET")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let secret = secret()?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp"]);
    let chat = Chat {
        key: DecodingKey::from_secret(secret.as_bytes()),
        validation,
        groups: Arc::default(),
        last_id: Arc::default(),
    };
    let (layer, io) = SocketIo::builder().with_state(chat.clone()).build_layer();
    let connected = async |socket: SocketRef| {
        socket.on("join_group", join_group);
        socket.on("send_message", send_message);
    };
    io.ns("/", connected.with(authenticate));
    let app = Router::new()
        .route("/api/v1/groups/{group_id}", put(put_group))
        .route("/api/v1/groups/{group_id}/members/{user_id}", put(put_member))
        .with_state(chat)
        .layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
