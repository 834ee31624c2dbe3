//! What the host hears of, on any store.

use sealroom_domain::{
    Entry,
    ports::{OutboxId, OutboxItem},
};

use crate::{error::Inconsistency, rows::EntryRow};

/// The lease of whoever delivers.
pub(crate) const LEASE: &str = "outbox";

/// An item, and its entry if it is still stored.
pub(crate) type OutboxRow = (i64, Option<EntryRow>);

/// The item of a row.
pub(crate) fn item((id, entry): OutboxRow) -> Result<OutboxItem, Inconsistency> {
    Ok(OutboxItem {
        id: OutboxId(id),
        entry: entry.map(Entry::try_from).transpose()?,
    })
}
