//! Clients that write and ask all the time, and note every answer.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::world::World;

/// Everything is answered within 5 s; a busy machine is a little late.
pub(crate) const LATEST: Duration = Duration::from_millis(5_500);

/// Sends of a group that are in flight.
const IN_FLIGHT: u64 = 4;

/// `unavailable`, with the time after which a retry makes sense.
pub(crate) fn is_refused_for_now(ack: &Value) -> bool {
    (&ack["success"], &ack["code"], &ack["retryable"]) == (&json!(false), &json!("unavailable"), &json!(true))
        && ack["retry_after_ms"].as_u64() > Some(0)
}

/// One send, which may be a retry.
pub(crate) struct Sent {
    pub(crate) group_id: u64,
    pub(crate) id: String,
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    pub(crate) ack: Value,
}

/// One HTTP call.
pub(crate) struct Called {
    pub(crate) path: &'static str,
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// Everything that was asked and answered.
#[derive(Default)]
pub(crate) struct Noted {
    pub(crate) sent: Vec<Sent>,
    pub(crate) called: Vec<Called>,
}

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Noted>,
}

impl Load {
    /// In each group its first member writes, and somebody calls each of the paths.
    pub(crate) async fn start(world: &World, groups: &[u64], paths: &[&'static str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for group_id in groups {
            let client = Arc::new(world.socket(*group_id).await);
            for line in 0..IN_FLIGHT {
                tasks.spawn(write(client.clone(), *group_id, line, stop.clone()));
            }
        }
        for path in paths {
            let token = world.token(groups[0]);
            tasks.spawn(call(world.addr(), path, token, stop.clone()));
        }
        Self { stop, tasks }
    }

    /// Waits until what was begun is done.
    pub(crate) async fn stop(self) -> Noted {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Noted::default();
        for noted in self.tasks.join_all().await {
            all.sent.extend(noted.sent);
            all.called.extend(noted.called);
        }
        all
    }
}

/// Sends one message after the other, each until it is acknowledged.
async fn write(client: Arc<Client>, group_id: u64, line: u64, stop: Arc<AtomicBool>) -> Noted {
    let mut noted = Noted::default();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = format!("{line}-{number}");
        number += 1;
        let message = json!({
            "group_id": group_id, "encrypted_content": format!("content of {id}"), "client_message_id": id,
        });
        loop {
            let begin = Instant::now();
            let ack = client.emit_with_ack("send_message", &message).await.unwrap();
            let is_stored = ack["success"] == true;
            noted.sent.push(Sent {
                group_id,
                id: id.clone(),
                begin,
                end: Instant::now(),
                ack,
            });
            if is_stored {
                break;
            }
            // Sooner than it was asked to: the time until the server works again is measured.
            sleep(Duration::from_millis(50)).await;
        }
        sleep(Duration::from_millis(5)).await;
    }
    noted
}

async fn call(server: SocketAddr, path: &'static str, token: String, stop: Arc<AtomicBool>) -> Noted {
    let mut noted = Noted::default();
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let answer = http::request(server, "GET", path, Some(&token), None)
            .await
            .unwrap();
        noted.called.push(Called {
            path,
            begin,
            end: Instant::now(),
            status: answer.status,
            text: answer.text(),
        });
        sleep(Duration::from_millis(50)).await;
    }
    noted
}

/// What was acknowledged is in the log of its group as it was acknowledged, and nothing else is, or twice.
pub(crate) async fn check_logs(world: &World, groups: &[u64], sent: &[Sent]) {
    for group_id in groups {
        let mut stored = HashMap::new();
        for mut entry in world.log(*group_id).await {
            if entry["type"] == "new_message" {
                entry.as_object_mut().unwrap().remove("type");
                let id = entry["client_message_id"].as_str().unwrap().to_owned();
                assert_eq!(stored.insert(id, entry), None, "stored twice");
            }
        }
        let of_group = sent.iter().filter(|sent| sent.group_id == *group_id);
        let acknowledged: Vec<_> = of_group.filter(|sent| sent.ack["success"] == true).collect();
        for sent in &acknowledged {
            assert_eq!(stored.get(&sent.id), Some(&sent.ack["message"]), "acknowledged");
        }
        assert_eq!(stored.len(), acknowledged.len());
    }
}
