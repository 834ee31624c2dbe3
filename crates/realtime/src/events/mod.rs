//! What clients send.

mod answer;
mod packet;
mod requests;

use std::sync::Arc;

use sealroom_domain::{
    ErrorCode, Principal, Refusal,
    ports::{TokenError, TokenVerifier},
};
use sealroom_engine::{EventVerdict, JoinRequest, MessageDraft, Published, Reply, Subscriber};
use serde::Serialize;
use socketioxide::{
    adapter::LocalAdapter,
    handler::{MessageHandler, Value},
    socket::Socket,
};
use tokio::time::{Duration, Instant};
use tracing::Instrument as _;

pub(crate) use self::{
    answer::{ack_sender, encoding},
    packet::Packet,
    requests::Request,
};
/// The events that there are.
pub(crate) const EVENTS: [&str; Request::EVENTS.len()] = Request::EVENTS;
use self::{
    answer::{Answer, DoneAck, EntriesAck, EntryAck, JoinAck, LeaveAck, ReadAck, RefreshAck, SendAck},
    requests::{EntriesRequest, Token},
};
use crate::{
    handshake::refused_token,
    jobs::Job,
    metrics::{METRICS, cause},
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
    verifier: Arc<dyn TokenVerifier>,
}

impl EventHandler {
    pub(crate) fn new(client: Arc<ClientSocket>, verifier: Arc<dyn TokenVerifier>) -> Self {
        Self {
            subscriber: client.clone(),
            client,
            verifier,
        }
    }

    pub(crate) fn subscriber(&self) -> &Arc<dyn Subscriber> {
        &self.subscriber
    }
}

impl MessageHandler<LocalAdapter, EventHandler> for EventHandler {
    fn call(&self, _socket: Arc<Socket>, value: Value, ack_id: Option<i64>) {
        let packet = Packet::read(&value);
        METRICS.event(&packet.event);
        let answer = Answer::new(self.client.clone(), &packet.event, ack_id);
        let span = answer.span.clone();
        let _in_request = span.enter();
        match self.admit(&packet.event) {
            EventVerdict::Allowed => {}
            EventVerdict::Refused(refusal) => return answer.refuse(&refusal),
            EventVerdict::Flood(refusal) => {
                answer.refuse(&refusal);
                return self.client.close_transport(cause::FLOOD);
            }
        }
        let limits = self.client.chat.limits();
        match Request::read(&packet.event, packet.payload, limits.content_bytes) {
            Ok(request) => self.serve(request, answer),
            Err(refusal) => answer.refuse(&refusal),
        }
    }
}

impl EventHandler {
    /// Whether a request is looked at at all.
    fn admit(&self, event: &str) -> EventVerdict {
        if event != Request::SEND {
            match self.client.session.count_event() {
                EventVerdict::Allowed => {}
                refused => return refused,
            }
        }
        match self.client.chat.check_lease(&self.client.session) {
            Err(refusal) if event != Request::REFRESH || refusal.code != ErrorCode::TokenExpired => {
                EventVerdict::Refused(refusal)
            }
            _ => EventVerdict::Allowed,
        }
    }

    fn serve(&self, request: Request, answer: Answer) {
        match request {
            Request::Send(draft) => self.send(draft, answer),
            Request::Edit(edit) => {
                let session = &self.client.session;
                self.client.chat.edit(session, edit, entry_reply(answer));
            }
            Request::Delete(group_id, target_seq) => {
                let session = &self.client.session;
                self.client
                    .chat
                    .delete(session, group_id, target_seq, entry_reply(answer));
            }
            Request::Join(join) => self.join(join, answer),
            Request::Leave(group_id) => self.ask(answer, move |client| async move {
                client.chat.leave(&client.session, group_id)?;
                Ok(LeaveAck::new(group_id))
            }),
            Request::Entries(request) => self.entries(request, answer),
            Request::MarkRead(group_id, seq) => self.ask(answer, move |client| async move {
                let marked = client.chat.session_mark_read(&client.session, group_id, seq);
                marked.await.map(ReadAck::new)
            }),
            Request::Typing(group_id, is_typing) => self.ask(answer, move |client| async move {
                client.chat.typing(&client.session, group_id, is_typing).await?;
                Ok(DoneAck::new())
            }),
            Request::Refresh(token) => {
                let verifier = self.verifier.clone();
                self.ask(answer, move |client| async move {
                    let principal = verified(&*verifier, &token).await?;
                    let expires_at = client.chat.refresh(&client.session, principal).await?;
                    Ok(RefreshAck::new(expires_at))
                });
            }
        }
    }

    fn send(&self, draft: MessageDraft, answer: Answer) {
        let reply = write_reply(answer, |answer, sent| match SendAck::new(sent) {
            Some(ack) => answer.accept(&ack),
            None => answer.refuse(&ErrorCode::Internal.into()),
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
            match in_time(read, deadline).await {
                Ok(page) => answer.accept(&EntriesAck::new(&page)),
                Err(refusal) => answer.refuse(&refusal),
            }
        });
    }

    /// Queues a request whose answer is an ack of its own.
    fn ask<A, F>(&self, answer: Answer, request: impl FnOnce(Arc<ClientSocket>) -> F + Send + 'static)
    where
        A: Serialize,
        F: Future<Output = Result<A, Refusal>> + Send + 'static,
    {
        let client = self.client.clone();
        self.queue(answer, move |answer, deadline| async move {
            match in_time(request(client), deadline).await {
                Ok(ack) => answer.accept(&ack),
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

/// Answers with the entry that a request became.
fn entry_reply(answer: Answer) -> Reply<Arc<Published>> {
    write_reply(answer, |answer, entry: &Arc<Published>| {
        answer.accept(&EntryAck::new(entry));
    })
}

/// Answers a write, and looks whether its socket is to be read on.
fn write_reply<T: 'static>(answer: Answer, accept: impl FnOnce(Answer, &T) + Send + 'static) -> Reply<T> {
    Box::new(move |written| {
        answer.client.answered_write(&written);
        match written {
            Ok(done) => accept(answer, &done),
            Err(refusal) => answer.refuse(&refusal),
        }
    })
}

/// Who a token speaks for that an open socket wants to go by. What is wrong with one is not told apart.
async fn verified(verifier: &dyn TokenVerifier, token: &Token) -> Result<Principal, Refusal> {
    let answer = verifier.verify(&token.0).await;
    answer.map_err(|error| match error {
        TokenError::Unavailable { .. } => refused_token(&error),
        _ => ErrorCode::TokenInvalid.into(),
    })
}

async fn in_time<T>(
    request: impl Future<Output = Result<T, Refusal>>,
    deadline: Instant,
) -> Result<T, Refusal> {
    let answered = tokio::time::timeout_at(deadline, request).await;
    answered.unwrap_or_else(|_elapsed| Err(Refusal::unavailable()))
}
