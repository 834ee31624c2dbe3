//! Joining and leaving a group with a socket: the recovery promise.

use std::sync::Arc;

use sealroom_domain::{
    Entry, ErrorCode, GroupId, LogId, Refusal, Seq,
    ports::{Cursor, Page},
};

use tokio::time::Instant;

use super::Chat;
use crate::{
    Reply, Session, Subscriber,
    deadline::in_time,
    feeds::{SubscribeError, Terms, Unmuted},
};

/// How often a join begins anew after a removal in its middle.
const ATTEMPTS: usize = 3;

/// What a socket asks for when it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// The group.
    pub group_id: GroupId,
    /// The last entry that the client has; `None` where it wants only what comes from now on.
    pub after_seq: Option<Seq>,
    /// The log that `after_seq` is a place of, where the client knows.
    pub log_id: Option<LogId>,
    /// Entries of the answer at most, capped by [`sealroom_domain::Limits::page_entries`].
    pub limit: Option<usize>,
}

/// A socket has joined.
///
/// `entries`, further pages while `has_more`, and what is delivered live from now on give each entry after
/// `after_seq` exactly once and in order: the first two cover up to `head`, the last what comes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The group.
    pub group_id: GroupId,
    /// The last place that is not delivered live.
    pub head: Seq,
    /// The log.
    pub log_id: LogId,
    /// Whether the promise holds for the `after_seq` of the request.
    pub recovered: bool,
    /// The first entries after `after_seq`, up to `head`.
    pub entries: Vec<Entry>,
    /// Whether more follow before `head`.
    pub has_more: bool,
}

impl Chat {
    /// Joins a group. The answer comes through `reply`, in front of everything that is delivered live. Joins of one
    /// session must not overlap. Past the deadline the answer is `unavailable`, and nothing was joined.
    ///
    /// Refusals: `token_expired`, `not_a_member`, `limit_exceeded`, `unavailable`, `shutting_down`.
    pub async fn join(
        &self,
        session: &Arc<Session>,
        subscriber: &Arc<dyn Subscriber>,
        request: JoinRequest,
        deadline: Instant,
        reply: Reply<Joined>,
    ) {
        let mut reply = Some(reply);
        for _ in 0..ATTEMPTS {
            match self
                .try_join(session, subscriber, request.clone(), deadline, &mut reply)
                .await
            {
                Ok(Unmuted::Live) => return,
                // Removed meanwhile, and perhaps added again: the next attempt tells.
                Ok(Unmuted::Gone) => {}
                Err(refusal) => return refuse(reply, refusal),
            }
        }
        refuse(reply, Refusal::unavailable());
    }

    async fn try_join(
        &self,
        session: &Arc<Session>,
        subscriber: &Arc<dyn Subscriber>,
        request: JoinRequest,
        deadline: Instant,
        reply: &mut Option<Reply<Joined>>,
    ) -> Result<Unmuted, Refusal> {
        let group_id = request.group_id;
        let prepared = self.prepare_in_time(session, subscriber, request, deadline).await;
        if prepared.is_err() {
            self.feeds.cancel(group_id, session);
        }
        let joined = prepared?;
        Ok(self.feeds.unmute(group_id, session, || {
            if let Some(reply) = reply.take() {
                reply(Ok(joined));
            }
        }))
    }

    /// Leaves a group with this socket. Harmless where it has not joined.
    pub fn leave(&self, session: &Arc<Session>, group_id: GroupId) -> Result<(), Refusal> {
        session.check_lease(self.ports.clock.now())?;
        self.feeds.unsubscribe(group_id, session);
        Ok(())
    }

    /// Prepares a join until its own deadline, or that of a send which its answer holds back.
    async fn prepare_in_time(
        &self,
        session: &Arc<Session>,
        subscriber: &Arc<dyn Subscriber>,
        request: JoinRequest,
        deadline: Instant,
    ) -> Result<Joined, Refusal> {
        let group_id = request.group_id;
        let due = || {
            self.feeds
                .due(group_id, session)
                .map_or(deadline, |due| due.min(deadline))
        };
        let prepared = in_time(self.prepare_join(session, subscriber, request), due).await;
        prepared.unwrap_or_else(|| Err(Refusal::unavailable()))
    }

    async fn prepare_join(
        &self,
        session: &Arc<Session>,
        subscriber: &Arc<dyn Subscriber>,
        request: JoinRequest,
    ) -> Result<Joined, Refusal> {
        let group_id = request.group_id;
        self.check_open()?;
        session.check_lease(self.ports.clock.now())?;
        // Before anything else, so that an outsider cannot tell by the time whether there is such a group.
        if self.role(group_id, session.user_id()).await?.is_none() {
            return Err(ErrorCode::NotAMember.into());
        }
        let log_id = self.log_id().await?;
        let same_log = request.log_id.is_none_or(|asked| asked == log_id);
        let after = request.after_seq.filter(|_| same_log);
        let terms = Terms {
            recovers_after: after,
            groups_limit: self.options.limits.groups_per_socket,
        };
        let result = self.feeds.subscribe(group_id, session, subscriber, terms).await;
        let position = result.map_err(|error| match error {
            SubscribeError::UnknownGroup => ErrorCode::NotAMember.into(),
            SubscribeError::Refused(refusal) => refusal,
            SubscribeError::Store(error) => self.failed("find the end of a log", &error),
        })?;
        // Once more, now that the feed would see a removal: one that came before the subscription shows here, one
        // that comes after it evicts.
        if self.role(group_id, session.user_id()).await?.is_none() {
            return Err(ErrorCode::NotAMember.into());
        }
        let head = position.previous();
        let mut joined = Joined {
            group_id,
            head,
            log_id,
            recovered: false,
            entries: Vec::new(),
            has_more: false,
        };
        if let Some(after) = after
            && after <= head
        {
            let limit = self.page_limit(request.limit);
            let page = self
                .ports
                .log
                .read(group_id, Cursor::After(after), limit)
                .await
                .map_err(|error| self.failed("read what a socket missed", &error))?
                .ok_or(ErrorCode::NotAMember)?;
            recover(&mut joined, after, page);
        }
        Ok(joined)
    }
}

fn refuse(reply: Option<Reply<Joined>>, refusal: Refusal) {
    if let Some(reply) = reply {
        reply(Err(refusal));
    }
}

/// Puts the part of a page up to the head into the answer, unless the log does not reach back that far.
fn recover(joined: &mut Joined, after: Seq, page: Page) {
    if after.next() < page.first {
        return;
    }
    joined.recovered = true;
    joined.entries = page
        .entries
        .into_iter()
        .filter(|entry| entry.seq <= joined.head)
        .collect();
    let last = joined.entries.last().map_or(after, |entry| entry.seq);
    joined.has_more = last < joined.head;
}
