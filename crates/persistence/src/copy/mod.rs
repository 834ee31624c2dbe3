//! Moves a deployment from an SQLite file to a PostgreSQL database: everything that belongs to it, and neither leases,
//! which belong to processes that do not run then, nor the outbox, which the old server delivers before it ends, nor
//! entries of deleted groups.
//!
//! A copy is killed without harm: each part of it is a transaction, and the heads in the target say how far it came.
//! Until it was verified, the target's log has a name under which no store opens it.

mod compare;
mod tables;

use std::fmt;

use diesel::Queryable;
use sealroom_domain::{
    Entry, GroupId, LogId,
    ports::{Cursor, GroupLog, PageLimit, StoreError},
};

use crate::{
    PostgresOptions, SqliteOptions, SqliteStore,
    error::{Inconsistency, OpenError},
    log_id::copying,
    postgres::CopyTarget,
    rows::{AccountRow, LoginRow, MemberRow, ReadMarkRow, RefreshTokenRow, UserCopyRow},
    sqlite::CopySource,
};

use self::compare::{differs, verify};
pub(crate) use self::tables::Copied;

/// Entries and bytes that are moved at once, at most.
const BATCH: PageLimit = PageLimit {
    entries: 4096,
    bytes: 8 * 1024 * 1024,
};

/// Why a deployment was not copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The file, or the server, cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The target is used by another deployment.
    #[error(
        "the target holds another log: only an empty database, or one of an interrupted copy, can be copied to"
    )]
    TargetInUse,
    /// One of the stores failed. What was copied stays; the same call goes on from there.
    #[error("the copy was interrupted")]
    Store(#[from] StoreError),
    /// The target does not hold what the source does.
    #[error("{what} differ: the source has {source_has}, the target has {target_has}")]
    Differs {
        /// What was compared.
        what: String,
        /// In the source.
        source_has: String,
        /// In the target.
        target_has: String,
    },
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyProgress {
    /// Entries of the logs are copied: so many of all.
    Copying {
        /// Entries that are in the target, those of an interrupted copy among them.
        done: u64,
        /// Entries of the source.
        all: u64,
    },
    /// The logs are read again and compared: so many entries of all.
    Verifying {
        /// Entries that were compared.
        done: u64,
        /// Entries of the source.
        all: u64,
    },
}

/// What was copied and found alike.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReport {
    /// The log, the same in both.
    pub log_id: LogId,
    /// Rows of each kind.
    pub counts: Counts,
    /// SHA-256 over the hashes of all other tables and of all groups' logs, by ascending group; in hexadecimal.
    pub digest: String,
}

/// How many rows a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Users that are known.
    pub users: u64,
    /// Groups, deleted ones among them.
    pub groups: u64,
    /// Memberships.
    pub members: u64,
    /// Read marks.
    pub read_marks: u64,
    /// Built-in accounts.
    pub accounts: u64,
    /// Logins of the built-in accounts.
    pub logins: u64,
    /// Refresh tokens of the logins.
    pub refresh_tokens: u64,
    /// Entries of the logs of all groups that exist.
    pub entries: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            users,
            groups,
            members,
            read_marks,
            accounts,
            logins,
            refresh_tokens,
            entries,
        } = self;
        write!(
            f,
            "{users} users, {groups} groups, {members} memberships, {read_marks} read marks, {accounts} accounts, \
             {logins} logins, {refresh_tokens} refresh tokens, {entries} entries"
        )
    }
}

/// The ids that a store gives out next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) group: i64,
    pub(crate) message: i64,
    pub(crate) user: i64,
    pub(crate) login: i64,
}

/// A group, and its log as far as it is stored: from `first` to `head`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub(crate) struct LogRange {
    pub(crate) group_id: i64,
    pub(crate) name: String,
    pub(crate) head: i64,
    pub(crate) first: i64,
    pub(crate) created_at: i64,
    pub(crate) deleted_at: Option<i64>,
    pub(crate) retention_age: Option<i64>,
    pub(crate) retention_count: Option<i64>,
}

impl LogRange {
    /// The group as it is copied: of a deleted one nothing but its row, whether or not its entries are gone already.
    pub(crate) fn into_copied(mut self) -> Self {
        if self.deleted_at.is_some() {
            self.first = self.head.saturating_add(1);
        }
        self
    }

    /// How many entries there are.
    fn len(&self) -> u64 {
        let len = self.head.saturating_sub(self.first).saturating_add(1);
        u64::try_from(len).unwrap_or(0)
    }
}

