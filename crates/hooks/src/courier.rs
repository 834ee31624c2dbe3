//! One attempt to tell of one event.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use sealroom_domain::{
    MessageId, UserId,
    ports::{Clock, Memberships, Presence, StoreError},
};
use tokio::time::timeout;

use crate::{
    event::{EventType, Held, Stage, What},
    post::{Answer, Post, SignedRequest, chain},
    secret::Secrets,
};

/// Everything that an attempt needs.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(crate) post: Arc<dyn Post>,
    pub(crate) memberships: Arc<dyn Memberships>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) secrets: Secrets,
    pub(crate) events: Vec<EventType>,
    /// How long the receiver has for its answer.
    pub(crate) patience: Duration,
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The receiver has it, or there was nothing to tell; what is next of the same entry.
    Accepted { sent: bool, next: Option<Stage> },
    /// The receiver does not have it, or did not say so.
    Failed(Failure),
    /// The receiver wants to hear nothing more.
    Gone,
    /// It could not be found out what to tell.
    NotKnown(StoreError),
}

/// Why the receiver does not have it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Option<u16>,
    pub(crate) cause: String,
    pub(crate) retry_after: Option<Duration>,
}

/// Members without a socket, and up to which of the members they are all of them; `None` is to the end.
struct Part {
    offline: Vec<UserId>,
    to: Option<UserId>,
}

impl Courier {
    /// The members that one event names at most.
    const PART: usize = 1000;
    /// For the store's part of an attempt.
    pub(crate) const PREPARATION: Duration = Duration::from_secs(4);

    /// Makes one attempt. Takes at most [`Courier::PREPARATION`] and the receiver's time together.
    pub(crate) async fn attempt(&self, held: &Held, stage: Stage) -> Outcome {
        let attempt = AssertUnwindSafe(self.attempt_once(held, stage));
        attempt
            .catch_unwind()
            .await
            .unwrap_or_else(|_panic| Outcome::NotKnown(StoreError::internal("an adapter panicked")))
    }

    async fn attempt_once(&self, held: &Held, stage: Stage) -> Outcome {
        let after = match stage {
            Stage::Entry => {
                let next = held
                    .wants_offline(&self.events)
                    .then_some(Stage::Offline { after: None });
                let event = held.entry_body().map(|body| (held.entry_webhook_id(), body));
                return self.send(event, next).await;
            }
            Stage::Offline { after } => after,
        };
        let What::Message { id, sender_id, .. } = held.what else {
            return Outcome::Accepted {
                sent: false,
                next: None,
            };
        };
        let part = match timeout(Self::PREPARATION, self.offline(held, sender_id, after)).await {
            Ok(Ok(part)) => part,
            Ok(Err(error)) => return Outcome::NotKnown(error),
            Err(_elapsed) => return Outcome::NotKnown(StoreError::unavailable("it took too long")),
        };
        let next = part.to.map(|to| Stage::Offline { after: Some(to) });
        if part.offline.is_empty() {
            return Outcome::Accepted { sent: false, next };
        }
        self.send(Self::offline_event(held, id, sender_id, after, &part), next)
            .await
    }

    fn offline_event(
        held: &Held,
        message_id: MessageId,
        sender_id: UserId,
        after: Option<UserId>,
        part: &Part,
    ) -> serde_json::Result<(String, Vec<u8>)> {
        let id = held.offline_webhook_id(after, part.to);
        let body = held.offline_body(message_id, sender_id, &part.offline)?;
        Ok((id, body))
    }

    /// The next part of the members of whom anybody is without a socket. Parts are cut by members, whoever of them is
    /// there, so that they stay the same from one attempt to the next.
    async fn offline(
        &self,
        held: &Held,
        sender_id: UserId,
        after: Option<UserId>,
    ) -> Result<Part, StoreError> {
        let members = self.memberships.members_of(held.group_id).await?;
        let mut users: Vec<UserId> = members
            .into_iter()
            .map(|member| member.user_id)
            .filter(|user_id| *user_id != sender_id && after.is_none_or(|after| *user_id > after))
            .collect();
        users.sort_unstable();
        users.dedup();
        let rest = users.split_off(users.len().min(Self::PART));
        let online: HashSet<UserId> = self.presence.online_among(&users).await?.into_iter().collect();
        let to = users.last().copied().filter(|_| !rest.is_empty());
        users.retain(|user_id| !online.contains(user_id));
        Ok(Part { offline: users, to })
    }

    async fn send(&self, event: serde_json::Result<(String, Vec<u8>)>, next: Option<Stage>) -> Outcome {
        let (id, body) = match event {
            Ok(event) => event,
            Err(error) => return Outcome::Failed(Failure::without_answer(chain(&error))),
        };
        let timestamp = self.clock.now().whole_seconds();
        let signature = self.secrets.sign(&id, timestamp, &body);
        let request = SignedRequest {
            id,
            timestamp,
            signature,
            body,
        };
        match timeout(self.patience, self.post.post(&request)).await {
            Ok(Ok(answer)) => self.outcome(answer, next),
            Ok(Err(error)) => Outcome::Failed(Failure::without_answer(chain(&error))),
            Err(_elapsed) => Outcome::Failed(Failure::without_answer("no answer in time".to_owned())),
        }
    }

    fn outcome(&self, answer: Answer, next: Option<Stage>) -> Outcome {
        match answer.status {
            200..=299 => Outcome::Accepted { sent: true, next },
            410 => Outcome::Gone,
            status => Outcome::Failed(Failure {
                status: Some(status),
                cause: format!("status {status}"),
                retry_after: answer.retry_after.map(|after| after.from(self.clock.now())),
            }),
        }
    }
}

impl Failure {
    fn without_answer(cause: String) -> Self {
        Self {
            status: None,
            cause,
            retry_after: None,
        }
    }

    /// Whether the receiver said that it gets too much.
    pub(crate) fn is_throttling(&self) -> bool {
        self.status == Some(429)
    }
}
