//! The outbox.
//!
//! Its ids are given out under the locks of the groups: those of one group come in its order. Of different groups, a
//! lesser id may be committed after a greater one was seen, so whoever delivers begins with the first item again.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods,
    pg::Pg,
    sql_types::{BigInt, Nullable, Text},
};
use diesel_async::RunQueryDsl;
use sealroom_domain::{
    Timestamp,
    ports::{Outbox, OutboxId, OutboxItem, StoreError},
};

use super::PostgresStore;
use crate::{
    outbox::{self, OutboxRow},
    schema,
    statement::{EntryColumns, statement},
};

statement! { Pg:
    /// Takes or renews a lease, where nobody else has it now.
    TakeLease {
        name: String as Text,
        holder: String as Text,
        until: i64 as BigInt,
        now: i64 as BigInt,
    } -> () =
        "INSERT INTO leases (name, holder, until) VALUES (" [name] ", " [holder] ", " [until]
        ") ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until \
         WHERE leases.holder = EXCLUDED.holder OR leases.until <= " [now] ""
}

statement! { Pg:
    /// `(id, entry)` of the first items behind an id, ascending; no entry where it was forgotten.
    Pending {
        after: i64 as BigInt,
        limit: i64 as BigInt,
    } -> (BigInt, Nullable<EntryColumns>) =
        "SELECT o.id, e.group_id, e.seq, e.kind, e.at, e.actor_id, e.message_id, e.target_seq, e.user_id, e.role, \
         e.reason, e.key_epoch, e.client_message_id, e.sender_name, e.content \
         FROM outbox o LEFT JOIN groups g ON g.id = o.group_id AND g.deleted_at IS NULL \
         LEFT JOIN entries e ON e.group_id = g.id AND e.seq = o.seq WHERE o.id > " [after]
        " ORDER BY o.id ASC LIMIT " [limit] ""
}

#[async_trait]
impl Outbox for PostgresStore {
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let take = TakeLease {
            name: outbox::LEASE.to_owned(),
            holder: holder.to_owned(),
            until: until.as_micros(),
            now: now.as_micros(),
        };
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            let taken = take.execute(&mut *lease).await?;
            lease.done();
            Ok(taken > 0)
        })
        .await
    }

    async fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, StoreError> {
        let pending = Pending {
            after: after.0,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let rows: Vec<OutboxRow> = pending.load(&mut *lease).await?;
            lease.done();
            rows.into_iter().map(|row| Ok(outbox::item(row)?)).collect()
        })
        .await
    }

    async fn delivered(&self, ids: &[OutboxId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            diesel::delete(schema::outbox::table)
                .filter(schema::outbox::id.eq_any(ids))
                .execute(&mut *lease)
                .await?;
            lease.done();
            Ok(())
        })
        .await
    }
}
