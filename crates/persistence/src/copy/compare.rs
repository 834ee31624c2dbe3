//! Whether a copy holds what its source does.

use std::fmt;

use futures_util::future::join;
use sealroom_domain::ports::{GroupLog, StoreError};
use sha2::{Digest, Sha256};

use super::{Copied, CopyError, CopyProgress, LogRange, copy_entries, hole, page_after};
use crate::{
    SqliteStore,
    postgres::CopyTarget,
    rows::{AccountRow, LoginRow, MemberRow, NewEntryRow, ReadMarkRow, RefreshTokenRow, UserCopyRow},
    sqlite::CopySource,
};

/// Reads everything of both stores again and compares the hashes, table by table and group by group. A log that differs is
/// copied anew, unless the target `is_complete` already.
pub(super) async fn verify(
    source: &SqliteStore,
    rows: &CopySource,
    target: &CopyTarget,
    logs: &[LogRange],
    (all, is_complete): (u64, bool),
    progress: &mut (impl FnMut(CopyProgress) + Send),
) -> Result<String, CopyError> {
    let found = target.logs().await?;
    let mut digest = Sha256::new();
    digest.update(same_table::<UserCopyRow>(rows, target).await?);
    digest.update(same_table::<MemberRow>(rows, target).await?);
    digest.update(same_table::<ReadMarkRow>(rows, target).await?);
    digest.update(same_table::<AccountRow>(rows, target).await?);
    digest.update(same_table::<LoginRow>(rows, target).await?);
    digest.update(same_table::<RefreshTokenRow>(rows, target).await?);
    let mut done = 0;
    for (log, found) in logs.iter().zip(&found) {
        differs("groups", &format!("{log:?}"), &format!("{found:?}"))?;
        let (ours, theirs) = join(hash(source, log), hash(target.store(), log)).await;
        let (ours, mut theirs) = (ours?, theirs?);
        if ours != theirs && !is_complete {
            // Messages were deleted or erased since an interrupted copy put them.
            target.forget_log(log).await?;
            copy_entries(source, target, std::slice::from_ref(log), all, &mut |_| {}).await?;
            theirs = hash(target.store(), log).await?;
        }
        differs(&format!("the logs of group {}", log.group_id), &ours, &theirs)?;
        digest.update(ours);
        done += log.len();
        progress(CopyProgress::Verifying { done, all });
    }
    Ok(hex(digest))
}

/// The hash of a table, which is the same in both stores.
async fn same_table<R: Copied>(source: &CopySource, target: &CopyTarget) -> Result<String, CopyError> {
    let (ours, theirs) = join(
        hash_rows(|after| source.rows::<R>(after)),
        hash_rows(|after| target.rows::<R>(after)),
    )
    .await;
    let (ours, theirs) = (ours?, theirs?);
    differs(R::WHAT, &ours, &theirs)?;
    Ok(ours)
}

/// The hash of the rows of a table, in their order.
async fn hash_rows<R: Copied, F: Future<Output = Result<Vec<R>, StoreError>>>(
    read: impl Fn(R::Key) -> F,
) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    let mut after = R::Key::default();
    loop {
        let rows = read(after).await?;
        let Some(last) = rows.last() else {
            return Ok(hex(hash));
        };
        after = last.key();
        for row in &rows {
            hash.update(format!("{row:?}"));
        }
    }
}

/// The hash of a group's log: each column of each entry, with its length before it.
async fn hash(store: &impl GroupLog, log: &LogRange) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    let mut head = log.first - 1;
    while head < log.head {
        let page = page_after(store, log.group_id, head).await?;
        let Some(last) = page.last() else {
            return Err(hole());
        };
        head = last.seq.get();
        for entry in &page {
            NewEntryRow::from(entry).columns(|column| {
                let length =
                    column.map_or(u64::MAX, |column| u64::try_from(column.len()).unwrap_or(u64::MAX));
                hash.update(length.to_be_bytes());
                hash.update(column.unwrap_or_default());
            });
        }
    }
    Ok(hex(hash))
}

pub(super) fn differs<T: PartialEq + ToString>(what: &str, source: &T, target: &T) -> Result<(), CopyError> {
    if source == target {
        return Ok(());
    }
    Err(CopyError::Differs {
        what: what.to_owned(),
        source_has: source.to_string(),
        target_has: target.to_string(),
    })
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}
