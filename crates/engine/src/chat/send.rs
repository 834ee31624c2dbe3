//! Sending a message.

use std::{sync::Arc, time::Duration};

use sealroom_domain::{
    ClientMessageId, EncryptedContent, ErrorCode, Extra, GroupId, KeyEpoch, Refusal, Role,
    ports::{Guard, NewBody, NewEntry, RefusedEntry},
};

use super::{Chat, MembershipKeeper};
use crate::{
    Published, Reply, Session, Subscriber,
    writer::{Origin, Receipt, WriteError, Written},
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
        let now = self.ports.clock.now();
        if let Err(refusal) = self.check_open().and_then(|()| session.check_lease(now)) {
            return reply(Err(refusal));
        }
        if !session.begin_send(self.options.limits.unacked_sends) {
            let refusal = Refusal::new(ErrorCode::RateLimited).with(Extra::RetryAfter(UNACKED_RETRY));
            return reply(Err(refusal));
        }
        let entry = NewEntry {
            group_id: draft.group_id,
            actor_id: session.user_id(),
            at: now,
            body: NewBody::Message {
                sender_name: session.sender_name(),
                content: draft.content,
                client_message_id: draft.client_message_id,
                key_epoch: draft.key_epoch,
            },
            guard: self.guard(Some(Role::Member), false),
        };
        let origin = Origin {
            session: session.clone(),
            subscriber: subscriber.clone(),
        };
        let session = session.clone();
        let receipt = Receipt::new(Some(origin), move |result| {
            session.end_send();
            reply(sent(result));
        });
        self.writer.submit(entry, receipt);
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
