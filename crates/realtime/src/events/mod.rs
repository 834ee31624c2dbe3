//! What clients send.

mod answer;
mod packet;
mod requests;

use std::sync::Arc;

use sealroom_domain::{ErrorCode, Refusal};
use sealroom_engine::{JoinRequest, MessageDraft, Subscriber};
use socketioxide::{
    adapter::LocalAdapter,
    handler::{MessageHandler, Value},
    socket::Socket,
};
use tokio::time::{Duration, Instant};
use tracing::Instrument as _;

pub(crate) use self::answer::encoding;
/// The events that there are.
pub(crate) const EVENTS: [&str; Request::EVENTS.len()] = Request::EVENTS;
use self::{
    answer::{Answer, EntriesAck, JoinAck, LeaveAck, SendAck},
    packet::Packet,
    requests::{EntriesRequest, Request},
};
use crate::{
    jobs::Job,
    metrics::METRICS,
    socket::{ClientSocket, rate_limited},
};

/// From the arrival of a request to its answer at most, so that the client has it within 5 s.
const DEADLINE: Duration = Duration::from_millis(4500);

/// The one handler for all events of a socket. It is called in the order in which they arrived, and what must keep
/// that order is submitted before it returns.
#[derive(Debug)]
pub(crate) struct EventHandler {
    client: Arc<ClientSocket>,
    subscriber: Arc<dyn Subscriber>,
}

impl EventHandler {
    pub(crate) fn new(client: Arc<ClientSocket>) -> Self {
        Self {
            subscriber: client.clone(),
            client,
        }
    }

    pub(crate) fn subscriber(&self) -> &Arc<dyn Subscriber> {
        &self.subscriber
    }
}

impl MessageHandler<LocalAdapter, EventHandler> for EventHandler {
    fn call(&self, socket: Arc<Socket>, value: Value, ack_id: Option<i64>) {
        let packet = Packet::read(&value);
        METRICS.event(&packet.event);
        let answer = Answer::new(self.client.clone(), &socket, &packet.event, ack_id);
        let span = answer.span.clone();
        let _in_request = span.enter();
        let limits = self.client.chat.limits();
        let request = self
            .client
            .chat
            .check_lease(&self.client.session)
            .and_then(|()| Request::read(&packet.event, packet.payload, limits.content_bytes));
        match request {
            Ok(Request::Send(draft)) => self.send(draft, answer),
            Ok(Request::Join(join)) => self.join(join, answer),
            Ok(Request::Leave(group_id)) => {
                let client = self.client.clone();
                self.queue(answer, move |answer, _deadline| async move {
                    let left = client.chat.leave(&client.session, group_id);
                    match left {
                        Ok(()) => answer.accept(&LeaveAck::new(group_id)),
                        Err(refusal) => answer.refuse(&refusal),
                    }
                });
            }
            Ok(Request::Entries(request)) => self.entries(request, answer),
            Err(refusal) => answer.refuse(&refusal),
        }
    }
}

impl EventHandler {
    fn send(&self, draft: MessageDraft, answer: Answer) {
        let reply = Box::new(move |sent: Result<_, Refusal>| match sent {
            Ok(sent) => match SendAck::new(&sent) {
                Some(ack) => answer.accept(&ack),
                None => answer.refuse(&ErrorCode::Internal.into()),
            },
            Err(refusal) => answer.refuse(&refusal),
        });
        self.client
            .chat
            .send(&self.client.session, &self.subscriber, draft, reply);
    }

    fn join(&self, request: JoinRequest, answer: Answer) {
        let (client, subscriber) = (self.client.clone(), self.subscriber.clone());
        self.queue(answer, move |answer, deadline| async move {
            let reply = Box::new(move |joined: Result<_, Refusal>| match joined {
                Ok(joined) => answer.accept(&JoinAck::new(&joined)),
                Err(refusal) => answer.refuse(&refusal),
            });
            client
                .chat
                .join(&client.session, &subscriber, request, deadline, reply)
                .await;
        });
    }

    fn entries(&self, request: EntriesRequest, answer: Answer) {
        let client = self.client.clone();
        self.queue(answer, move |answer, deadline| async move {
            let EntriesRequest {
                group_id,
                cursor,
                limit,
            } = request;
            let read = client
                .chat
                .session_entries(&client.session, group_id, cursor, limit);
            let page = tokio::time::timeout_at(deadline, read).await;
            match page.unwrap_or_else(|_elapsed| Err(Refusal::unavailable())) {
                Ok(page) => answer.accept(&EntriesAck::new(&page)),
                Err(refusal) => answer.refuse(&refusal),
            }
        });
    }

    /// Queues what asks the store behind the socket's earlier requests of that kind.
    fn queue<F: Future<Output = ()> + Send + 'static>(
        &self,
        answer: Answer,
        run: impl FnOnce(Answer, Instant) -> F + Send + 'static,
    ) {
        let deadline = Instant::now() + DEADLINE;
        let job = move |answer: Answer| -> Job {
            let span = answer.span.clone();
            let job = async move {
                if Instant::now() < deadline {
                    run(answer, deadline).await;
                } else {
                    answer.refuse(&Refusal::unavailable());
                }
            };
            Box::pin(job.instrument(span))
        };
        let pushed = self.client.jobs.try_push(&self.client.tasks, answer, job);
        if let Err(answer) = pushed {
            answer.refuse(&rate_limited());
        }
    }
}
