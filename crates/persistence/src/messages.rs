//! Pages of messages as they stand now, on any store.

use diesel::Queryable;
use sealroom_domain::{
    EncryptedContent, Entry, EntryBody, KeyEpoch,
    ports::{CurrentMessage, Cursor, MessagesPage, PageLimit},
};

use crate::{
    error::Failure,
    page::Direction,
    rows::{self, EntryRow},
};

/// A message that has content, and the place, content and key epoch of its last edit.
#[derive(Queryable)]
pub(crate) struct MessageRow {
    entry: EntryRow,
    edited_seq: Option<i64>,
    edited_content: Option<String>,
    edited_key_epoch: Option<i64>,
}

/// A page that is being filled. The store gives it the messages of [`MessagesBuilder::rest`], in its direction, until it
/// has no more room: the one that it does not take says that there are more.
#[derive(Debug)]
pub(crate) struct MessagesBuilder {
    direction: Direction,
    /// The places that may follow, both included; none where `low` is greater.
    low: i64,
    high: i64,
    limit: PageLimit,
    messages: Vec<CurrentMessage>,
    has_more: bool,
}

impl MessagesBuilder {
    /// A page of whatever the log holds.
    pub(crate) fn new(cursor: Cursor, limit: PageLimit) -> Self {
        let (direction, low, high) = match cursor {
            Cursor::After(seq) => (Direction::Ascending, seq.get().saturating_add(1), i64::MAX),
            Cursor::Before(seq) => (Direction::Descending, 0, seq.get().saturating_sub(1)),
            Cursor::Newest => (Direction::Descending, 0, i64::MAX),
        };
        Self {
            direction,
            low,
            high,
            limit,
            messages: Vec::new(),
            has_more: false,
        }
    }

    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    /// The places that may follow, both included.
    pub(crate) fn rest(&self) -> (i64, i64) {
        (self.low, self.high)
    }

    /// Messages that are still to be asked for: those that there is room for and one more.
    #[cfg(feature = "postgres")]
    pub(crate) fn wanted(&self) -> i64 {
        let room = self.limit.entries.max(1).saturating_sub(self.messages.len());
        i64::try_from(room).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Takes the next message; `false` where the page has no more room. The first message always has.
    pub(crate) fn take(&mut self, row: MessageRow) -> Result<bool, Failure> {
        let Some(message) = row.current()? else {
            return Ok(true);
        };
        let weight = message.entry.weight();
        let is_full = self.messages.len() >= self.limit.entries || weight > self.limit.bytes;
        if is_full && !self.messages.is_empty() {
            self.has_more = true;
            return Ok(false);
        }
        self.limit.bytes = self.limit.bytes.saturating_sub(weight);
        match self.direction {
            Direction::Ascending => self.low = message.entry.seq.get().saturating_add(1),
            Direction::Descending => self.high = message.entry.seq.get().saturating_sub(1),
        }
        self.messages.push(message);
        Ok(true)
    }

    /// The page of a log that reaches from `first` to `head`.
    pub(crate) fn finish(mut self, head: i64, first: i64) -> Result<MessagesPage, Failure> {
        if self.direction == Direction::Descending {
            self.messages.reverse();
        }
        Ok(MessagesPage {
            messages: self.messages,
            has_more: self.has_more,
            head: rows::seq("groups", "head_seq", head)?,
            first: rows::seq("groups", "first_seq", first)?,
        })
    }
}

impl MessageRow {
    /// The message with its last edit; `None` where the content of that is gone.
    fn current(self) -> Result<Option<CurrentMessage>, Failure> {
        let mut entry = Entry::try_from(self.entry)?;
        let edited_seq = self
            .edited_seq
            .map(|seq| rows::seq("entries", "seq", seq))
            .transpose()?;
        if edited_seq.is_some()
            && let EntryBody::Message(message) = &mut entry.body
        {
            let content: Option<EncryptedContent> = rows::content(self.edited_content)?;
            if content.is_none() {
                return Ok(None);
            }
            let key_epoch: Option<KeyEpoch> = rows::key_epoch(self.edited_key_epoch)?;
            (message.content, message.key_epoch) = (content, key_epoch);
        }
        Ok(Some(CurrentMessage { entry, edited_seq }))
    }
}
