//! Editing and deleting messages.

use std::sync::Arc;

use sealroom_domain::{
    EncryptedContent, ErrorCode, GroupId, KeyEpoch, Refusal, Role, Seq,
    ports::{NewBody, NewEntry, OfOthers, RefusedEntry},
};

use super::Chat;
use crate::{
    Published, Reply, Session,
    writer::{Authority, Receipt, WriteError, Written},
};

/// Other content for a message.
#[derive(Debug, Clone)]
pub struct MessageEdit {
    /// The group.
    pub group_id: GroupId,
    /// The message's place.
    pub target_seq: Seq,
    /// The new ciphertext.
    pub content: EncryptedContent,
    /// The key that it is encrypted with.
    pub key_epoch: Option<KeyEpoch>,
}

impl Chat {
    /// Edits a message of the session's user, without waiting; otherwise like [`Chat::send`].
    ///
    /// Refusals: `token_expired`, `token_revoked`, `rate_limited`, `not_a_member`, `not_found` for what is no message
    /// (any more), `forbidden` for another user's, `unavailable`, `shutting_down`, `internal`.
    pub fn edit(&self, session: &Arc<Session>, edit: MessageEdit, reply: Reply<Arc<Published>>) {
        let body = NewBody::EditMessage {
            target_seq: edit.target_seq,
            content: edit.content,
            key_epoch: edit.key_epoch,
        };
        self.rewrite(session, edit.group_id, body, reply);
    }

    /// Deletes a message: an own one, or any where the user is an admin or owner of the group. Otherwise like
    /// [`Chat::edit`].
    pub fn delete(
        &self,
        session: &Arc<Session>,
        group_id: GroupId,
        target_seq: Seq,
        reply: Reply<Arc<Published>>,
    ) {
        let body = NewBody::DeleteMessage {
            target_seq,
            of_others: OfOthers::FromRole(Role::Admin),
        };
        self.rewrite(session, group_id, body, reply);
    }

    fn rewrite(
        &self,
        session: &Arc<Session>,
        group_id: GroupId,
        body: NewBody,
        reply: Reply<Arc<Published>>,
    ) {
        let now = match self.begin_write(session) {
            Ok(now) => now,
            Err(refusal) => return reply(Err(refusal)),
        };
        let entry = NewEntry {
            group_id,
            actor_id: session.user_id(),
            at: now,
            body,
            guard: self.guard(Some(Role::Member), false),
        };
        let session = session.clone();
        let receipt = Receipt::new(None, move |result| {
            session.end_send();
            reply(rewritten(result));
        });
        self.writer.submit(entry, Authority::Member, receipt);
    }
}

fn rewritten(result: Result<Written, WriteError>) -> Result<Arc<Published>, Refusal> {
    match result {
        Ok(Written::New(entry) | Written::Duplicate(entry)) => Ok(entry),
        // An edit or a deletion always is an entry.
        Ok(Written::Unchanged) => Err(ErrorCode::Internal.into()),
        Err(WriteError::Refused(RefusedEntry::NoSuchMessage)) => Err(ErrorCode::NotFound.into()),
        Err(WriteError::Refused(RefusedEntry::NotItsSender)) => Err(ErrorCode::Forbidden.into()),
        Err(WriteError::Refused(_)) => Err(ErrorCode::NotAMember.into()),
        Err(WriteError::Failed(refusal)) => Err(refusal),
    }
}