/// Copies everything from an SQLite file into a PostgreSQL database that is empty or holds an interrupted copy of the
/// same log, and compares: the numbers of rows, and a hash of each group's log.
///
/// Nobody can write to the source meanwhile. A target that was copied before and not changed since is only compared.
pub async fn copy(
    from: SqliteOptions,
    to: PostgresOptions,
    mut progress: impl FnMut(CopyProgress) + Send,
) -> Result<CopyReport, CopyError> {
    let source_store = SqliteStore::open(from.clone()).await?;
    let source = CopySource::open(from).await?;
    let target = CopyTarget::open(to).await?;
    let log_id = source_store.log_id().await?;
    let counts = source.counts().await?;
    let logs = source.logs().await?;
    let is_complete = match target.log_name().await? {
        None => {
            target.begin(&copying(&log_id)).await?;
            false
        }
        Some(name) if name == copying(&log_id) => false,
        Some(name) if name == log_id.as_str() => true,
        // A server was started on it, and nobody used it.
        Some(_) if target.counts().await? == Counts::default() => {
            target.begin(&copying(&log_id)).await?;
            false
        }
        Some(_) => return Err(CopyError::TargetInUse),
    };
    if !is_complete {
        copy_rows(&source, &target, &logs).await?;
        copy_entries(&source_store, &target, &logs, counts.entries, &mut progress).await?;
        target.set_counters(source.counters().await?).await?;
    }
    differs("the numbers of rows", &counts, &target.counts().await?)?;
    let digest = verify(
        &source_store,
        &source,
        &target,
        &logs,
        (counts.entries, is_complete),
        &mut progress,
    )
    .await?;
    target.finish(&log_id).await?;
    source_store.close().await?;
    Ok(CopyReport {
        log_id,
        counts,
        digest,
    })
}

/// Everything but the logs. What an interrupted copy put has changed since, or not: it is put anew, but for the groups,
/// whose rows say how far their logs came.
async fn copy_rows(source: &CopySource, target: &CopyTarget, logs: &[LogRange]) -> Result<(), StoreError> {
    target.clear_rows().await?;
    copy_table::<UserCopyRow>(source, target).await?;
    for logs in logs.chunks(BATCH.entries) {
        target.put_groups(logs).await?;
    }
    copy_table::<MemberRow>(source, target).await?;
    copy_table::<ReadMarkRow>(source, target).await?;
    copy_table::<AccountRow>(source, target).await?;
    copy_table::<LoginRow>(source, target).await?;
    copy_table::<RefreshTokenRow>(source, target).await
}

async fn copy_table<R: Copied>(source: &CopySource, target: &CopyTarget) -> Result<(), StoreError> {
    let mut after = R::Key::default();
    loop {
        let rows: Vec<R> = source.rows(after).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.key();
        target.put_rows(rows).await?;
    }
}

/// The logs, from where the target's end: entries of several groups at once, where they are short.
async fn copy_entries(
    source: &SqliteStore,
    target: &CopyTarget,
    logs: &[LogRange],
    all: u64,
    progress: &mut (impl FnMut(CopyProgress) + Send),
) -> Result<(), StoreError> {
    let heads = target.heads().await?;
    let (mut batch, mut weight, mut done) = (Vec::new(), 0_usize, 0_u64);
    for log in logs {
        let mut head = heads.get(&log.group_id).copied().unwrap_or(0).max(log.first - 1);
        done += LogRange { head, ..log.clone() }.len();
        while head < log.head {
            let page = page_after(source, log.group_id, head).await?;
            let Some(last) = page.last() else {
                return Err(hole());
            };
            head = last.seq.get();
            weight += page.iter().map(Entry::weight).sum::<usize>();
            batch.extend(page);
            if batch.len() >= BATCH.entries || weight >= BATCH.bytes {
                done += count(&batch);
                target.put_entries(std::mem::take(&mut batch)).await?;
                weight = 0;
                progress(CopyProgress::Copying { done, all });
            }
        }
    }
    target.put_entries(batch).await?;
    progress(CopyProgress::Copying { done: all, all });
    Ok(())
}

async fn page_after(store: &impl GroupLog, group_id: i64, after: i64) -> Result<Vec<Entry>, StoreError> {
    let (Ok(group_id), Ok(after)) = (GroupId::new(group_id), sealroom_domain::Seq::new(after)) else {
        return Err(hole());
    };
    let page = store.read(group_id, Cursor::After(after), BATCH).await?;
    Ok(page.map(|page| page.entries).unwrap_or_default())
}

/// The log of a group ends before its head.
fn hole() -> StoreError {
    StoreError::internal(Inconsistency {
        table: "entries",
        column: "seq",
    })
}

fn count(entries: &[Entry]) -> u64 {
    u64::try_from(entries.len()).unwrap_or(u64::MAX)
}
