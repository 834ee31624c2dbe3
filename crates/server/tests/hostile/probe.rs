//! A socket that asks wrong things, and looks after each whether it still works.

use sealroom_testkit::client::{Client, Kind, Received};
use serde_json::{Value, json};

use crate::world::World;

/// A member's socket that has not joined, so that nothing comes but answers.
pub(crate) struct Probe {
    pub(crate) client: Client,
    group_id: u64,
    next_id: u64,
}

impl Probe {
    pub(crate) async fn connect(world: &World, user_id: u64, group_id: u64) -> Self {
        Self {
            client: world.socket(user_id).await,
            group_id,
            // Far from those that the client counts itself.
            next_id: 1_000_000,
        }
    }

    /// Sends an event with its arguments as JSON text, each behind a comma, and an ack id. Gives the only answer.
    pub(crate) async fn ask(&mut self, event: &str, args: &str) -> Value {
        self.ask_frames(|client, id| client.raw(format!("42{id}[\"{event}\"{args}]")))
            .await
    }

    /// The same with frames that the caller makes for an ack id.
    pub(crate) async fn ask_frames(&mut self, send: impl FnOnce(&Client, u64)) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        let answers = self.answers(|client| send(client, id)).await;
        match answers.as_slice() {
            [answer] if answer.kind() == Kind::Ack(id) => {
                assert_eq!(answer.args().len(), 1, "{}", answer.frame());
                answer.payload()
            }
            other => panic!("not one answer: {other:?}"),
        }
    }

    /// Sends an event without an ack id. Gives the only answer, a `request_error`.
    pub(crate) async fn tell(&mut self, event: &str, args: &str) -> Value {
        self.tell_frames(|client| client.raw(format!("42[\"{event}\"{args}]")))
            .await
    }

    pub(crate) async fn tell_frames(&mut self, send: impl FnOnce(&Client)) -> Value {
        let answers = self.answers(send).await;
        match answers.as_slice() {
            [answer] if answer.is_event("request_error") => answer.payload(),
            other => panic!("not one request_error: {other:?}"),
        }
    }

    /// Everything that came for what was sent, up to the answer of a good request that was sent after it.
    async fn answers(&self, send: impl FnOnce(&Client)) -> Vec<Received> {
        self.client.take_received();
        send(&self.client);
        let good = json!({"group_id": self.group_id, "limit": 1});
        let good = self.client.request("get_entries", good);
        let id = good.id();
        let ack = good.answer().await.unwrap();
        assert_eq!(ack["success"], true, "the socket does not work any more: {ack}");
        let mut answers = self.client.take_received();
        answers.retain(|received| received.kind() != Kind::Ack(id));
        answers
    }

    /// `invalid_data` with this field, asked and told.
    pub(crate) async fn invalid(&mut self, event: &str, args: &str, field: Option<&str>) {
        let mut expected = json!({
            "success": false,
            "error": "Invalid data",
            "code": "invalid_data",
            "retryable": false,
        });
        if let Some(field) = field {
            expected["field"] = json!(field);
        }
        assert_eq!(self.ask(event, args).await, expected, "{event}{}", short(args));
        let expected = json!({"event": event, "code": "invalid_data", "error": "Invalid data"});
        assert_eq!(self.tell(event, args).await, expected, "{event}{}", short(args));
    }
}

/// For messages of failed checks.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
