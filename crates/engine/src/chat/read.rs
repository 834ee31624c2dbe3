//! Reading a group's log.

use sealroom_domain::{
    Entry, ErrorCode, Extra, GroupId, Limits, LogId, Refusal, Seq,
    ports::{CurrentMessage, Cursor, PageLimit, StoreError},
};

use super::{Actor, Chat, read_marks::absent};
use crate::Session;

/// A page of a group's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesPage {
    /// The entries, ascending.
    pub entries: Vec<Entry>,
    /// Whether the log goes on in the direction of reading.
    pub has_more: bool,
    /// The last place of the log.
    pub head: Seq,
    /// The log.
    pub log_id: LogId,
}

/// A page of a group's messages as they stand now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentMessages {
    /// The messages, ascending.
    pub messages: Vec<CurrentMessage>,
    /// Whether more messages follow in the direction of reading.
    pub has_more: bool,
    /// The last place of the log.
    pub head: Seq,
    /// The log.
    pub log_id: LogId,
}

impl Chat {
    /// A page of the log, for a socket. A page behind the end is empty.
    ///
    /// Refusals: `token_expired`, `not_a_member`, `history_trimmed`, `unavailable`, `shutting_down`.
    pub async fn session_entries(
        &self,
        session: &Session,
        group_id: GroupId,
        cursor: Cursor,
        limit: Option<usize>,
    ) -> Result<EntriesPage, Refusal> {
        session.check_lease(self.ports.clock.now())?;
        // The scope of a token opens groups over HTTP only.
        let actor = Actor {
            user_id: session.user_id(),
            admin: false,
        };
        self.entries(actor, group_id, cursor, limit).await
    }

    /// A page of the log.
    ///
    /// Refusals: `not_a_member` (`not_found` for an admin), `history_trimmed`, `unavailable`, `shutting_down`.
    pub async fn entries(
        &self,
        actor: Actor,
        group_id: GroupId,
        cursor: Cursor,
        limit: Option<usize>,
    ) -> Result<EntriesPage, Refusal> {
        let read = self.ports.log.read(group_id, cursor, self.page_limit(limit));
        let page = self.seen(actor, group_id, "read a log", read).await?;
        check_history(cursor, page.first)?;
        Ok(EntriesPage {
            entries: page.entries,
            has_more: page.has_more,
            head: page.head,
            log_id: self.log_id().await?,
        })
    }

    /// A page of the messages as they stand now: edits applied, without those that are gone. Otherwise like
    /// [`Chat::entries`].
    pub async fn messages(
        &self,
        actor: Actor,
        group_id: GroupId,
        cursor: Cursor,
        limit: Option<usize>,
    ) -> Result<CurrentMessages, Refusal> {
        let read = self.ports.log.messages(group_id, cursor, self.page_limit(limit));
        let page = self.seen(actor, group_id, "read messages", read).await?;
        check_history(cursor, page.first)?;
        Ok(CurrentMessages {
            messages: page.messages,
            has_more: page.has_more,
            head: page.head,
            log_id: self.log_id().await?,
        })
    }

    /// The size of a page: what was asked for, within the limits.
    pub(super) fn page_limit(&self, asked: Option<usize>) -> PageLimit {
        let limits = &self.options.limits;
        let entries = asked
            .unwrap_or(Limits::DEFAULT_PAGE)
            .clamp(1, limits.page_entries);
        PageLimit {
            entries,
            bytes: limits.page_bytes,
        }
    }

    /// What `read` answers, for whoever may see the group before and after it: had the actor been removed in between,
    /// this would tell.
    async fn seen<P>(
        &self,
        actor: Actor,
        group_id: GroupId,
        attempt: &'static str,
        read: impl Future<Output = Result<Option<P>, StoreError>>,
    ) -> Result<P, Refusal> {
        self.check_open()?;
        let _turn = self.readers.take(actor.user_id).await;
        self.check_sight(actor, group_id).await?;
        let page = read
            .await
            .map_err(|error| self.failed(attempt, &error))?
            .ok_or(absent(actor))?;
        self.check_sight(actor, group_id).await?;
        Ok(page)
    }
}

/// What comes after this place is asked for, and the first of it is gone.
fn check_history(cursor: Cursor, first: Seq) -> Result<(), Refusal> {
    match cursor {
        Cursor::After(after) if after.next() < first => {
            Err(Refusal::new(ErrorCode::HistoryTrimmed).with(Extra::FirstSeq(first)))
        }
        _ => Ok(()),
    }
}
