//! A WebSocket broadcast, and nothing else: no token, no membership, no JSON, no store, no heartbeat. What it costs is
//! what the sockets cost.
//!
//! It speaks the part of Sealroom's protocol that the load generator needs, by looking for the two numbers and the content
//! of each request where the load generator puts them.

#![expect(
    clippy::disallowed_methods,
    reason = "its tasks are only waited for by the end of the process"
)]
#![expect(
    clippy::print_stdout,
    reason = "whoever starts it waits for the line with its address"
)]

use std::{collections::HashMap, sync::Arc};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
};
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// What is queued at once is written at once.
const AT_ONCE: usize = 64;
/// The buffer of what was read.
const READ_BYTES: usize = 4096;

#[derive(Default)]
struct Group {
    head: u64,
    members: Vec<UnboundedSender<Bytes>>,
}

type Groups = Arc<Mutex<HashMap<u64, Arc<Mutex<Group>>>>>;

/// An event with its ack id.
struct Request<'a> {
    ack: &'a str,
    group_id: u64,
    content: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Reads `42ACK["NAME",{"group_id":GROUP,"encrypted_content":"CONTENT"}]`.
    fn read(text: &'a str) -> Option<Self> {
        let (ack, event) = text.strip_prefix("42")?.split_once('[')?;
        let (_, after) = event.split_once("\"group_id\":")?;
        let end = after.find([',', '}'])?;
        let content = after
            .split_once("\"encrypted_content\":\"")
            .and_then(|(_, content)| Some(content.split_once('"')?.0));
        Some(Self {
            ack,
            group_id: after.get(..end)?.parse().ok()?,
            content,
        })
    }
}

/// A text frame, RFC 6455, section 5.2; none is as long as 64 KiB.
fn frame(text: &str) -> anyhow::Result<Bytes> {
    let mut frame = Vec::with_capacity(text.len() + 4);
    frame.push(0x81);
    match u8::try_from(text.len()) {
        Ok(length) if length < 126 => frame.push(length),
        _ => {
            frame.push(126);
            frame.extend(u16::try_from(text.len())?.to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    Ok(frame.into())
}

fn serve(request: &Request<'_>, groups: &Groups, own: &UnboundedSender<Bytes>) -> anyhow::Result<()> {
    let Request {
        ack,
        group_id,
        content,
    } = *request;
    let group = groups.lock().entry(group_id).or_default().clone();
    let mut group = group.lock();
    let answer = if let Some(content) = content {
        group.head += 1;
        let message = format!(
            "{{\"id\":{0},\"group_id\":{group_id},\"sender_id\":1,\"sender_name\":\"Unknown\",\"encrypted_content\":\"{content}\",\
             \"timestamp\":\"2026-01-15T10:30:00.000Z\",\"seq\":{0},\"client_message_id\":null,\"key_epoch\":null}}",
            group.head
        );
        let event = frame(&format!("42[\"new_message\",{message}]"))?;
        // Whoever has gone gets nothing any more.
        group.members.retain(|member| member.send(event.clone()).is_ok());
        format!("43{ack}[{{\"success\":true,\"message\":{message},\"duplicate\":false}}]")
    } else {
        group.members.push(own.clone());
        format!(
            "43{ack}[{{\"success\":true,\"group_id\":{group_id},\"head_seq\":{}}}]",
            group.head
        )
    };
    own.send(frame(&answer)?)?;
    Ok(())
}

/// Reads on one handle of the socket, and writes on another: what is written needs no library, and wakes no reader.
async fn connection(stream: TcpStream, groups: Groups) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let writer = TcpStream::from_std(stream.try_clone()?)?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
    let mut socket = accept_async_with_config(TcpStream::from_std(stream)?, Some(config)).await?;
    let (own, queue) = mpsc::unbounded_channel();
    tokio::spawn(write(writer, queue));
    let open = "0{\"sid\":\"raw\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":131072}";
    own.send(frame(open)?)?;
    while let Some(came) = socket.next().await {
        match came? {
            Message::Text(came) if came.starts_with("40") => own.send(frame("40{\"sid\":\"raw\"}")?)?,
            Message::Text(came) => {
                let request = Request::read(&came).context("another request")?;
                serve(&request, &groups, &own)?;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn write(mut stream: TcpStream, mut queue: UnboundedReceiver<Bytes>) -> std::io::Result<()> {
    let (mut frames, mut several) = (Vec::new(), Vec::new());
    while queue.recv_many(&mut frames, AT_ONCE).await > 0 {
        if let [frame] = &frames[..] {
            stream.write_all(frame).await?;
        } else {
            several.clear();
            for frame in &frames {
                several.extend_from_slice(frame);
            }
            stream.write_all(&several).await?;
        }
        frames.clear();
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let groups = Groups::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let groups = groups.clone();
        tokio::spawn(async move {
            // A client that is gone, or none of ours.
            let _ = connection(stream, groups).await;
        });
    }
}
