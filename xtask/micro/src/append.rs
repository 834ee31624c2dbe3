//! A batch into SQLite, up to what the disk keeps.

use anyhow::ensure;
use sealroom_domain::{
    DisplayName, GroupId, GroupName, Role, Timestamp, UserId,
    ports::{GroupLog as _, Groups as _, Guard, Memberships as _, NewBody, NewEntry},
};
use sealroom_persistence::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{Round, content, runtime};

/// The groups that a batch is for, in turns.
const GROUPS: i64 = 50;

pub(crate) struct Append {
    runtime: Runtime,
    store: SqliteStore,
    size: usize,
    next: i64,
    /// Removed when the store is closed.
    _directory: TempDir,
}

impl Append {
    /// Batches of so many entries.
    pub(crate) fn new(size: usize) -> anyhow::Result<Self> {
        let (runtime, directory) = (runtime()?, tempfile::tempdir()?);
        let store = runtime.block_on(async {
            let store = SqliteStore::open(SqliteOptions::new(directory.path().join("measured.db"))).await?;
            for id in 1..=GROUPS {
                let (group_id, at) = (GroupId::new(id)?, Timestamp::from_secs(0));
                store.put(group_id, &GroupName::new("measured")?, at).await?;
                store.set(group_id, UserId::new(1)?, Role::Member).await?;
            }
            anyhow::Ok(store)
        })?;
        Ok(Self {
            runtime,
            store,
            size,
            next: 0,
            _directory: directory,
        })
    }

    fn entry(&mut self) -> anyhow::Result<NewEntry> {
        self.next += 1;
        Ok(NewEntry {
            group_id: GroupId::new(self.next % GROUPS + 1)?,
            actor_id: UserId::new(1)?,
            at: Timestamp::from_secs(1),
            body: NewBody::Message {
                sender_name: DisplayName::unknown(),
                content: content()?,
                client_message_id: None,
                key_epoch: None,
            },
            guard: Guard::Kept {
                actor_role: Some(Role::Member),
                keeps_owner: false,
            },
        })
    }
}

impl Round for Append {
    fn play(&mut self) -> anyhow::Result<()> {
        let batch = (0..self.size)
            .map(|_| self.entry())
            .collect::<anyhow::Result<_>>()?;
        let results = self.runtime.block_on(self.store.append(batch))?;
        ensure!(results.len() == self.size, "not all were appended");
        ensure!(results.iter().all(Result::is_ok), "one was refused");
        Ok(())
    }
}
