//! Reading a group's log.

use sealroom_domain::{
    Entry, ErrorCode, Extra, GroupId, Limits, LogId, Refusal, Seq,
    ports::{Cursor, Page, PageLimit},
};

use super::{Actor, Chat};
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
        self.check_open()?;
        self.check_sight(actor, group_id).await?;
        let page = self.page(actor, group_id, cursor, self.page_limit(limit)).await?;
        self.seen(actor, group_id, page).await
    }

    /// A page of the messages alone, which may be shorter than asked for; otherwise like [`Chat::entries`].
    pub async fn messages(
        &self,
        actor: Actor,
        group_id: GroupId,
        cursor: Cursor,
        limit: Option<usize>,
    ) -> Result<EntriesPage, Refusal> {
        self.check_open()?;
        self.check_sight(actor, group_id).await?;
        let limit = self.page_limit(limit);
        let mut cursor = cursor;
        let page = loop {
            let mut page = self.page(actor, group_id, cursor, limit).await?;
            let next = beyond(cursor, &page.entries);
            page.entries.retain(|entry| entry.message().is_some());
            match next {
                // A page without any message gives the client no place to go on from.
                Some(next) if page.entries.is_empty() && page.has_more => cursor = next,
                _ => break page,
            }
        };
        self.seen(actor, group_id, page).await
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

    async fn page(
        &self,
        actor: Actor,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Page, Refusal> {
        let absent = if actor.admin {
            ErrorCode::NotFound
        } else {
            ErrorCode::NotAMember
        };
        let page = self
            .ports
            .log
            .read(group_id, cursor, limit)
            .await
            .map_err(|error| self.failed("read a log", &error))?
            .ok_or(absent)?;
        match cursor {
            Cursor::After(after) if after.next() < page.first => {
                Err(Refusal::new(ErrorCode::HistoryTrimmed).with(Extra::FirstSeq(page.first)))
            }
            _ => Ok(page),
        }
    }

    /// A page may be shown to whoever is a member after it was read: had it been removed before, this would tell.
    async fn seen(&self, actor: Actor, group_id: GroupId, page: Page) -> Result<EntriesPage, Refusal> {
        self.check_sight(actor, group_id).await?;
        Ok(EntriesPage {
            entries: page.entries,
            has_more: page.has_more,
            head: page.head,
            log_id: self.log_id().await?,
        })
    }
}

/// Where the page after this one begins, in the same direction.
fn beyond(cursor: Cursor, entries: &[Entry]) -> Option<Cursor> {
    match cursor {
        Cursor::After(_) => entries.last().map(|entry| Cursor::After(entry.seq)),
        Cursor::Before(_) | Cursor::Newest => entries.first().map(|entry| Cursor::Before(entry.seq)),
    }
}
