//! A log that changes what goes through it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sealroom_domain::{
    EncryptedContent, Entry, EntryBody, GroupId, LogId, Message, Seq, Timestamp, UserId,
    ports::{
        Appended, Cursor, GroupLog, MessagesPage, NewBody, NewEntry, Page, PageLimit, RefusedEntry,
        StoreError,
    },
};
use sealroom_testkit::{conformance::group_log::GroupLogFixture, memory::MemoryStore};

pub(crate) type Answer = Result<Appended, RefusedEntry>;
type Hook<F> = Option<Box<F>>;

/// The in-memory log with one thing wrong: what is set is applied. State of a defect lives in its closure.
#[derive(Default)]
#[expect(clippy::type_complexity, reason = "each closure is used in one place, here")]
pub(crate) struct Rewriting {
    pub(crate) inner: MemoryStore,
    /// Every entry before it is appended.
    pub(crate) new: Hook<dyn Fn(&mut NewEntry) + Send + Sync>,
    /// The whole batch before it is appended.
    pub(crate) batch: Hook<dyn Fn(&mut Vec<NewEntry>) + Send + Sync>,
    /// Every entry that comes out, in answers and in pages.
    pub(crate) entry: Hook<dyn Fn(&mut Entry) + Send + Sync>,
    /// Every answer to an append.
    pub(crate) answer: Hook<dyn Fn(&NewEntry, &mut Answer) + Send + Sync>,
    /// What a page is asked for.
    pub(crate) asked: Hook<dyn Fn(&mut Cursor, &mut PageLimit) + Send + Sync>,
    /// Every page, with what it was asked for.
    pub(crate) page: Hook<dyn Fn(Cursor, PageLimit, &mut Page) + Send + Sync>,
    /// A page, or that there is no such group.
    pub(crate) found: Hook<dyn Fn(Option<Page>) -> Option<Page> + Send + Sync>,
    /// What a page of messages is asked for.
    pub(crate) asked_messages: Hook<dyn Fn(&mut Cursor, &mut PageLimit) + Send + Sync>,
    /// Every page of messages, with what it was asked for.
    pub(crate) messages: Hook<dyn Fn(Cursor, PageLimit, &mut MessagesPage) + Send + Sync>,
    /// The answer to a question for heads.
    pub(crate) heads:
        Hook<dyn Fn(&[GroupId], &mut Vec<(GroupId, Seq)>) -> Result<(), StoreError> + Send + Sync>,
    /// The log's name.
    pub(crate) log_id: Hook<dyn Fn() -> LogId + Send + Sync>,
}

impl std::fmt::Debug for Rewriting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rewriting")
    }
}

impl From<Rewriting> for GroupLogFixture {
    fn from(broken: Rewriting) -> Self {
        let store = Arc::new(broken.inner.clone());
        let groups = Arc::clone(&store);
        Self::new(Arc::new(broken), groups).with_memberships(store)
    }
}

#[async_trait]
impl GroupLog for Rewriting {
    async fn log_id(&self) -> Result<LogId, StoreError> {
        match &self.log_id {
            Some(log_id) => Ok(log_id()),
            None => self.inner.log_id().await,
        }
    }

    async fn append(&self, mut batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        if let Some(rewrite) = &self.batch {
            rewrite(&mut batch);
        }
        if let Some(rewrite) = &self.new {
            batch.iter_mut().for_each(rewrite);
        }
        let mut answers = self.inner.append(batch.clone()).await?;
        for (new, answer) in batch.iter().zip(&mut answers) {
            if let (Some(rewrite), Ok(Appended::New(entry) | Appended::Duplicate(entry))) =
                (&self.entry, &mut *answer)
            {
                rewrite(entry);
            }
            if let Some(rewrite) = &self.answer {
                rewrite(new, answer);
            }
        }
        Ok(answers)
    }

