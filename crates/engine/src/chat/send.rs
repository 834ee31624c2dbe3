//! Sending a message.

use std::{sync::Arc, time::Duration};

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, ErrorCode, Extra, GroupId, KeyEpoch, Refusal, Role,
    Timestamp, UserId,
    ports::{Guard, NewBody, NewEntry, Profile, RefusedEntry},
};

use tokio::sync::oneshot;

use super::{Actor, Chat, MembershipKeeper};
use crate::{
    Published, Reply, Session, Subscriber,
    writer::{Authority, Origin, Receipt, WriteError, Written},
};

/// A message that is to be sent.
#[derive(Debug, Clone)]
pub struct MessageDraft {
    /// The group.
    pub group_id: GroupId,
    /// The ciphertext.
    pub content: EncryptedContent,
    /// The client's own id, which makes a retry harmless.
    pub client_message_id: Option<ClientMessageId>,
    /// The key that the content is encrypted with.
    pub key_epoch: Option<KeyEpoch>,
}

/// A message that is durable.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its entry.
    pub message: Arc<Published>,
    /// Whether it was sent before under the same `client_message_id`.
    pub duplicate: bool,
}

/// When a socket with too many sends under way may try again: most commits take less.
const UNACKED_RETRY: Duration = Duration::from_millis(100);

impl Chat {
    /// Sends a message from a socket, without waiting. Two messages of one socket to one group are stored in the
    /// order of these calls. The answer comes through `reply`, after the socket got the entry itself.
    ///
    /// Refusals: `token_expired`, `rate_limited`, `not_a_member`, `idempotency_conflict`, `unavailable`,
    /// `shutting_down`, `internal`.
    pub fn send(
        &self,
        session: &Arc<Session>,
        subscriber: &Arc<dyn Subscriber>,
        draft: MessageDraft,
        reply: Reply<Sent>,
    ) {
        let now = match self.begin_send(session) {
            Ok(now) => now,
            Err(refusal) => return reply(Err(refusal)),
        };
        let guard = self.guard(Some(Role::Member), false);
        let entry = draft.into_entry(session.user_id(), session.sender_name(), now, guard);
        let origin = Origin {
            session: session.clone(),
            subscriber: subscriber.clone(),
        };
        let session = session.clone();
        let receipt = Receipt::new(Some(origin), move |result| {
            session.end_send();
            reply(sent(result));
        });
        self.writer.submit(entry, Authority::Member, receipt);
    }

    /// Sends a message without a socket: like [`Chat::send`], but an admin need not be a member.
    ///
    /// Refusals: those of [`Chat::send`]; `not_found` for an admin where there is no such group.
    pub async fn post(&self, actor: Actor, sender: &Profile, draft: MessageDraft) -> Result<Sent, Refusal> {
        self.check_open()?;
        self.sends.count(&actor.user_id)?;
        let (role, authority) = if actor.admin {
            (None, Authority::Given)
        } else {
            (Some(Role::Member), Authority::Member)
        };
        let name = sender.shown_name().cloned().unwrap_or_else(DisplayName::unknown);
        let now = self.ports.clock.now();
        let entry = draft.into_entry(actor.user_id, name, now, self.guard(role, false));
        let (answer, answered) = oneshot::channel();
        let receipt = Receipt::new(None, move |result| {
            // The caller may have gone away; the message stands all the same.
            let _ = answer.send(result);
        });
        self.writer.submit(entry, authority, receipt);
        match answered.await {
            Ok(Err(WriteError::Refused(RefusedEntry::UnknownGroup))) if actor.admin => {
                Err(ErrorCode::NotFound.into())
            }
            Ok(result) => sent(result),
            Err(_gone) => Err(Refusal::unavailable()),
        }
    }

    /// Counts a message, once nothing else is against it.
    fn begin_send(&self, session: &Session) -> Result<Timestamp, Refusal> {
        let now = self.begin_write(session)?;
        self.sends
            .count(&session.user_id())
            .inspect_err(|_too_many| session.end_send())?;
        Ok(now)
    }

    /// Takes a place for a write that is answered later, which [`Session::end_send`] gives back.
    pub(super) fn begin_write(&self, session: &Session) -> Result<Timestamp, Refusal> {
        let now = self.ports.clock.now();
        self.check_open()?;
        session.check_lease(now)?;
        if session.begin_send(self.options.limits.unacked_sends) {
            Ok(now)
        } else {
            Err(Refusal::new(ErrorCode::RateLimited).with(Extra::RetryAfter(UNACKED_RETRY)))
        }
    }

    /// What is checked at an entry's place in the log.
    pub(super) fn guard(&self, actor_role: Option<Role>, keeps_owner: bool) -> Guard {
        match self.options.membership_keeper {
            MembershipKeeper::Store => Guard::Kept {
                actor_role,
                keeps_owner,
            },
            MembershipKeeper::Host => Guard::Host,
        }
    }
}

impl MessageDraft {
    fn into_entry(
        self,
        sender_id: UserId,
        sender_name: DisplayName,
        at: Timestamp,
        guard: Guard,
    ) -> NewEntry {
        NewEntry {
            group_id: self.group_id,
            actor_id: sender_id,
            at,
            body: NewBody::Message {
                sender_name,
                content: self.content,
                client_message_id: self.client_message_id,
                key_epoch: self.key_epoch,
            },
            guard,
        }
    }
}

fn sent(result: Result<Written, WriteError>) -> Result<Sent, Refusal> {
    match result {
        Ok(Written::New(message)) => Ok(Sent {
            message,
            duplicate: false,
        }),
        Ok(Written::Duplicate(message)) => Ok(Sent {
            message,
            duplicate: true,
        }),
        // A message always is an entry.
        Ok(Written::Unchanged) => Err(ErrorCode::Internal.into()),
        Err(WriteError::Refused(RefusedEntry::IdempotencyConflict)) => {
            Err(ErrorCode::IdempotencyConflict.into())
        }
        Err(WriteError::Refused(_)) => Err(ErrorCode::NotAMember.into()),
        Err(WriteError::Failed(refusal)) => Err(refusal),
    }
}
