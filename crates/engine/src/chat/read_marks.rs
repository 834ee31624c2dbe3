//! How far users have read, and that they type.

use std::sync::Arc;

use sealroom_domain::{
    ErrorCode, GroupId, Refusal, Seq,
    ports::{MarkedRead, ReadMark},
};

use super::{Actor, Chat};
use crate::{Session, Signal};

impl Chat {
    /// Moves a socket's user's read mark; otherwise like [`Chat::mark_read`].
    pub async fn session_mark_read(
        &self,
        session: &Arc<Session>,
        group_id: GroupId,
        seq: Seq,
    ) -> Result<MarkedRead, Refusal> {
        session.check_lease(self.ports.clock.now())?;
        let actor = Actor {
            user_id: session.user_id(),
            admin: false,
        };
        self.move_mark(actor, group_id, seq, Some(session)).await
    }

    /// Moves a user's read mark forward, at most to the end of the log, and tells those who have joined the group. A mark
    /// that is further already stays, and nobody is told.
    ///
    /// Refusals: `not_a_member` (`not_found` for an admin), `unavailable`, `shutting_down`.
    pub async fn mark_read(&self, actor: Actor, group_id: GroupId, seq: Seq) -> Result<MarkedRead, Refusal> {
        self.move_mark(actor, group_id, seq, None).await
    }

    async fn move_mark(
        &self,
        actor: Actor,
        group_id: GroupId,
        seq: Seq,
        from: Option<&Arc<Session>>,
    ) -> Result<MarkedRead, Refusal> {
        self.check_open()?;
        let role = self.check_sight(actor, group_id).await?;
        let mark = ReadMark {
            group_id,
            user_id: actor.user_id,
            seq,
        };
        let marked = self.marks.advance(mark).await?.ok_or(absent(actor))?;
        // Members do not hear of an admin who only looks, nor of a mark that was further already.
        if role.is_some() && marked.read <= seq {
            let signal = Signal::Read {
                group_id,
                user_id: actor.user_id,
                read_seq: marked.read,
            };
            self.feeds.signal(group_id, signal, from);
        }
        Ok(marked)
    }

    /// Tells the others who have joined a group that a socket's user types, or does no longer. Lost where they are busy.
    ///
    /// Refusals: `token_expired`, `token_revoked`, `not_a_member`, `unavailable`, `shutting_down`.
    pub async fn typing(
        &self,
        session: &Arc<Session>,
        group_id: GroupId,
        is_typing: bool,
    ) -> Result<(), Refusal> {
        self.check_open()?;
        session.check_lease(self.ports.clock.now())?;
        // A socket that has joined is a member: it would have been evicted. Only others have to be asked for.
        if !session.has_joined(group_id) && self.role(group_id, session.user_id()).await?.is_none() {
            return Err(ErrorCode::NotAMember.into());
        }
        let signal = Signal::Typing {
            group_id,
            user_id: session.user_id(),
            is_typing,
        };
        self.feeds.signal(group_id, signal, Some(session));
        Ok(())
    }
}

/// What whoever may see a group hears of one that is not there.
pub(super) fn absent(actor: Actor) -> ErrorCode {
    if actor.admin {
        ErrorCode::NotFound
    } else {
        ErrorCode::NotAMember
    }
}