    async fn read(
        &self,
        group_id: GroupId,
        mut cursor: Cursor,
        mut limit: PageLimit,
    ) -> Result<Option<Page>, StoreError> {
        let asked_for = (cursor, limit);
        if let Some(rewrite) = &self.asked {
            rewrite(&mut cursor, &mut limit);
        }
        let mut found = self.inner.read(group_id, cursor, limit).await?;
        if let Some(page) = &mut found {
            if let Some(rewrite) = &self.entry {
                page.entries.iter_mut().for_each(rewrite);
            }
            if let Some(rewrite) = &self.page {
                rewrite(asked_for.0, asked_for.1, page);
            }
        }
        match &self.found {
            Some(rewrite) => Ok(rewrite(found)),
            None => Ok(found),
        }
    }

    async fn messages(
        &self,
        group_id: GroupId,
        mut cursor: Cursor,
        mut limit: PageLimit,
    ) -> Result<Option<MessagesPage>, StoreError> {
        let asked_for = (cursor, limit);
        if let Some(rewrite) = &self.asked_messages {
            rewrite(&mut cursor, &mut limit);
        }
        let mut found = self.inner.messages(group_id, cursor, limit).await?;
        if let (Some(page), Some(rewrite)) = (&mut found, &self.messages) {
            rewrite(asked_for.0, asked_for.1, page);
        }
        Ok(found)
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let mut heads = self.inner.heads(groups).await?;
        if let Some(rewrite) = &self.heads {
            rewrite(groups, &mut heads)?;
        }
        Ok(heads)
    }
}

/// A new message's parts, for a defect to change.
pub(crate) fn content_of(new: &mut NewEntry) -> Option<&mut EncryptedContent> {
    match &mut new.body {
        NewBody::Message { content, .. } => Some(content),
        _ => None,
    }
}

/// An entry's message, for a defect to change.
pub(crate) fn message_of(entry: &mut Entry) -> Option<&mut Message> {
    match &mut entry.body {
        EntryBody::Message(message) => Some(message),
        _ => None,
    }
}

/// Replaces the content of every new message.
pub(crate) fn contents(change: fn(&str) -> String) -> Rewriting {
    Rewriting {
        new: Some(Box::new(move |new| {
            if let Some(content) = content_of(new) {
                *content = EncryptedContent::new(change(content.as_str()), usize::MAX).unwrap();
            }
        })),
        ..Rewriting::default()
    }
}

/// Changes every entry that comes out.
pub(crate) fn entries(change: fn(&mut Entry)) -> Rewriting {
    Rewriting {
        entry: Some(Box::new(change)),
        ..Rewriting::default()
    }
}

/// Changes every entry that goes in.
pub(crate) fn new_entries(change: fn(&mut NewEntry)) -> Rewriting {
    Rewriting {
        new: Some(Box::new(change)),
        ..Rewriting::default()
    }
}

/// Changes every page.
pub(crate) fn pages(change: fn(Cursor, PageLimit, &mut Page)) -> Rewriting {
    Rewriting {
        page: Some(Box::new(change)),
        ..Rewriting::default()
    }
}

/// Changes every page of messages.
pub(crate) fn messages(change: fn(Cursor, PageLimit, &mut MessagesPage)) -> Rewriting {
    Rewriting {
        messages: Some(Box::new(change)),
        ..Rewriting::default()
    }
}

/// Changes what every page is asked for.
pub(crate) fn asked(change: fn(&mut Cursor, &mut PageLimit)) -> Rewriting {
    Rewriting {
        asked: Some(Box::new(change)),
        ..Rewriting::default()
    }
}

pub(crate) fn seq(number: i64) -> Seq {
    Seq::new(number).unwrap()
}

pub(crate) fn user(number: i64) -> UserId {
    UserId::new(number).unwrap()
}

pub(crate) fn whole_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros() / 1_000 * 1_000)
}

/// A counter for a defect that depends on how often.
pub(crate) fn counter() -> impl Fn() -> usize + Send + Sync {
    let count = Mutex::new(0);
    move || {
        let mut count = count.lock().unwrap();
        *count += 1;
        *count
    }
}
